"""See why messages died in an Amazon SQS dead-letter queue, and move exactly those you mean.

    from opstool import connect, redrive, select

    kit = connect()
    with redrive.prepare(kit, "orders-dlq", select(older_than="2h", now_ms=kit.sqs.now_ms())) as run:
        print(run.plan.count)
        report = run.execute(note="ticket 4711")

Every command of the command line is a function here; names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Connection": "opstool.doors.session",
    "Toolkit": "opstool.doors.toolkit",
    "connect": "opstool.doors.toolkit",
    "OpstoolError": "opstool.words.errors",
    "Selection": "opstool.words.filters",
    "select": "opstool.words.filters",
}
_VERBS = (
    "browse",
    "consumer",
    "doctor",
    "export",
    "extend",
    "groups",
    "history",
    "iampolicy",
    "importing",
    "movetasks",
    "native",
    "purge",
    "queues",
    "redrive",
    "show",
    "testbatch",
    "watch",
)

__all__ = [*_HOMES, *_VERBS]  # noqa: PLE0604 - names, all of them strings


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _VERBS:
        return importlib.import_module(f"opstool.verbs.{name}")
    raise AttributeError(f"module 'opstool' has no attribute {name!r}")
