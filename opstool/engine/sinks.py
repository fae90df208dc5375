"""Where a message can go: another queue, an archive, or nothing. A sink says of each message what became of it.

A sink is asked only after the journal holds the intent, and it confirms a message by name or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from opstool.words.errors import OpstoolError
from opstool.words.message import Message


class Confirmed(NamedTuple):
    """The copy is there: under `new_id`, where the sink gives ids, in `target` (an ARN or a path).

    `unconfirmed` names the part of it for which the server had no word.
    """

    new_id: str | None
    target: str
    unconfirmed: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """The copy was not confirmed. `may_be_there`: it may have been accepted all the same.

    `error` is set when the whole request was refused for a reason that the next one will meet too; `wait_s` is how long
    the service asks to be left alone.
    """

    code: str
    message: str
    retryable: bool = False
    may_be_there: bool = False
    error: OpstoolError | None = None
    wait_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldBack:
    """Not sent: the message before it in its group was not confirmed, or its lease was lost before its turn."""


Put = Confirmed | Rejected | HeldBack
GARBLED = "what was received does not have the MD5 that the server named"
StillOurs = Callable[[Sequence[Message]], Sequence[Message]]
"""Return those of the messages that may still be sent: the others' leases are lost."""


def all_ours(messages: Sequence[Message]) -> Sequence[Message]:
    """Return all of them: an archive's messages are nobody else's, and nothing hides them for a time."""
    return messages


class Sink(Protocol):
    """Somewhere to put messages."""

    def repeat_is_safe_for_s(self, message: Message) -> float:
        """Return for how long after its first attempt a message can be put again without being there twice."""

    def suffices(self, message_id: str, target: str) -> bool:
        """Tell whether the copy of a message that was confirmed in `target` before makes a put needless."""

    def put(self, messages: Sequence[Message], still_ours: StillOurs = all_ours) -> dict[str, Put]:
        """Try each message once; return by message id what became of it.

        A put may take many requests, and be slow: `still_ours` is asked before each.
        """

    def sent_as(self, message: Message) -> Message:
        """Return the message as it arrives there: should its answer be lost, a return is known by its body."""

    def group_of(self, message: Message) -> str | None:
        """Return the name of the ordered group that a message belongs to there; None where order does not matter."""

    def close(self) -> None:
        """Let go of what it holds open."""


class ArchiveSink:
    """Write messages to an archive; they are confirmed when they are on disk. `target` is its path.

    With `keeps_order` it holds each group in the queue's order, because an import sends in the archive's.
    """

    def __init__(self, archive: AppendOnly, target: str, *, keeps_order: bool = False) -> None:
        self._archive = archive
        self._target = target
        self._keeps_order = keeps_order
        self._archived_ids = set(archive.known_ids)

    def repeat_is_safe_for_s(self, message: Message) -> float:  # noqa: ARG002 - a sink's interface
        """Return for ever: the archive knows its ids."""
        return math.inf

    def suffices(self, message_id: str, target: str) -> bool:
        """Tell whether the copy is in a queue or in this very archive: another one may be gone by now.

        A path proves nothing: the file that once had this name may have been moved, or thrown away.
        """
        return target.startswith("arn:") or message_id in self._archived_ids

    def put(self, messages: Sequence[Message], still_ours: StillOurs = all_ours) -> dict[str, Put]:  # noqa: ARG002 - a sink's interface
        """Append what the archive does not hold yet; raise StorageError when the disk says no.

        A file answers with no MD5, so what is written has to have the one that the server named.
        """
        intact = [each for each in messages if each.is_intact]
        self._archive.append([each for each in intact if each.message_id not in self._archived_ids])
        self._archived_ids.update(each.message_id for each in intact)
        garbled: Put = Rejected(code="copy_differs", message=GARBLED)
        confirmed = {each.message_id: Confirmed(new_id=None, target=self._target) for each in intact}
        return {**dict.fromkeys((each.message_id for each in messages), garbled), **confirmed}

    def sent_as(self, message: Message) -> Message:
        """Return the message itself."""
        return message

    def group_of(self, message: Message) -> str | None:
        """Return the group when its order is kept: a message that is lost on the way must not be overtaken."""
        return message.group_id if self._keeps_order else None

    def close(self) -> None:
        """Close the archive; one that took nothing, because the journal failed first, is not left behind."""
        self._archive.discard_if_empty()
        self._archive.close()


class NothingSink:
    """Keep nothing: a purge without an archive."""

    def repeat_is_safe_for_s(self, message: Message) -> float:  # noqa: ARG002 - a sink's interface
        """Return for ever: twice nothing is nothing."""
        return math.inf

    def suffices(self, message_id: str, target: str) -> bool:  # noqa: ARG002 - a sink's interface
        """Return True: no copy is wanted."""
        return True

    def put(self, messages: Sequence[Message], still_ours: StillOurs = all_ours) -> dict[str, Put]:  # noqa: ARG002 - a sink's interface
        """Confirm everything."""
        return {each.message_id: Confirmed(new_id=None, target="nothing") for each in messages}

    def sent_as(self, message: Message) -> Message:
        """Return the message itself."""
        return message

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

    def discard_if_empty(self) -> None:
        """Take the file away when it holds no record."""

    def close(self) -> None:
        """Let go of the file."""
