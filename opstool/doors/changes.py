"""What can happen to a move, one function a kind: done once when it is decided, and again by whoever reads the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

from opstool.words.record import Move, State


@dataclass(slots=True)
class Entry:
    """One move as it stands in memory: the columns of `moves` after origin and record id, in their order there."""

    run_id: str
    body_sha256: str
    state: str
    unknown_sends: int
    maybe_twice: int
    taken_over: int
    source_arn: str | None
    new_id: str | None
    target: str | None
    intent_at_ms: int
    updated_at_ms: int

    def move(self, origin: str, record_id: str) -> Move:
        """Return the move that this is."""
        named = dict(zip(COLUMNS, astuple(self), strict=True))
        return Move(origin=origin, record_id=record_id, **{**named, "state": State(self.state)})


class Only(NamedTuple):
    """Some moves only: a condition over `moves`, and the same of an entry in memory."""

    condition: str
    holds: Callable[[Entry], bool]


UNSETTLED = Only("state <> 'settled'", lambda entry: entry.state != State.SETTLED)
BEYOND_INTENT = Only("state <> 'intent'", lambda entry: entry.state != State.INTENT)
MAYBE_TWICE = Only("maybe_twice", lambda entry: bool(entry.maybe_twice))
COLUMNS = tuple(each.name for each in fields(Entry))
"""The columns of `moves` after origin and record id."""
Entries = dict[str, Entry | None]
"""The moves of one origin by record id; None where it is known that there is none."""
Apply = Callable[[Entries, Sequence[Any], Iterable[Any]], None]


def _claimed(entries: Entries, head: Sequence[Any], items: Iterable[Any]) -> None:
    run_id, now_ms, source_arn = head
    for record_id, sha256 in items:
        entries[record_id] = Entry(run_id, sha256, "intent", 0, 0, 0, source_arn, None, None, now_ms, now_ms)


def _doubted(entries: Entries, head: Sequence[Any], items: Iterable[Any]) -> None:
    run_id, now_ms = head
    for entry in _known(entries, items):
        entry.taken_over = int(entry.taken_over or entry.run_id != run_id)
        entry.run_id, entry.updated_at_ms = run_id, now_ms
        entry.unknown_sends = max(entry.unknown_sends, 1)


def _withdrawn(entries: Entries, _head: Sequence[Any], items: Iterable[Any]) -> None:
    for record_id in items:
        entry = entries.get(record_id)
        if entry and entry.state == State.INTENT and not entry.unknown_sends:
            entries[record_id] = None


def _unanswered(entries: Entries, head: Sequence[Any], items: Iterable[Any]) -> None:
    for entry in _known(entries, items):
        entry.unknown_sends += 1
        entry.updated_at_ms = head[0]


def _resent(entries: Entries, _head: Sequence[Any], items: Iterable[Any]) -> None:
    for entry in _known(entries, items):
        entry.maybe_twice = 1


def _confirmed(entries: Entries, head: Sequence[Any], items: Iterable[Any]) -> None:
    now_ms, target = head
    for record_id, new_id in items:
        entry = entries.get(record_id)
        if entry:
            entry.state, entry.new_id, entry.target, entry.updated_at_ms = "sent", new_id, target, now_ms


def _settled(entries: Entries, head: Sequence[Any], items: Iterable[Any]) -> None:
    for entry in _known(entries, items):
        entry.state, entry.updated_at_ms = "settled", head[0]


def _known(entries: Entries, record_ids: Iterable[str]) -> Iterable[Entry]:
    return (entry for each in record_ids if (entry := entries.get(each)))


APPLY: dict[str, Apply] = {
    "claimed": _claimed,
    "doubted": _doubted,
    "withdrawn": _withdrawn,
    "unanswered": _unanswered,
    "resent": _resent,
    "confirmed": _confirmed,
    "settled": _settled,
}
"""The kinds of change by the name that they have in the log; each takes what its items share, and the items."""


def record_ids_of(items: Sequence[Any]) -> Sequence[str]:
    """Return the record ids of what something happens to: the items of a kind are ids, or begin with one."""
    return items if not items or isinstance(items[0], str) else [each[0] for each in items]
