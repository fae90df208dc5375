"""Choose the few that go first: spread over the reasons, so that each of them is tried."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from opstool.engine.survey import Survey


def choose(found: Survey, number: int, *, in_order: bool) -> tuple[str, ...]:
    """Return the ids of so many of the messages that were found.

    One of each reason in turn, those of most messages first; what has no reason counts as one. `in_order`: the first
    that were received, because on a FIFO queue a message must not overtake its group.
    """
    messages = found.messages
    if in_order:
        return tuple(each.message_id for each in messages[:number])
    by_reason: dict[Hashable, list[str]] = {}
    for message in messages:
        reason = found.reasons.get(message.message_id)
        by_reason.setdefault(reason.fingerprint if reason else None, []).append(message.message_id)
    return tuple(_in_turn(sorted(by_reason.values(), key=len, reverse=True), number))


def _in_turn(groups: Sequence[Sequence[str]], number: int) -> list[str]:
    """Return the first of each group, then the second of each, and so on."""
    depth = max((len(group) for group in groups), default=0)
    taken = [group[place] for place in range(depth) for group in groups if place < len(group)]
    return taken[:number]
