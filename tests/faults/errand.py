"""An errand: something a person does with a queue, that can be begun, fail, and be begun again until it is done.

An errand knows no server: it is given a ground to stand on and a toolkit for each attempt. It checks after each
attempt what that attempt has promised, and in the end where everything is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from opstool.doors.archive import read_archive
from opstool.doors.toolkit import Toolkit
from opstool.words.errors import OpstoolError, UsageError
from opstool.words.queue import Queue
from opstool.words.report import Report, Status
from tests.faults.promises import Ending, check_counts, check_doubles, check_order, check_status, told_of


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A source queue, its DLQ with what lies in it (body by message id, in order), and a folder for archives.

    A body is `group:number:parity`; on FIFO queues each group keeps its order.
    """

    source: Queue
    dlq: Queue
    lying: Mapping[str, str]
    folder: Path

    @property
    def fifo(self) -> bool:
        """Tell whether the queues keep order."""
        return self.dlq.is_fifo


def bodies(count: int, *, groups: int) -> list[str]:
    """Return different bodies, dealt out to so many groups in turn."""
    return [f"g{number % groups}:{number}:{'odd' if number % 2 else 'even'}" for number in range(count)]


@dataclass(kw_only=True)
class Errand(ABC):
    """One verb on a ground. `reports` are what its attempts have said, `left` what is still to be done."""

    name: ClassVar[str]
    whole_groups: ClassVar[bool] = True
    """Whether it takes out of a FIFO queue what it sees, so that it gets to see the rest of each group."""
    is_consumed: ClassVar[bool] = False
    """Whether somebody has to take what it sends, because it asks what becomes of it."""

    ground: Ground
    reports: list[Report] = field(default_factory=list)
    left: int = 0

    def get_ready(self, kit: Toolkit) -> None:  # noqa: B027 - most have nothing to do
        """Do what has to be done before anything may fail."""

    @abstractmethod
    def act(self, kit: Toolkit) -> Report:
        """Begin, resume or repeat; raise OpstoolError where the verb does."""

    def attempt(self, kit: Toolkit) -> Report | None:
        """Act once, and check the report; None when the verb said in an error that it could not begin."""
        try:
            report = self.act(kit)
        except UsageError:  # it was asked in the right way
            raise
        except OpstoolError:
            return None
        self.reports.append(report)
        check_counts(report)
        check_status(report)
        return report

    @abstractmethod
    def check_left(self, report: Report | None, in_dlq: Collection[str], *, deceived: bool = False) -> None:
        """Check after an attempt which ids still lie in the DLQ.

        Whoever was `deceived` about the end of the queue may say that it is done while some are left.
        """

    @property
    def is_done(self) -> bool:
        """Tell whether the last report said so, and was not deceived."""
        return bool(self.reports) and self.reports[-1].status is Status.DONE and not self.left

    @property
    def told(self) -> set[str]:
        """Return the bodies of all that was said to be possibly sent twice."""
        return told_of(self.reports, self.ground.lying)

    @abstractmethod
    def check_end(self, ending: Ending, *, may_double: bool, must_double: bool) -> None:
        """Check, once it is done, where everything is; the flags are those of `check_doubles`."""

    def original_of(self, body: str) -> str:
        """Return the body that lay in the DLQ, of one that was sent."""
        return body

    def check_target(self, ending: Ending, *, may_double: bool, must_double: bool) -> None:
        """Check what was sent twice, and the order."""
        # A FIFO queue that knows the deduplication id takes no second copy.
        exact = must_double and not self.ground.fifo
        check_doubles(ending, self.told, may_double=may_double, must_double=exact)
        if self.ground.fifo:
            check_order(ending.at_target)


def read_once(path: Path, lying: Mapping[str, str]) -> dict[str, str]:
    """Return body by message id of an archive, which must be whole, and true, and hold each message once."""
    messages = [record.message for record in read_archive(path)]
    read = {message.message_id: message.body for message in messages}
    assert len(read) == len(messages), "a message stands in the archive twice"
    assert read.items() <= lying.items()
    return read
