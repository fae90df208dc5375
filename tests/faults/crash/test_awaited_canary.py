"""A process killed while it awaits the outcome of its canary, and the run gone on with."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.crash.shop import Shop, ended

BODIES = [f"a:{number}" for number in range(30)]
CANARY = 5
_WITHIN_S = 30.0
_POLL_S = 0.02


@dataclass(kw_only=True)
class Consumer:
    """Takes what is in the source queue, and remembers it."""

    shop: Shop
    taken: Counter[str] = field(default_factory=Counter)

    def work(self) -> None:
        """Take what can be received now."""
        world = self.shop.world
        while found := world.ask("ReceiveMessage", world.source, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self.taken[message["Body"]] += 1
                world.ask("DeleteMessage", world.source, ReceiptHandle=message["ReceiptHandle"])

    @contextmanager
    def at_work(self, *, after_s: float) -> Iterator[None]:
        """Work for as long as the block lasts, but not at once: a canary that was never seen takes longer to judge."""
        ends = threading.Event()

        def loop() -> None:
            ends.wait(after_s)
            while not ends.wait(_POLL_S):
                self.work()

        thread = threading.Thread(target=loop)
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()
        self.work()


def wait_until(holds: Callable[[], bool]) -> None:
    """Look again and again at what another process does."""
    deadline = time.monotonic() + _WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, "it does not come to this"
        time.sleep(_POLL_S)


def test_a_canary_whose_process_was_killed_is_looked_at_again_by_resume(open_a_shop: Callable[..., Shop]) -> None:
    """It is not sent again; once it is known that none has come back, the rest goes, each message once."""
    shop = open_a_shop(workers=2)
    shop.fill(BODIES)
    task = shop.task("dlq", "redrive", shop.dlq, "--canary", str(CANARY), "--no-reasons", "--yes")
    victim = shop.zygote.start(task)
    wait_until(lambda: sum(shop.left().values()) == len(BODIES) - CANARY)  # each was deleted once it was sent
    victim.signal(signal.SIGKILL)
    assert ended(task, victim).status == -signal.SIGKILL

    assert sum(shop.there().values()) == CANARY
    assert shop.left() + shop.there() == Counter(BODIES)
    [run] = shop.runs()
    assert run.status == "interrupted"
    consumer = Consumer(shop=shop)
    with consumer.at_work(after_s=7.0):
        end = shop.run("resume", run.run_id, "--yes")

    assert end.status == 0, end.err
    assert consumer.taken == Counter(BODIES)
    assert not shop.left()
    assert end.document["possibly_sent_twice"] == 0
    assert end.document["stopped"] is None
