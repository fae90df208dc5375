"""Everything that people, consumers, time and bad luck can do to a dead-letter queue, in any order.

The books (ledger.py) read along on the line between opstool and the server, and after every step what lies in the
queues is compared with them.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from opstool.doors.archive import open_archive
from opstool.doors.toolkit import Toolkit
from opstool.verbs import browse, export, history, importing, purge, redrive, show, testbatch
from opstool.words.errors import NotFoundError, OpstoolError, RefusedError
from opstool.words.message import Message
from opstool.words.report import Status
from tests.faults.scale import FULL
from tests.properties import checks
from tests.properties.checks import Wanted
from tests.properties.line import Misfortune
from tests.properties.machine import Machine
from tests.properties.plans import DAY_S, EVERYTHING, AnyRun

sources = st.sampled_from(["orders", "orders", "invoices"])
targets = st.sampled_from([None, None, None, "elsewhere", "orders"])
bodies = st.sampled_from(["same", "same", '{"n": 1}', "\U0001f600 \u202e", "\x7f"])
groups = st.sampled_from(["a", "b"])
limits = st.none() | st.none() | st.integers(1, 4)


@st.composite
def misfortunes(draw: st.DrawFn) -> Misfortune:
    """Make what goes wrong: often nothing."""
    struck = draw(st.booleans())
    end = draw(st.sampled_from(["none", "none", "none", "death", "death", "stop"]))
    return Misfortune(
        seed=draw(st.integers(0, 1_000)) if struck else 0,
        rate=draw(st.sampled_from([0.1, 0.3, 0.6])) if struck else 0.0,
        budget=draw(st.integers(1, 15)) if struck else 0,
        dies_at=draw(st.integers(0, 40)) if end == "death" else None,
        stops_at=draw(st.integers(0, 12)) if end == "stop" else None,
        rejects=draw(st.booleans()),
        sleeps_s=draw(st.sampled_from([0, 40])) if struck else 0,
    )


class StandardQueues(Machine):
    """Two sources on one DLQ, a queue elsewhere, and everything that can be done to them."""

    # -- what others do

    @initialize(count=st.integers(1, 12), body=bodies)
    def some_have_died(self, count: int, body: str) -> None:
        """Begin with something in the DLQ."""
        for number in range(count):
            text = body if number % 2 else json.dumps({"n": number})
            self.produce("orders", text, "ab"[number % 2], full=number == 0)
        self.account.reject_all("orders")

    @rule(queue=sources, body=bodies, group=groups, count=st.integers(1, 3), full=st.booleans())
    def a_producer_sends(self, queue: str, body: str, group: str, count: int, full: bool) -> None:
        """Send messages, some with the same body as others."""
        for _ in range(count):
            self.produce(queue, body, group, full=full)

    @rule(queue=sources, count=st.integers(1, 10), visibility_s=st.sampled_from([0, 5, 40, 400]))
    def a_consumer_receives(self, queue: str, count: int, visibility_s: int) -> None:
        """Receive and hold."""
        self.hold(queue, count, visibility_s)

    @rule(count=st.integers(1, 10), visibility_s=st.sampled_from([0, 5, 40, 400]))
    def a_stranger_looks(self, count: int, visibility_s: int) -> None:
        """Receive from the DLQ and hold, as another tool does."""
        self.hold("dlq", count, visibility_s)

    @precondition(lambda self: self.handles)
    @rule(index=st.integers(0, 100), count=st.integers(1, 5))
    def somebody_deletes(self, index: int, count: int) -> None:
        """Delete what was received, perhaps with a handle whose time is over."""
        for _ in range(min(count, len(self.handles))):
            queue, message_id, handle = self.handles.pop(index % len(self.handles))
            try:
                self.account.ask("DeleteMessage", queue, ReceiptHandle=handle)
            except OpstoolError:
                continue
            if message_id not in self.account.census()[queue]:
                self.ledger.instances[message_id].is_consumed = True

    @rule(queue=sources)
    def a_consumer_rejects_everything(self, queue: str) -> None:
        """Let what is visible die."""
        self.account.reject_all(queue)

    @rule(seconds=st.sampled_from([1, 5, 31, 31, 400, 3_600, DAY_S, 4 * DAY_S, 11 * DAY_S]))
    def time_passes(self, seconds: int) -> None:
        """Let leases, holds, windows and retentions end."""
        self.account.advance(seconds)

    # -- looking

    @rule(trouble=misfortunes(), limit=limits, data=st.data())
    def list_messages(self, trouble: Misfortune, limit: int | None, data: st.DataObject) -> None:
        """List, and leave everything as it was."""
        choice, before = self.choose(data), self.account.census()
        listing = self.look(
            trouble,
            lambda kit: browse.list_messages(kit, self.dlq, choice.selection, limit=limit),
            lambda found: found.notes,
        )
        if listing is None:
            return
        shown = {each.message_id for each in listing.messages}
        assert shown <= {key for key, each in before["dlq"].items() if choice.selects(each)}
        assert all(checks.is_copy(each, self.content_of(each.message_id)) for each in listing.messages)
        if limit is None and not listing.partial:
            missed = self.must_be_seen(before, choice.selects) - shown
            assert not missed, f"{missed} of {list(before['dlq'])} missed: {listing.counts}, {listing.notes}"

    @precondition(lambda self: self.last["dlq"])
    @rule(index=st.integers(0, 100))
    def show(self, index: int) -> None:
        """Show one message."""
        before = self.account.census()
        key = [*before["dlq"], "gone"][index % (len(before["dlq"]) + 1)]

        def act(kit: Toolkit) -> tuple[str, ...]:
            try:
                return (show.show(kit, key, self.dlq).message.message_id,)
            except NotFoundError:
                return ()

        shown = self.look(Misfortune(), act, lambda _: ())
        assert shown == (key,) or self.fifo or key not in self.must_be_seen(before, lambda _: True)

    @rule(trouble=misfortunes(), limit=limits, data=st.data())
    def export(self, trouble: Misfortune, limit: int | None, data: st.DataObject) -> None:
        """Export to a new file, and leave everything as it was."""
        choice, before, path = self.choose(data), self.account.census(), self.new_file()
        report = self.look(
            trouble,
            lambda kit: export.export(kit, self.dlq, choice.selection, to=path, limit=limit),
            lambda ended: ended.notes,
        )
        if report is None:
            return
        checks.check_counts(report)
        checks.check_status(report)
        with open_archive(path) as archive:
            written = [record.message for record in archive]
        self.ledger.archives.append(path)
        ids = {each.message_id for each in written}
        assert len(written) == len(ids) == report.counts.succeeded
        assert all(checks.is_copy(each, self.content_of(each.message_id)) for each in written)
        assert ids <= {key for key, each in before["dlq"].items() if choice.selects(each)}
        if limit is None and report.status is Status.DONE:
            missed = self.must_be_seen(before, choice.selects) - ids
            assert not missed, f"{missed} of {list(before['dlq'])} missed: {report}"

    @rule(data=st.data())
    def plan_and_leave(self, data: st.DataObject) -> None:
        """Look at a plan and say no: nothing is changed."""
        choice = self.choose(data)

        def act(kit: Toolkit) -> None:
            with redrive.prepare(kit, self.dlq, choice.selection):
                pass

        self.look(Misfortune(), act, lambda _: ())

    # -- changing

    @rule(
        trouble=misfortunes(),
        limit=limits,
        to=targets,
        uncertain=st.sampled_from(["resend", "resend", "leave"]),
        data=st.data(),
    )
    def redrive(
        self,
        trouble: Misfortune,
        limit: int | None,
        to: str | None,
        uncertain: Any,
        data: st.DataObject,
    ) -> None:
        """Send messages back."""
        choice, target = self.choose(data), self.account.queues[to].arn if to else None

        def prepare(kit: Toolkit) -> AnyRun:
            return redrive.prepare(kit, self.dlq, choice.selection, to=target, limit=limit, uncertain=uncertain)

        self.change(prepare, trouble, Wanted(selects=choice.selects, limit=limit, to=to))

    @precondition(lambda self: self.last["dlq"])
    @rule(limit=limits, seed=st.integers(0, 1_000), rate=st.sampled_from([0.0, 0.3]))
    def redrive_what_comes_back_at_once(self, limit: int | None, seed: int, rate: float) -> None:
        """Send everything back to consumers who reject it while the run is still at work."""
        trouble = Misfortune(seed=seed, rate=rate, budget=5, rejects=True)
        self.change(
            lambda kit: redrive.prepare(kit, self.dlq, limit=limit),
            trouble,
            Wanted(selects=EVERYTHING.selects, limit=limit),
        )

    @precondition(lambda self: self.last["dlq"])
    @rule(limit=st.integers(1, 8), dies_at=st.integers(16, 32))
    def redrive_some_and_die_and_go_on(self, limit: int, dies_at: int) -> None:
        """Send some back, die at it, and go on: what was sent before the death counts against the limit after it."""
        wanted = Wanted(selects=EVERYTHING.selects, limit=limit)
        known = set(self.runs)
        self.change(lambda kit: redrive.prepare(kit, self.dlq, limit=limit), Misfortune(dies_at=dies_at), wanted)
        self.account.advance(31)
        for run_id in self.runs.keys() - known:
            self._take_up(run_id, Misfortune(), None)

    @rule(trouble=misfortunes(), limit=limits, no_archive=st.sampled_from([False, False, True]), data=st.data())
    def purge(self, trouble: Misfortune, limit: int | None, no_archive: bool, data: st.DataObject) -> None:
        """Archive and delete messages, or only delete them."""
        choice, path = self.choose(data), None if no_archive else self.new_file()

        def prepare(kit: Toolkit) -> AnyRun:
            return purge.prepare(kit, self.dlq, choice.selection, archive=path, no_archive=no_archive, limit=limit)

        if path:
            self.ledger.archives.append(path)
        self.change(prepare, trouble, Wanted(selects=choice.selects, limit=limit))

    @precondition(lambda self: self.ledger.archives)
    @rule(trouble=misfortunes(), index=st.integers(0, 100), again=st.sampled_from([False, False, True]), to=targets)
    def import_archive(self, trouble: Misfortune, index: int, again: bool, to: str | None) -> None:
        """Send what lies in an archive that was made before, perhaps not for the first time."""
        path = self.ledger.archives[index % len(self.ledger.archives)]
        target = self.account.queues[to].arn if to else None
        if path.exists():
            self.change(lambda kit: importing.prepare(kit, path, to=target, again=again), trouble, EVERYTHING)

    @rule(trouble=misfortunes(), queue=sources, body=bodies, group=groups, count=st.integers(1, 12))
    def send_test_batch(self, trouble: Misfortune, queue: str, body: str, group: str, count: int) -> None:
        """Send test messages to a source queue."""
        batch = []
        for number in range(count):
            content = self.new_content(body, group if self.fifo else None)
            self.ledger.contents[content.name] = content
            parts = {"body": body, "attributes": content.attributes, "group_id": content.group_id}
            batch.append(Message(message_id=f"test-{number:06}", **parts))
        arn = self.account.queues[queue].arn
        self.change(lambda kit: testbatch.prepare(kit, arn, messages=batch), trouble, EVERYTHING)

    @precondition(lambda self: self.runs)
    @rule(trouble=misfortunes(), index=st.integers(0, 100), uncertain=st.sampled_from([None, None, "leave"]))
    def resume(self, trouble: Misfortune, index: int, uncertain: Any) -> None:
        """Take up any run, however old; one that is done is refused."""
        self._take_up(list(self.runs)[index % len(self.runs)], trouble, uncertain)

    def _take_up(self, run_id: str, trouble: Misfortune, uncertain: Any) -> None:
        was_done = self.status_of(run_id) == Status.DONE
        refusals: list[str] = []

        def prepare(kit: Toolkit) -> AnyRun:
            try:
                return history.resume(kit, run_id, uncertain=uncertain)
            except RefusedError as refusal:
                refusals.append(refusal.code)
                raise

        self.change(prepare, trouble, self.runs[run_id])
        assert ("run_is_done" in refusals) == was_done


class FifoQueues(StandardQueues):
    """The same with FIFO queues."""

    fifo = True


_BOUNDS = settings(
    max_examples=800 if FULL else 100,
    stateful_step_count=30 if FULL else 20,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
StandardQueues.TestCase.settings = _BOUNDS
FifoQueues.TestCase.settings = _BOUNDS
TestStandardQueues = StandardQueues.TestCase
TestFifoQueues = FifoQueues.TestCase
