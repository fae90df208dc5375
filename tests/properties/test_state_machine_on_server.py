"""The stateful test on a server that we did not write, over HTTP and in real time: fewer rules, shorter stories.

Nobody can look into its queues without a receive, so what lies where is compared with the books only at the end of a
story; each send and each delete is checked on the line, as everywhere. local-aws-sqs departs from AWS where a message
dies (it resets SentTimestamp and receive count) and counts what is in flight as visible: nothing here leans on either.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from opstool.doors.toolkit import Toolkit
from opstool.verbs import browse, history, importing, purge, redrive, testbatch
from opstool.words.errors import OpstoolError
from opstool.words.filters import Selection
from opstool.words.message import Attribute, Message
from opstool.words.report import Report
from tests.faults.scale import FULL
from tests.properties import checks
from tests.properties.account import account_on
from tests.properties.ledger import NAME, Content
from tests.properties.line import Misfortune, troubled
from tests.properties.plans import AnyRun, act_of
from tests.servers import opened
from tests.world import Died

bodies = st.sampled_from(["same", "same", "other"])
limits = st.none() | st.none() | st.integers(1, 4)
targets = st.sampled_from([None, None, "elsewhere"])
misfortunes = st.builds(
    Misfortune,
    seed=st.integers(0, 100),
    rate=st.sampled_from([0.0, 0.0, 0.3]),
    budget=st.integers(1, 4),
    dies_at=st.none() | st.integers(0, 30),
    rejects=st.booleans(),
)


class ServerQueues(RuleBasedStateMachine):
    """The same account on a real server."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.account = account_on(opened("local-aws-sqs"), Path(self._folder.name), fifo=False)
        self.account.state_dir.mkdir()
        self.ledger, self.runs, self.number = self.account.ledger, list[str](), 0

    @property
    def dlq(self) -> str:
        """Return the ARN of the DLQ."""
        return self.account.queues["dlq"].arn

    def teardown(self) -> None:
        """Let every lease lapse, take everything out, and find each message in a queue, an archive, or thrown away."""
        try:
            self.account.advance(self.account.lease_s + 0.1)
            found: dict[str, str] = {}
            self.account.reject_sources()
            for queue in self.account.queues:
                found |= self.account.drain(queue)
            ledger = self.ledger
            assert all(ledger.instances[key].name == name for key, name in found.items())
            safe = set(found.values()) | ledger.archived_names()
            safe |= {ledger.instances[key].name for key in ledger.thrown_away}
            assert {each.name for each in ledger.instances.values()} <= safe, "a message is lost"
            vanished = {key for key, each in ledger.instances.items() if key not in found and not each.deleted_by}
            assert not vanished, "a message has vanished"
        finally:
            self._folder.cleanup()

    @initialize(count=st.integers(1, 12), body=bodies)
    def some_have_died(self, count: int, body: str) -> None:
        """Begin with something in the DLQ."""
        self.more_die(count, body)

    @rule(count=st.integers(1, 5), body=bodies)
    def more_die(self, count: int, body: str) -> None:
        """Send messages, and reject them."""
        for _ in range(count):
            self.account.send("orders", self._content(body))
        self.account.reject_sources()

    @rule(limit=limits)
    def list_messages(self, limit: int | None) -> None:
        """Look, and see each message as it was sent."""
        kit = self.account.kit()
        for each in browse.list_messages(kit, self.dlq, limit=limit).messages:
            assert checks.is_copy(each, self.ledger.contents[self.ledger.instances[each.message_id].name])

    @rule(trouble=misfortunes, limit=limits, to=targets, same=st.booleans())
    def redrive(self, trouble: Misfortune, limit: int | None, to: str | None, same: bool) -> None:
        """Send messages back."""
        selection = Selection(body_contains="same") if same else None
        target = self.account.queues[to].arn if to else None
        self._change(lambda kit: redrive.prepare(kit, self.dlq, selection, to=target, limit=limit), trouble)

    @rule(trouble=misfortunes, limit=limits)
    def purge(self, trouble: Misfortune, limit: int | None) -> None:
        """Archive and delete."""
        self.number += 1
        path = self.account.state_dir / f"{self.number}.jsonl"
        self.ledger.archives.append(path)
        self._change(lambda kit: purge.prepare(kit, self.dlq, archive=path, limit=limit), trouble)

    @precondition(lambda self: self.ledger.archives)
    @rule(trouble=misfortunes, index=st.integers(0, 9), to=targets, again=st.booleans())
    def import_archive(self, trouble: Misfortune, index: int, to: str | None, again: bool) -> None:
        """Bring back what a purge has archived."""
        path = self.ledger.archives[index % len(self.ledger.archives)]
        target = self.account.queues[to].arn if to else None
        if path.exists():
            self._change(lambda kit: importing.prepare(kit, path, to=target, again=again), trouble)

    @rule(trouble=misfortunes, body=bodies)
    def send_test_batch(self, trouble: Misfortune, body: str) -> None:
        """Send three test messages."""
        contents = [self._content(body) for _ in range(3)]
        self.ledger.contents |= {each.name: each for each in contents}
        batch = [Message(message_id=f"test-{each.name}", body=body, attributes=each.attributes) for each in contents]
        orders = self.account.queues["orders"].arn
        self._change(lambda kit: testbatch.prepare(kit, orders, messages=batch), trouble)

    @precondition(lambda self: self.runs)
    @rule(trouble=misfortunes, index=st.integers(0, 9))
    def resume(self, trouble: Misfortune, index: int) -> None:
        """Take up a run again."""
        run_id = self.runs[index % len(self.runs)]
        self._change(lambda kit: history.resume(kit, run_id), trouble)

    def _content(self, body: str) -> Content:
        self.number += 1
        return Content(body=body, attributes={NAME: Attribute(type="String", value=f"m{self.number}")})

    def _change(self, prepare: Callable[[Toolkit], AnyRun], misfortune: Misfortune) -> None:
        """Carry out a verb while things go wrong, and check its report."""
        kit = self.account.kit()
        trouble = misfortune.on(reject=self.account.reject_sources, advance=lambda _: None)

        def act() -> Report:
            run = prepare(kit)
            held: Any = run if not isinstance(run, testbatch.TestBatch) else nullcontext()
            with held:
                self.runs.append(run.plan.run_id)
                self.ledger.act = act_of(run)
                return run.execute()

        with troubled(self.account.line, kit, trouble):
            try:
                checks.check_report(self.ledger, act())
            except (Died, sqlite3.ProgrammingError, OpstoolError):
                pass
            finally:
                self.ledger.act = None
        kit.close()


@pytest.mark.parametrize("server", ["local-aws-sqs"])
def test_stories_on_a_server_that_keeps_real_time(server: str) -> None:
    """Nothing is lost, nothing is sent twice uncounted, no run feeds on its returns."""
    opened(server)  # skips where it is not installed, before Hypothesis begins
    bounds = settings(
        max_examples=20 if FULL else 4,
        stateful_step_count=8 if FULL else 5,
        suppress_health_check=list(HealthCheck),
        deadline=None,
        derandomize=not FULL,
        database=None,
    )
    run_state_machine_as_test(ServerQueues, settings=bounds)
