"""How the stateful tests do things: choose, hold, change, look, and check what was said against what was done."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from opstool.doors.archive import open_archive
from opstool.doors.toolkit import Toolkit
from opstool.fake.stored import State
from opstool.verbs import testbatch
from opstool.words.errors import OpstoolError
from opstool.words.message import Attribute
from opstool.words.report import Report, Status
from tests.properties import checks
from tests.properties.account import Account, Census, account_in_memory
from tests.properties.checks import Wanted
from tests.properties.ledger import NAME, Act, Content
from tests.properties.line import Misfortune, Trouble, troubled
from tests.properties.plans import AnyRun, Choice, act_of, choose, frozen
from tests.world import Died

MAY_BE_REFUSED = {"no_certain_target", "run_is_done", "run_not_found", "not_resumable", "source_gone"}
T = TypeVar("T")


class Machine(RuleBasedStateMachine):
    """The account, the books, and the verbs under trouble; the rules are its heirs'."""

    fifo = False

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.account = self.make_account(Path(self._folder.name))
        self.account.state_dir.mkdir()
        self.ledger = self.account.ledger
        self.retention_s = {name: self.account.retention_s(name) for name in self.account.queues}
        self.handles: list[tuple[str, str, str]] = []
        self.others_hold: dict[str, int] = {}
        self.runs: dict[str, Wanted] = {}
        self.expired: set[str] = set()
        self.number = 0
        self.last = self.account.census()

    def make_account(self, folder: Path) -> Account:
        """Make the queues."""
        return account_in_memory(folder, fifo=self.fifo)

    def teardown(self) -> None:
        """Let go of what is open."""
        self._folder.cleanup()

    # -- what must always hold

    @invariant()
    def nothing_is_lost(self) -> None:
        """Every message is in a queue or an archive, was consumed or thrown away, or its retention has ended."""
        now, ledger = self.account.census(), self.ledger
        present = {key for messages in now.values() for key in messages}
        for queue, messages in self.last.items():
            for key, old in messages.items():
                if key not in present and checks.is_expired(old, self.account.now_ms, self.retention_s[queue]):
                    self.expired.add(key)
        accounted = present | self.expired | ledger.thrown_away
        accounted |= {key for key, each in ledger.instances.items() if each.is_consumed}
        assert all(key in accounted or each.deleted_by for key, each in ledger.instances.items()), "one has vanished"
        safe = {ledger.instances[key].name for key in accounted if key in ledger.instances} | ledger.archived_names()
        assert {each.name for each in ledger.instances.values()} <= safe, "a message is lost"
        for messages in now.values():
            assert all(checks.is_copy(each, self.content_of(key)) for key, each in messages.items()), "changed"
        self.last = now

    # -- what others do

    def produce(self, queue: str, body: str, group: str, *, full: bool) -> None:
        """Send one message to a source queue."""
        self.account.send(queue, self.new_content(body, group if self.fifo or full else None, full=full))

    def new_content(self, body: str, group: str | None, *, full: bool = False) -> Content:
        """Return what no message has been before; `full` has every kind of part that a copy must keep."""
        self.number += 1
        attributes = {NAME: Attribute(type="String", value=f"m{self.number}")}
        if full:
            attributes["count"] = Attribute(type="Number.int", value="17")
            attributes["raw"] = Attribute(type="Binary", value=b"\x00\xff")
        header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1" if full else None
        return Content(body=body, attributes=attributes, trace_header=header, group_id=group)

    def hold(self, queue: str, count: int, visibility_s: int) -> None:
        """Receive as somebody else, and keep what was received."""
        received = self.account.receive(queue, count, visibility_s)
        self.handles += [(queue, each["MessageId"], each["ReceiptHandle"]) for each in received]
        self._note_hidden(self.account.census())

    # -- what can be asked

    @property
    def dlq(self) -> str:
        """Return the ARN of the DLQ."""
        return self.account.queues["dlq"].arn

    def content_of(self, message_id: str) -> Content:
        """Return what a message has to be."""
        return self.ledger.contents[self.ledger.instances[message_id].name]

    def new_file(self) -> Path:
        """Return the path of an archive that is not there yet."""
        self.number += 1
        return self.account.state_dir / f"{self.number}.jsonl{'.gz' if self.number % 2 else ''}"

    def status_of(self, run_id: str) -> str | None:
        """Return what the journal says of a run; None when it died before it began."""
        if not self.ledger.journal.exists():
            return None
        with closing(sqlite3.connect(self.ledger.journal)) as database:
            row = database.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        return str(row[0]) if row else None

    def choose(self, data: st.DataObject) -> Choice:
        """Choose messages of the DLQ."""
        return choose(self.account, list(self.last["dlq"]), data)

    def must_be_seen(self, before: Census, selects: checks.Selects) -> set[str]:
        """Return what a look that says it has seen everything has to have seen."""
        now_ms, retention_s = self.account.now_ms, self.retention_s["dlq"]
        held = {each.group_id for each in before["dlq"].values() if each.state is not State.VISIBLE}
        return {
            key
            for key, each in before["dlq"].items()
            if selects(each)
            and each.state is State.VISIBLE
            and not (self.fifo and each.group_id in held)
            and not checks.is_expired(each, now_ms, retention_s)
        }

    # -- opstool at work

    def under(self, kit: Toolkit, trouble: Trouble, act: Callable[[], T]) -> T | None:
        """Do something while things go wrong; None when it died or was refused."""
        with troubled(self.account.line, kit, trouble):
            try:
                return act()
            except (Died, sqlite3.ProgrammingError):
                return None
            except OpstoolError as error:
                if trouble.was_used or kit.stop.is_set() or error.code in MAY_BE_REFUSED:
                    return None
                raise

    def look(
        self, misfortune: Misfortune, act: Callable[[Toolkit], T], notes: Callable[[T], tuple[str, ...]]
    ) -> T | None:
        """Carry out a verb that only looks, and check that it has left everything as it was."""
        before, kit, trouble = self.account.census(), self.account.kit(), self._trouble(misfortune)
        seen = self.under(kit, trouble, lambda: act(kit))
        kit.close()
        self._check_look(before, None if seen is None else " ".join(notes(seen)))
        return seen

    def change(self, prepare: Callable[[Toolkit], AnyRun], misfortune: Misfortune, given: Wanted) -> None:
        """Carry out a verb that changes something, and check what it says against what it did."""
        before, kit, trouble = self.account.census(), self.account.kit(), self._trouble(misfortune)

        def act() -> Report:
            run = prepare(kit)
            with run if not isinstance(run, testbatch.TestBatch) else nullcontext():
                self.runs.setdefault(run.plan.run_id, frozen(run, given))
                self.ledger.act = act_of(run)
                return run.execute()

        try:
            report = self.under(kit, trouble, act)
        finally:
            ended, self.ledger.act = self.ledger.act, None
            kit.close()
        if ended is None:
            self._check_look(before, None)
            return
        after = self.account.census()
        if report:
            checks.check_report(self.ledger, report)
        if ended.verb in {"redrive", "purge"}:
            self._check_taken(ended, before, after, report)
        else:
            assert before["dlq"].keys() <= after["dlq"].keys(), "something has left the DLQ"
        if ended.verb == "import" and checks.is_done(report):
            self._check_imported(ended)
        self._check_hidden(after, str(report) if report else None)

    def _trouble(self, misfortune: Misfortune) -> Trouble:
        return misfortune.on(reject=self.account.reject_sources, advance=self.account.advance)

    def _check_taken(self, ended: Act, before: Census, after: Census, report: Report | None) -> None:
        """Check what a redrive or a purge has taken out of the DLQ."""
        wanted = self.runs[ended.run_id]
        gone = checks.check_gone(self.account, ended.run_id, wanted, before, after)
        checks.check_targets(self.account, ended.run_id, wanted, before)
        if self.fifo:
            checks.check_order(ended.sent_in_order, wanted, before)
        if report is None:
            return
        # After three lost answers nobody can know whether a delete was carried out.
        named = [each.message_ids for each in report.failures if each.code == "not_deleted"]
        open_deletes = gone & {key for message_ids in named for key in message_ids}
        assert report.counts.succeeded == len(gone - open_deletes), f"{len(gone)} are gone: {report}"
        if report.status is Status.DONE:
            lost_bodies = self.ledger.bodies_of_lost_sends(ended.run_id)
            seen = {
                key
                for key in self.must_be_seen(before, wanted.selects)
                if self.ledger.instances[key].run_id != ended.run_id
                and not wanted.may_be_a_return(before["dlq"][key], lost_bodies)
            }
            left = seen & after["dlq"].keys()
            # What the run has begun counts against its limit, though it expired or somebody else deleted it.
            taken = {key for key, each in self.ledger.instances.items() if each.deleted_by == ended.run_id}
            is_full = wanted.limit is not None and len(taken | self.ledger.begun(ended.run_id)) >= wanted.limit
            assert not left or is_full, f"done, and some are left: {left}, {report}"

    def _check_imported(self, ended: Act) -> None:
        """Check that every record of an archive was sent to the target of this import, by this run or by another."""
        assert ended.archive
        with open_archive(ended.archive) as archive:
            for record in archive:
                assert record.queue_arn
                origin = f"archive:{record.archive_id}>{ended.target or record.queue_arn}{ended.again}"
                assert self.ledger.copies.get((origin, record.record_id)), "done, and a record was never sent"

    def _check_look(self, before: Census, said: str | None) -> None:
        after = self.account.census()
        checks.check_untouched(before, after, self.account.now_ms, self.retention_s)
        self._check_hidden(after, said)

    def _check_hidden(self, after: Census, said: str | None) -> None:
        """Check that nothing of ours stays hidden; what was said to, is as good as somebody else's."""
        checks.check_nothing_hidden(after, self.others_hold, said)
        self._note_hidden(after)

    def _note_hidden(self, census: Census) -> None:
        self.others_hold = {
            key: each.visible_at_ms
            for messages in census.values()
            for key, each in messages.items()
            if each.state is State.IN_FLIGHT
        }
