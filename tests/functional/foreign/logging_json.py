"""Log with the standard library, under Lambda's JSON format."""

from __future__ import annotations

import json
import logging
from typing import Any

logger = logging.getLogger("orders")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle each record by itself."""
    failed = []
    for record in event["Records"]:
        try:
            charge(json.loads(record["body"]))
        except Exception:
            logger.exception("could not charge %s", record["messageId"])
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            logger.info("charged %s", record["messageId"])
    return {"batchItemFailures": failed}


def charge(order: dict[str, Any]) -> None:
    """Charge a card, which the bank does not answer."""
    if order["amount"] > 100:
        raise ConnectionError("the bank did not answer")
