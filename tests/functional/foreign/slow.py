"""Take longer than the function's timeout."""

from __future__ import annotations

import time
from typing import Any


def handler(event: dict[str, Any], context: Any) -> None:
    """Wait for what never comes."""
    if event["Records"][0]["body"] != "quick":
        time.sleep(60)
