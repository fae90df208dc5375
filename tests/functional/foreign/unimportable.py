"""Import what was left out of the deployment."""

from __future__ import annotations

from typing import Any

import a_package_that_nobody_installed


def handler(event: dict[str, Any], context: Any) -> Any:
    """Never be called."""
    return a_package_that_nobody_installed.handle(event)
