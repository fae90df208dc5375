"""Where a message can go: another queue, an archive, or nothing. A sink says of each message what became of it.

A sink is asked only after the journal holds the intent, and it confirms a message by name or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opstool.words.errors import OpstoolError
from opstool.words.message import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """The copy is there: under `new_id`, where the sink gives ids, in `target` (an ARN or a path)."""

    new_id: str | None
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """The copy was not confirmed. `may_be_there`: it may have been accepted all the same.

    `error` is set when the whole request was refused for a reason that the next one will meet too.
    """

    code: str
    message: str
    retryable: bool = False
    may_be_there: bool = False
    error: OpstoolError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldBack:
    """Not sent, because the message before it in its group was not confirmed."""


Put = Confirmed | Rejected | HeldBack


class Sink(Protocol):
    """Somewhere to put messages."""

    def repeat_is_safe_for_s(self, message: Message) -> float:
        """Return for how long after its first attempt a message can be put again without being there twice."""

    def suffices(self, message_id: str, target: str) -> bool:
        """Tell whether the copy of a message that was confirmed in `target` before makes a put needless."""

    def put(self, messages: Sequence[Message]) -> dict[str, Put]:
        """Try each message once; return by message id what became of it."""

    def group_of(self, message: Message) -> str | None:
        """Return the name of the ordered group that a message belongs to there; None where order does not matter."""

    def close(self) -> None:
        """Let go of what it holds open."""


class ArchiveSink:
    """Write messages to an archive; they are confirmed when they are on disk. `target` is its path."""

    def __init__(self, archive: AppendOnly, target: str) -> None:
        self._archive = archive
        self._target = target
        self._archived_ids = set(archive.known_ids)

    def repeat_is_safe_for_s(self, message: Message) -> float:  # noqa: ARG002 - a sink's interface
        """Return for ever: the archive knows its ids."""
        return math.inf

    def suffices(self, message_id: str, target: str) -> bool:
        """Tell whether the copy is in a queue or in this very archive: another one may be gone by now.

        A path proves nothing: the file that once had this name may have been moved, or thrown away.
        """
        return target.startswith("arn:") or message_id in self._archived_ids

    def put(self, messages: Sequence[Message]) -> dict[str, Put]:
        """Append what the archive does not hold yet; raise StorageError when the disk says no."""
        self._archive.append([each for each in messages if each.message_id not in self._archived_ids])
        self._archived_ids.update(each.message_id for each in messages)
        return {each.message_id: Confirmed(new_id=None, target=self._target) for each in messages}

    def group_of(self, message: Message) -> str | None:  # noqa: ARG002 - a sink's interface
        """Return None: a file has no groups."""
        return None

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()


class NothingSink:
    """Keep nothing: a purge without an archive."""

    def repeat_is_safe_for_s(self, message: Message) -> float:  # noqa: ARG002 - a sink's interface
        """Return for ever: twice nothing is nothing."""
        return math.inf

    def suffices(self, message_id: str, target: str) -> bool:  # noqa: ARG002 - a sink's interface
        """Return True: no copy is wanted."""
        return True

    def put(self, messages: Sequence[Message]) -> dict[str, Put]:
        """Confirm everything."""
        return {each.message_id: Confirmed(new_id=None, target="nothing") for each in messages}

    def group_of(self, message: Message) -> str | None:  # noqa: ARG002 - a sink's interface
        """Return None: nothing has no order."""
        return None

    def close(self) -> None:
        """Do nothing: nothing is open."""


class AppendOnly(Protocol):
    """What an archive sink needs of an archive."""

    @property
    def known_ids(self) -> frozenset[str]:
        """Return the message ids that it held when it was opened."""

    def append(self, messages: Sequence[Message]) -> None:
        """Write messages durably, or raise StorageError and leave nothing of them."""

    def close(self) -> None:
        """Let go of the file."""
