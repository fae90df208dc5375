"""The script that everybody writes: boto3 in a loop of receive, send and delete, in one thread or in many."""

from __future__ import annotations

import argparse
import sys
import threading
from typing import Any

import boto3
from botocore.config import Config


def move(client: Any, source: str, target: str, contains: str) -> None:
    """Move until a receive is empty; what does not match is left to its visibility timeout."""
    while True:
        found = client.receive_message(QueueUrl=source, MaxNumberOfMessages=10, VisibilityTimeout=600)
        messages = found.get("Messages", [])
        if not messages:
            return
        wanted = [each for each in messages if contains in each["Body"]]
        if not wanted:
            continue
        sent = client.send_message_batch(
            QueueUrl=target,
            Entries=[{"Id": str(at), "MessageBody": each["Body"]} for at, each in enumerate(wanted)],
        )
        client.delete_message_batch(
            QueueUrl=source,
            Entries=[
                {"Id": each["Id"], "ReceiptHandle": wanted[int(each["Id"])]["ReceiptHandle"]}
                for each in sent["Successful"]
            ],
        )


def main(arguments: list[str]) -> None:
    """Move with as many threads as asked for, which share a client as boto3 advises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--contains", default="", help="move only bodies that contain this")
    options = parser.parse_args(arguments)
    client = boto3.client("sqs", config=Config(max_pool_connections=options.threads))
    urls = [client.get_queue_url(QueueName=name)["QueueUrl"] for name in ("orders-dlq", "orders")]
    threads = [threading.Thread(target=move, args=(client, *urls, options.contains)) for _ in range(options.threads)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


if __name__ == "__main__":
    main(sys.argv[1:])
