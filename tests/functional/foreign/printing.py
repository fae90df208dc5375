"""Catch what goes wrong, print it with the message's id, and report the message as failed."""

from __future__ import annotations

import json
from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle each record by itself."""
    failed = []
    for record in event["Records"]:
        try:
            deliver(json.loads(record["body"]))
        except Exception as e:  # noqa: BLE001 - how such a function is written
            print(f"failed {record['messageId']}: {e!r}")  # noqa: T201 - as above
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def deliver(order: dict[str, Any]) -> None:
    """Refuse an order without an address, or to one that is not served."""
    address = order["address"]
    if address["country"] not in ("NL", "BE"):
        raise ValueError(f"no delivery to {address['country']}")
