"""Two command lines on one queue: the second is refused while the first lives, and takes over when it is dead."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from opstool.fake import Faults
from tests.faults.crash.points import DELETE, RECEIVE, SEND
from tests.faults.crash.shop import Shop, ended
from tests.faults.crash.zygote import ENVIRONMENT, Victim

BODIES = [f"a:{number} take" for number in range(100)]
_PATIENCE_S = 30


@dataclass(kw_only=True)
class Standstill(Faults):
    """From the n-th request of an operation on nothing is answered until it is over: the first run stands still."""

    operation: str
    number: int
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Hold the request."""
        if operation != self.operation or self.over.is_set():
            return
        with self._lock:
            self.number -= 1
            held = self.number <= 0
        if held:
            self.reached.set()
            self.over.wait(_PATIENCE_S)


@contextmanager
def standing_still(shop: Shop, operation: str, number: int, *argv: str) -> Iterator[Victim]:
    """Start a command line, and let it stand still at a request; go on at the end."""
    shop.world.fake.faults = still = Standstill(operation=operation, number=number)
    first = shop.zygote.start(shop.task(*argv))
    try:
        assert still.reached.wait(_PATIENCE_S)
        yield first
    finally:
        still.over.set()
        shop.world.fake.faults = Faults()


@pytest.fixture
def shop(open_a_shop: Callable[..., Shop]) -> Shop:
    """Open a shop in which a hundred messages have died."""
    shop = open_a_shop(workers=2)
    shop.fill(BODIES)
    return shop


@pytest.mark.parametrize(
    ("operation", "number"), [(RECEIVE, 1), (SEND, 3), (DELETE, 3)], ids=["planning", "sending", "deleting"]
)
def test_a_second_run_is_refused_while_the_first_lives(shop: Shop, operation: str, number: int) -> None:
    """With status 4 and nothing touched, whatever the verb; who only looks at the runs disturbs nobody."""
    redrive = ("dlq", "redrive", shop.dlq, "--yes")
    purge = ("dlq", "purge", shop.dlq, "--confirm", shop.dlq)
    with standing_still(shop, operation, number, *redrive) as first:
        for second in (redrive, purge):
            refused = shop.run(*second)
            assert (refused.status, refused.document["code"]) == (4, "queue_busy")
        shown = shop.run("history").document["runs"]
        if operation != RECEIVE:
            assert [run["status"] for run in shown] == ["running"]
            resumed = shop.run("resume", shown[0]["run_id"], "--yes")
            assert (resumed.status, resumed.document["code"]) == (4, "queue_busy")
    assert first.wait() == 0
    assert (shop.left(), shop.there()) == (Counter(), Counter(BODIES))


def test_a_second_run_is_refused_while_the_first_is_at_its_prompt(shop: Shop) -> None:
    """The plan's messages are held for whoever reads it."""
    argv = [sys.executable, "-m", "opstool", *shop.options(), "dlq", "redrive", shop.dlq]
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env=ENVIRONMENT) as asking:
        os.close(theirs)
        shown = b""
        while not shown.rstrip().endswith(b"[y/N]"):
            shown += os.read(ours, 4096)
        refused = shop.run("dlq", "redrive", shop.dlq, "--yes")
        os.write(ours, b"y\n")
        asking.communicate(timeout=_PATIENCE_S)
    os.close(ours)
    assert (refused.status, refused.document["code"]) == (4, "queue_busy")
    assert asking.returncode == 0
    assert (shop.left(), shop.there()) == (Counter(), Counter(BODIES))


@pytest.mark.parametrize("verb", ["redrive", "resume"])
def test_a_dead_run_is_taken_over(shop: Shop, verb: str) -> None:
    """The operating system gives its lock back; another run or its own resume finishes, and counts the doubt."""
    with standing_still(shop, SEND, 4, "dlq", "redrive", shop.dlq, "--yes") as first:
        first.signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
        [dead] = shop.runs_as_they_are()
        assert dead.status == "interrupted"
    shop.await_leases()
    argv = ("dlq", "redrive", shop.dlq, "--yes") if verb == "redrive" else ("resume", dead.run_id, "--yes")
    second = shop.run(*argv)
    assert second.status == 0, second.err
    there = shop.there()
    assert (shop.left(), there.keys()) == (Counter(), Counter(BODIES).keys())
    assert sum(number > 1 for number in there.values()) <= second.document["possibly_sent_twice"] <= 20


def test_looking_at_the_history_all_the_time_refuses_nobody(shop: Shop) -> None:
    """A dead run, whose lock everybody asks after, while other runs on its queue begin and end."""
    with standing_still(shop, SEND, 2, "dlq", "redrive", shop.dlq, "--yes", "--limit", "20") as first:
        first.signal(signal.SIGKILL)
        first.wait()
    shop.await_leases()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            shop.runs_as_they_are()

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    tasks = [shop.task("dlq", "redrive", shop.dlq, "--dry-run", "--limit", "1") for _ in range(5)]
    ends = [ended(task, shop.zygote.start(task)) for task in tasks]
    over.set()
    for looker in lookers:
        looker.join()
    assert [end.status for end in ends] == [0] * len(ends), [end.out for end in ends]
