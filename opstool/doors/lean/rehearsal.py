"""The rehearsal: what botocore would send, read off a sample that it builds and signs and does not send.

It costs some milliseconds, once, and replaces every guess about endpoints, partitions, signers and headers. Botocore
sends every request to the client's endpoint, whatever the host of a queue's URL (its rules for SQS know no queue:
botocore/data/sqs/2012-11-05/endpoint-rule-set-1.json), and so does the lane.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opstool.doors.lean.body import written
from opstool.doors.lean.signer import ALGORITHM, Credentials
from opstool.doors.lean.signing import Form, Signing

_QUEUE = {"QueueUrl": "https://sqs.invalid/1/rehearsal"}
_ENTRY = {"Id": "0", "ReceiptHandle": "\u00e4\ud83d\ude00"}
SAMPLES: dict[str, dict[str, Any]] = {
    "ReceiveMessage": {**_QUEUE, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]},
    "SendMessageBatch": {
        **_QUEUE,
        "Entries": [
            {
                "Id": "0",
                "MessageBody": "\u00e4",
                "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}},
            }
        ],
    },
    "DeleteMessageBatch": {**_QUEUE, "Entries": [_ENTRY]},
    "ChangeMessageVisibilityBatch": {**_QUEUE, "Entries": [{**_ENTRY, "VisibilityTimeout": 0}]},
}
"""A request of each hot operation."""
_EACH_TIME = {"amz-sdk-invocation-id", "amz-sdk-request", "authorization", "content-length"}
_EACH_SECOND = {"x-amz-date", "x-amz-security-token"}
_SETTLED = {"content-type", "host", "user-agent", "x-amz-target", "x-amzn-query-mode"}
_SAID = re.compile(
    rf"{ALGORITHM} Credential=(?P<key>[^/]+)/\d{{8}}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<names>[^,]+), Signature=[0-9a-f]{64}"
)


class NotRehearsedError(Exception):
    """The lane would not do exactly as botocore does; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What was read off botocore's own requests."""

    forms: dict[str, Form]
    region: str
    service: str

    @property
    def url(self) -> str:
        """Return where all of them go."""
        return next(iter(self.forms.values())).url


def rehearse(client: Any, credentials: Any) -> Learned:
    """Return how botocore asks; raise NotRehearsedError where the lane would ask in another way.

    `credentials` are botocore's. What botocore raises while it builds and signs goes to the caller.
    """
    prepared = {operation: _prepared(client, operation) for operation in SAMPLES}
    forms, scopes = {}, set()
    for operation, request in prepared.items():
        form, scope = _read(request)
        forms[operation] = form
        scopes.add((scope, form.url))
    if len(scopes) != 1:
        raise NotRehearsedError("botocore does not send all requests to one place")
    (((region, service), _),) = scopes
    learned = Learned(forms=forms, region=region, service=service)
    _compare(learned, prepared, credentials.get_frozen_credentials())
    return learned


def _prepared(client: Any, operation: str) -> Any:
    """Return the signed request that botocore was about to send."""
    from botocore import xform_name  # noqa: PLC0415 - boto3 is loaded by now
    from botocore.exceptions import ParamValidationError  # noqa: PLC0415 - as above

    with _caught(client.meta.events, f"before-send.sqs.{operation}") as requests:
        try:
            getattr(client, xform_name(operation))(**SAMPLES[operation])
        except ParamValidationError as error:
            raise NotRehearsedError("botocore does not know the sample's parameters") from error
    if len(requests) != 1:
        raise NotRehearsedError("botocore did not send what was rehearsed")
    return requests[0]


@contextmanager
def _caught(events: Any, event: str) -> Iterator[list[Any]]:
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - as above
    from botocore.compat import HTTPHeaders  # noqa: PLC0415 - as above

    requests: list[Any] = []

    def answer(request: Any, **_: Any) -> Any:
        requests.append(request)
        return AWSResponse(request.url, 200, HTTPHeaders(), _Canned(b"{}"))

    events.register_first(event, answer)
    try:
        yield requests
    finally:
        events.unregister(event, answer)


class _Canned(io.BytesIO):
    """An answer's body, as botocore reads one."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """Yield all of it."""
        yield self.read()


def _read(request: Any) -> tuple[Form, tuple[str, str]]:
    """Return the form of a prepared request, and the region and service that it is signed for."""
    headers = _texts(request.headers)
    said = _SAID.fullmatch(headers.get("Authorization", ""))
    if said is None:
        raise NotRehearsedError("requests are not signed with Signature Version 4")
    lower = {name.lower() for name in headers}
    if request.method != "POST" or (unknown := lower - _EACH_TIME - _EACH_SECOND - _SETTLED):
        raise NotRehearsedError(f"requests carry the header {min(unknown)}" if unknown else "requests are no POST")
    form = Form(
        url=request.url,
        headers={name: each for name, each in headers.items() if name.lower() in _SETTLED - {"host"}},
        signed=frozenset(said["names"].split(";")) - {"x-amz-security-token"},
        counts_attempts="amz-sdk-request" in lower,
    )
    if not form.signed <= _SETTLED | _EACH_SECOND:
        raise NotRehearsedError("requests sign what changes with each of them")
    return form, (said["region"], said["service"])


def _compare(learned: Learned, prepared: dict[str, Any], frozen: Any) -> None:
    """Raise where the lane's own requests are not those of botocore, to the byte."""
    signing = Signing(learned.forms, region=learned.region, service=learned.service)
    credentials = Credentials.of(frozen)
    for operation, request in prepared.items():
        theirs = {name.lower(): each for name, each in _texts(request.headers).items()}
        content = written(SAMPLES[operation])
        attempts = theirs.get("amz-sdk-request", "")
        head = signing.head(operation, content, credentials, _second(theirs["x-amz-date"]), attempts)
        ours = _headers_of(head)
        if content != request.body:
            raise NotRehearsedError("botocore writes bodies in another way")
        if any(ours.get(name) != each for name, each in theirs.items() if name != "amz-sdk-invocation-id"):
            raise NotRehearsedError("botocore signs in another way")


def _second(amz_date: str) -> int:
    from datetime import UTC, datetime  # noqa: PLC0415 - for the rehearsal alone

    return int(datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())


def _headers_of(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def _texts(headers: Any) -> dict[str, str]:
    """Return headers as text: botocore writes them as bytes once they are prepared."""
    return {
        str(name): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in headers.items()
    }
