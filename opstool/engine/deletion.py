"""What became of a delete: one answer for each message, and not every yes is to be believed."""

from __future__ import annotations

from typing import NamedTuple

from opstool.doors.wire import EntryFailure


class Deletion(NamedTuple):
    """What became of a delete, by message id.

    `doubtful`: SQS said yes, but the hold may have lapsed before. Whoever received the message meanwhile still has it,
    because a standard queue says yes to a stale handle and does nothing.
    """

    failed: dict[str, EntryFailure]
    doubtful: set[str]
