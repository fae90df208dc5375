"""What a ReceiveMessage asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opstool.fake.refusal import RefusalError, in_range
from opstool.fake.settings import MAX_VISIBILITY_S, MAX_WAIT_S, Settings
from opstool.fake.stored import SYSTEM_ATTRIBUTES

_MOST_AT_ONCE = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Poll:
    """One receive, with the queue's defaults filled in; a poll that does not wait is a short one."""

    limit: int
    wait_s: int
    visibility_timeout_s: int
    system_names: frozenset[str]
    attribute_names: frozenset[str]

    @classmethod
    def read(cls, request: Mapping[str, Any], settings: Settings) -> Poll:
        """Return what the request asks for, or refuse it."""
        system_names = frozenset(
            (*(request.get("MessageSystemAttributeNames") or ()), *(request.get("AttributeNames") or ()))
        )
        if unknown := sorted(system_names - SYSTEM_ATTRIBUTES - {"All"}):
            raise RefusalError("InvalidAttributeName", f"Unknown Attribute {unknown[0]}.")
        wait_s = request.get("WaitTimeSeconds", settings.wait_s)
        visibility_timeout_s = request.get("VisibilityTimeout", settings.visibility_timeout_s)
        return cls(
            limit=in_range(request.get("MaxNumberOfMessages", 1), 1, _MOST_AT_ONCE, "MaxNumberOfMessages"),
            wait_s=in_range(wait_s, 0, MAX_WAIT_S, "WaitTimeSeconds"),
            visibility_timeout_s=in_range(visibility_timeout_s, 0, MAX_VISIBILITY_S, "VisibilityTimeout"),
            system_names=system_names,
            attribute_names=frozenset(request.get("MessageAttributeNames") or ()),
        )
