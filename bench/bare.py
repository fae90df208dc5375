"""The floor: threads that sign, write, read and pick out what they must, and nothing else.

No retry, no check of an answer, no journal, no lease, no count: nobody should move messages with this. It tells what
the interpreter, TLS and the sockets cost by themselves, so that a client can be compared with what is reachable.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import os
import re
import socket
import ssl
import sys
import threading
import time
from urllib.parse import urlsplit

_MESSAGE = re.compile(rb'"ReceiptHandle":"([^"]+)","MD5OfBody":"[^"]+","Body":"([^"\\]*(?:\\.[^"\\]*)*)"')
_SIGNED = "content-type;host;x-amz-date;x-amz-target"
_JSON = "application/x-amz-json-1.0"
_BATCH = 10


class Signer:
    """SigV4 for one host with the key of the day made once."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._access_key = os.environ["AWS_ACCESS_KEY_ID"]
        day, region = time.strftime("%Y%m%d", time.gmtime()), os.environ["AWS_REGION"]
        key = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
        for part in (day, region, "sqs", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = key
        self._scope = f"{day}/{region}/sqs/aws4_request"

    def request(self, operation: str, body: bytes) -> bytes:
        """Return the whole request, head and body."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        target = f"AmazonSQS.{operation}"
        canonical = (
            f"POST\n/\n\ncontent-type:{_JSON}\nhost:{self._host}\nx-amz-date:{now}\nx-amz-target:{target}\n\n"
            f"{_SIGNED}\n{hashlib.sha256(body).hexdigest()}"
        )
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{self._scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key, to_sign.encode(), "sha256").hex()
        head = (
            f"POST / HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {_JSON}\r\nX-Amz-Date: {now}\r\n"
            f"X-Amz-Target: {target}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={self._access_key}/{self._scope},"
            f" SignedHeaders={_SIGNED}, Signature={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Line:
    """One kept-alive connection."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext | None) -> None:
        plain = socket.create_connection(address)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname=address[0]) if context else plain

    def ask(self, request: bytes) -> bytes:
        """Return the body of the answer; any status but 200 ends the run."""
        self._socket.sendall(request)
        data = self._socket.recv(65_536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._socket.recv(65_536)
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(data[:100].decode())
        at = data.index(b"Content-Length: ") + 16
        whole = end + 4 + int(data[at : data.index(b"\r\n", at)])
        while len(data) < whole:
            data += self._socket.recv(65_536)
        return data[end + 4 :]


def move(line: Line, signer: Signer, queues: tuple[bytes, bytes], contains: bytes) -> None:
    """Move until a receive is empty: batches are filled to ten, and what does not match is left to its timeout."""
    source, target = queues
    receive = b'{"QueueUrl":"%s","MaxNumberOfMessages":10,"VisibilityTimeout":600,' % source
    receive += b'"WaitTimeSeconds":0,"MessageSystemAttributeNames":["All"]}'
    held: list[tuple[bytes, bytes]] = []
    is_empty = False
    while not is_empty:
        answer = line.ask(signer.request("ReceiveMessage", receive))
        is_empty = len(answer) <= len(b"{}")
        found = _MESSAGE.findall(answer)
        held += [each for each in found if contains in each[1]] if contains else found
        while len(held) >= _BATCH or (is_empty and held):
            batch, held = held[:_BATCH], held[_BATCH:]
            entries = b",".join(b'{"Id":"%d","MessageBody":"%s"}' % (at, body) for at, (_, body) in enumerate(batch))
            line.ask(signer.request("SendMessageBatch", b'{"QueueUrl":"%s","Entries":[%s]}' % (target, entries)))
            entries = b",".join(b'{"Id":"%d","ReceiptHandle":"%s"}' % (at, key) for at, (key, _) in enumerate(batch))
            line.ask(signer.request("DeleteMessageBatch", b'{"QueueUrl":"%s","Entries":[%s]}' % (source, entries)))


def main(arguments: list[str]) -> None:
    """Move with as many connections as asked for, a thread each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--contains", default="", help="move only bodies whose JSON text contains this")
    options = parser.parse_args(arguments)
    url = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    address = (url.hostname or "", url.port or 443)
    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]) if url.scheme == "https" else None
    signer = Signer(url.netloc)
    queues = tuple(f"{url.geturl()}/123456789012/{name}".encode() for name in ("orders-dlq", "orders"))
    contains = options.contains.replace('"', '\\"').encode()
    threads = [
        threading.Thread(target=lambda: move(Line(address, context), signer, (queues[0], queues[1]), contains))
        for _ in range(options.connections)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


if __name__ == "__main__":
    main(sys.argv[1:])
