"""A redrive as it is watched and mended, as errands: with a canary, with --wait, with --transform."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from opstool.doors.toolkit import Toolkit
from opstool.engine.run import Run
from opstool.verbs import redrive
from opstool.words.fate import Fate
from opstool.words.mending import Mending
from opstool.words.report import Report
from opstool.words.watching import CANARY_UNKNOWN, Watching
from tests.faults.errand import Errand, read_once
from tests.faults.errands import Redrive
from tests.faults.promises import Ending

CANARY = 5
MENDED = ":mended"


@dataclass(kw_only=True)
class RedriveCanary(Redrive):
    """A few go first, and the consumer takes them; only where nobody can tell does the rest stay."""

    name: ClassVar[str] = "redrive --canary"
    whole_groups: ClassVar[bool] = False
    is_consumed: ClassVar[bool] = True

    def prepare(self, kit: Toolkit) -> Run:
        """Return a new run."""
        return redrive.prepare(kit, self.ground.dlq.arn, watching=Watching(canary=CANARY))

    def attempt(self, kit: Toolkit) -> Report | None:
        """Act once, and check that no more than the canary was sent where it was not known to have done well."""
        report = super().attempt(kit)
        if report:
            check_outcome(kit, report)
        if report and report.stopped:
            assert report.stopped.code == CANARY_UNKNOWN, "nothing has come back"
            assert report.counts.succeeded <= CANARY
        return report


@dataclass(kw_only=True)
class RedriveWait(Redrive):
    """Everything is sent, and followed to its outcome."""

    name: ClassVar[str] = "redrive --wait"
    is_consumed: ClassVar[bool] = True

    def prepare(self, kit: Toolkit) -> Run:
        """Return a new run."""
        return redrive.prepare(kit, self.ground.dlq.arn, watching=Watching(wait=True))

    def attempt(self, kit: Toolkit) -> Report | None:
        """Act once, and check what is said of the outcome."""
        report = super().attempt(kit)
        if report:
            check_outcome(kit, report)
        return report


@dataclass(kw_only=True)
class RedriveMended(Redrive):
    """Everything goes back with a new body, which ends with a mark; the originals are in archives before that."""

    name: ClassVar[str] = "redrive --transform"
    whole_groups: ClassVar[bool] = False

    def prepare(self, kit: Toolkit) -> Run:
        """Return a new run."""
        return redrive.prepare(kit, self.ground.dlq.arn, mending=Mending(transform=f"join('', [body, '{MENDED}'])"))

    def check_left(self, report: Report | None, in_dlq: Collection[str], *, deceived: bool = False) -> None:
        """Check what lies in the DLQ, and that whatever has left it stands in an archive as it was."""
        super().check_left(report, in_dlq, deceived=deceived)
        archived = {key for path in self._originals() for key in read_once(path, self.ground.lying)}
        assert set(self.ground.lying) - set(in_dlq) <= archived, "sent with a new body, the old one is in no archive"

    def _originals(self) -> list[Path]:
        return sorted(self.ground.folder.glob("**/*-originals.jsonl.gz"))

    def check_end(self, ending: Ending, *, may_double: bool, must_double: bool) -> None:
        """Check where everything is: each mended once, and never twice over."""
        assert all(body.endswith(MENDED) for body in ending.at_target), "sent without its new body"
        bare = Ending(at_target=[self.original_of(body) for body in ending.at_target], in_dlq=ending.in_dlq)
        super().check_end(bare, may_double=may_double, must_double=must_double)

    def original_of(self, body: str) -> str:
        """Return the body that this one was made of."""
        return body.removesuffix(MENDED)


def check_outcome(kit: Toolkit, report: Report) -> None:
    """Check that each message the run has sent has one fate, and that none is said to have come back: none has."""
    assert report.outcome
    sent = {move.record_id for move in kit.journal.moves(str(report.run_id)) if move.new_id}
    assert set(report.outcome.by_id) == sent
    assert not report.outcome.count(Fate.RETURNED), "nothing has come back"


WATCHED_ERRANDS: tuple[type[Errand], ...] = (RedriveCanary, RedriveWait, RedriveMended)
