"""The verbs as errands: redrive, with a filter too, purge, export, import and send-test-batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from opstool.doors.archive import read_archive
from opstool.doors.toolkit import Toolkit
from opstool.engine.run import Run
from opstool.verbs import export, history, importing, purge, redrive, testbatch
from opstool.words.filters import select
from opstool.words.message import Message
from opstool.words.report import Outcome, Report, Status
from tests.faults.errand import Errand, read_once
from tests.faults.promises import (
    MAY_BE_THERE,
    Ending,
    check_gone,
    check_left,
    check_nothing_lost,
    check_order,
    ids_named,
    told_of,
)


@dataclass(kw_only=True)
class _Transfer(Errand):
    """A verb that takes messages out of the DLQ: its run is resumed at every other attempt, and else begun anew."""

    run_ids: list[str] = field(default_factory=list)
    attempts: int = 0

    @abstractmethod
    def prepare(self, kit: Toolkit) -> Run:
        """Return a new run."""

    @property
    def meant(self) -> Mapping[str, str]:
        """Return what is to be taken, body by id."""
        return self.ground.lying

    def act(self, kit: Toolkit) -> Report:
        """Begin, resume or repeat."""
        self.attempts += 1
        resumable = self.reports and self.reports[-1].status is not Status.DONE
        run = history.resume(kit, self.run_ids[-1]) if resumable and self.attempts % 2 == 0 else self.prepare(kit)
        assert isinstance(run, Run)
        with run:
            self.run_ids.append(run.plan.run_id)
            return run.execute()

    def check_left(self, report: Report | None, in_dlq: Collection[str], *, deceived: bool = False) -> None:
        """Check what lies in the DLQ."""
        check_gone(self.reports, gone=set(self.ground.lying) - set(in_dlq))
        assert set(self.ground.lying) - set(self.meant) <= set(in_dlq), "a message that was not meant has gone"
        self.left = len(set(self.meant) & set(in_dlq))
        if report:
            check_left(report, meant=() if deceived else self.meant, in_dlq=in_dlq)


@dataclass(kw_only=True)
class Redrive(_Transfer):
    """Everything goes back to the source queue."""

    name: ClassVar[str] = "redrive"

    def prepare(self, kit: Toolkit) -> Run:
        """Return a new run."""
        return redrive.prepare(kit, self.ground.dlq.arn)

    def check_end(self, ending: Ending, *, may_double: bool, must_double: bool) -> None:
        """Check where everything is."""
        check_nothing_lost(self.meant.values(), ending.at_target)
        rest = [body for key, body in self.ground.lying.items() if key not in self.meant]
        assert sorted(ending.in_dlq) == sorted(rest)
        self.check_target(ending, may_double=may_double, must_double=must_double)


@dataclass(kw_only=True)
class RedriveHalf(Redrive):
    """What `--where` matches goes back to the source queue, the other half stays."""

    name: ClassVar[str] = "redrive --where"
    whole_groups: ClassVar[bool] = False

    @property
    def meant(self) -> Mapping[str, str]:
        """Return what is to be taken, body by id."""
        return {key: body for key, body in self.ground.lying.items() if body.endswith("even")}

    def prepare(self, kit: Toolkit) -> Run:
        """Return a new run."""
        selection = select(now_ms=0, where="ends_with(body, 'even')")
        return redrive.prepare(kit, self.ground.dlq.arn, selection)


@dataclass(kw_only=True)
class Purge(_Transfer):
    """Everything is archived and deleted; a run that is begun anew has an archive of its own."""

    name: ClassVar[str] = "purge"
    archives: list[Path] = field(default_factory=list)

    def prepare(self, kit: Toolkit) -> Run:
        """Return a new run."""
        self.archives.append(self.ground.folder / f"purged-{self.attempts}.jsonl")
        return purge.prepare(kit, self.ground.dlq.arn, archive=self.archives[-1])

    def check_left(self, report: Report | None, in_dlq: Collection[str], *, deceived: bool = False) -> None:
        """Check what lies in the DLQ."""
        super().check_left(report, in_dlq, deceived=deceived)
        archived = {key for path in self.archives if path.exists() for key in read_once(path, self.ground.lying)}
        assert set(self.ground.lying) - set(in_dlq) <= archived, "deleted and in no archive"

    def check_end(self, ending: Ending, *, may_double: bool, must_double: bool) -> None:
        """Check where everything is."""
        assert not ending.in_dlq
        assert not ending.at_target
        assert not self.told
        for path in self.archives if self.ground.fifo else ():
            if path.exists():
                check_order(read_once(path, self.ground.lying).values())


@dataclass(kw_only=True)
class Export(Errand):
    """Everything is written into a file, a new one each time, and stays where it is."""

    name: ClassVar[str] = "export"
    whole_groups: ClassVar[bool] = False
    attempts: int = 0

    @property
    def _file(self) -> Path:
        return self.ground.folder / f"exported-{self.attempts}.jsonl.gz"

    def act(self, kit: Toolkit) -> Report:
        """Begin, resume or repeat."""
        self.attempts += 1
        return export.export(kit, self.ground.dlq.arn, to=self._file)

    def check_left(self, report: Report | None, in_dlq: Collection[str], *, deceived: bool = False) -> None:
        """Check what lies in the DLQ."""
        assert set(in_dlq) == set(self.ground.lying)
        written = read_once(self._file, self.ground.lying) if self._file.exists() else {}
        if report:
            assert report.counts.succeeded == len(written)
            self.left = len(self.ground.lying) - len(written)
            assert report.status is not Status.DONE or not self.left or deceived

    def check_end(self, ending: Ending, *, may_double: bool, must_double: bool) -> None:
        """Check where everything is."""
        assert sorted(ending.in_dlq) == sorted(self.ground.lying.values())
        assert not ending.at_target
        assert not self.told
        if self.ground.fifo:
            check_order(ending.in_dlq)


@dataclass(kw_only=True)
class Import(Errand):
    """An archive of everything is sent into the source queue: resumed at every other attempt, and else begun anew."""

    name: ClassVar[str] = "import"
    run_ids: list[str] = field(default_factory=list)
    records: dict[str, str] = field(default_factory=dict)
    attempts: int = 0

    @property
    def _file(self) -> Path:
        return self.ground.folder / "to-import.jsonl"

    def get_ready(self, kit: Toolkit) -> None:
        """Empty the DLQ before anything may fail."""
        with purge.prepare(kit, self.ground.dlq.arn, archive=self._file) as run:
            assert run.execute().status is Status.DONE
        self.records = {each.record_id: each.message.body for each in read_archive(self._file)}

    def act(self, kit: Toolkit) -> Report:
        """Begin, resume or repeat."""
        self.attempts += 1
        resumable = self.reports and self.reports[-1].status is not Status.DONE
        if resumable and self.attempts % 2 == 0:
            run = history.resume(kit, self.run_ids[-1])
        else:
            run = importing.prepare(kit, self._file, to=self.ground.source.arn)
        assert isinstance(run, importing.Import)
        with run:
            self.run_ids.append(run.plan.run_id)
            return run.execute()

    def check_left(self, report: Report | None, in_dlq: Collection[str], *, deceived: bool = False) -> None:
        """Check what lies in the DLQ."""
        assert not in_dlq
        if report and report.status is Status.DONE:
            assert report.counts.received == len(self.records)
            assert sum(each.counts.succeeded for each in self.reports) == len(self.records)

    @property
    def told(self) -> set[str]:
        """Return the bodies of all that was said to be possibly sent twice."""
        return told_of(self.reports, self.records)

    def check_end(self, ending: Ending, *, may_double: bool, must_double: bool) -> None:
        """Check where everything is."""
        check_nothing_lost(self.ground.lying.values(), ending.at_target)
        self.check_target(ending, may_double=may_double, must_double=must_double)


@dataclass(kw_only=True)
class SendTestBatch(Errand):
    """Messages are sent to the source queue; what a batch did not bring there is sent by the next one.

    What a report says may be there is sent again by a new batch, which cannot know: those are told of, too.
    """

    name: ClassVar[str] = "send-test-batch"
    unsent: list[Message] = field(default_factory=list)
    sent_again: set[str] = field(default_factory=set)
    bodies: Mapping[str, str] = field(default_factory=dict)
    sent: int = 0

    def get_ready(self, kit: Toolkit) -> None:
        """Empty the DLQ before anything may fail."""
        with purge.prepare(kit, self.ground.dlq.arn, no_archive=True) as run:
            assert run.execute().status is Status.DONE
        made = testbatch.with_bodies(self.ground.lying.values())
        self.unsent = [replace(each, group_id=each.body.split(":")[0]) for each in made]
        self.bodies = {each.message_id: each.body for each in made}

    def act(self, kit: Toolkit) -> Report:
        """Begin, resume or repeat."""
        batch = testbatch.prepare(kit, self.ground.source.arn, messages=self.unsent)
        report = batch.execute()
        before = len(self.unsent)
        self.unsent = [each for each in self.unsent if batch.tally.outcome(each.message_id) is not Outcome.SUCCEEDED]
        assert report.counts.succeeded == before - len(self.unsent)
        self.sent += report.counts.succeeded
        self.sent_again |= {self.bodies[key] for key in ids_named([report], codes=MAY_BE_THERE)}
        return report

    def check_left(self, report: Report | None, in_dlq: Collection[str], *, deceived: bool = False) -> None:
        """Check what lies in the DLQ."""
        if report and report.status is Status.DONE:
            assert not self.unsent
            assert self.sent == len(self.bodies)

    @property
    def told(self) -> set[str]:
        """Return the bodies of all that was said to be possibly sent twice."""
        return told_of(self.reports, self.bodies) | self.sent_again

    def check_end(self, ending: Ending, *, may_double: bool, must_double: bool) -> None:
        """Check where everything is."""
        check_nothing_lost(self.bodies.values(), ending.at_target)
        self.check_target(ending, may_double=may_double, must_double=must_double)


ERRANDS: tuple[type[Errand], ...] = (Redrive, RedriveHalf, Purge, Export, Import, SendTestBatch)
