from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from opstool.engine.adaptive import Gate
from opstool.fake import FailCalls, Faults, throttled
from opstool.verbs import redrive
from opstool.words.report import Status
from tests.world import World


def rounds(gate: Gate, *, workers: int, refused: int = 0) -> None:
    """Let so many workers ask at the same time; the first of them are refused."""
    with ExitStack() as together:
        turns = [together.enter_context(gate.turn()) for _ in range(workers)]
        for turn in turns[:refused]:
            turn.heard("throttled")


def test_everybody_may_ask_until_sqs_throttles() -> None:
    """Nothing is known of a bound before."""
    gate = Gate()
    rounds(gate, workers=8)
    assert (gate.allowed, gate.notes()) == (math.inf, ())


def test_one_round_of_refusals_halves_it_once() -> None:
    """All eight were refused for the same reason."""
    gate = Gate()
    rounds(gate, workers=8, refused=8)
    assert gate.allowed == 4
    rounds(gate, workers=4, refused=1)
    assert gate.allowed == 2


def test_there_is_always_a_place_for_one() -> None:
    """Or nobody would find out that it is better."""
    gate = Gate()
    rounds(gate, workers=2, refused=2)
    for _ in range(5):
        rounds(gate, workers=1, refused=1)
    assert gate.allowed == 1


def test_a_round_of_answers_adds_one_up_to_all() -> None:
    """Slowly up: 4 answers to 5, 5 more to 6, and never above what there is."""
    gate = Gate()
    rounds(gate, workers=8, refused=1)
    allowed = []
    for _ in range(30):
        rounds(gate, workers=1)
        allowed.append(gate.allowed)
    assert allowed == sorted(allowed)
    assert [allowed.count(places) for places in (4, 5, 6, 7)] == [3, 5, 6, 7]
    assert allowed[-1] == 8


def asked_for(seconds: int, *, workers: int, bound: int, gate: Gate | None) -> tuple[int, int]:
    """Let every worker that may do so ask an SQS with a bound once a second; return how many it took and refused."""
    taken = refused = 0
    for _ in range(seconds):
        asking = workers if gate is None else int(min(workers, gate.allowed))
        too_many = max(0, asking - bound)
        if gate is not None:
            rounds(gate, workers=asking, refused=too_many)
        taken, refused = taken + asking - too_many, refused + too_many
    return taken, refused


@pytest.mark.parametrize("bound", [1, 2, 3, 5, 7])
def test_far_fewer_are_refused_and_most_of_what_sqs_takes_is_used(bound: int) -> None:
    """What the gate is for: without it everything above the bound is refused, second after second."""
    most, refused = asked_for(1_000, workers=8, bound=bound, gate=None)
    assert (most, refused) == (1_000 * bound, 1_000 * (8 - bound))
    gate = Gate()
    taken, refused = asked_for(1_000, workers=8, bound=bound, gate=gate)
    assert taken >= 0.7 * most
    assert refused <= 510
    assert gate.notes()[0].startswith(f"SQS throttled {refused:,} times")


def test_a_gate_opens_again_when_sqs_takes_everything() -> None:
    """A bad minute, and then all of them ask again within another."""
    gate = Gate()
    asked_for(60, workers=8, bound=1, gate=gate)
    assert gate.allowed < 3
    asked_for(60, workers=8, bound=8, gate=gate)
    assert gate.allowed == 8


def test_one_worker_is_told_of_without_the_others() -> None:
    """A FIFO queue has one; "of 1 workers" says nothing."""
    gate = Gate()
    rounds(gate, workers=1, refused=1)
    assert gate.notes() == ("SQS throttled once",)
    rounds(gate, workers=1, refused=1)
    assert gate.notes() == ("SQS throttled 2 times",)


@pytest.mark.parametrize("code", ["aws_error", "no_answer", "over_limit"])
def test_other_errors_do_not_count(code: str) -> None:
    """They say nothing of too much."""
    gate = Gate()
    with gate.turn() as turn:
        turn.heard(code)
    assert gate.allowed == math.inf


def test_whoever_waits_gets_in_when_a_place_is_free() -> None:
    """Also when the one before ends with an error; a thread that never got in would hang here."""
    gate = Gate()
    rounds(gate, workers=2, refused=1)
    inside, most, lock = Counter[str](), [0], threading.Lock()

    def ask() -> None:
        for _ in range(50):
            with suppress(ValueError), gate.turn() as turn:
                turn.heard("throttled")
                with lock:
                    inside["now"] += 1
                    most[0] = max(most[0], inside["now"])
                with lock:
                    inside["now"] -= 1
                raise ValueError

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not any(thread.is_alive() for thread in threads)
    assert most[0] == 1


@pytest.mark.parametrize("operation", ["ReceiveMessage", "SendMessageBatch"])
def test_the_report_says_that_sqs_throttled(world: World, operation: str) -> None:
    """Everything is moved all the same."""
    bodies = [f"body {number}" for number in range(120)]
    world.die(bodies)
    with redrive.prepare(world.kit(workers=4), world.dlq.arn) as run:
        world.fake.faults = FailCalls(operation, throttled(operation), calls=range(1, 4))
        report = run.execute()
    assert (report.status, report.counts.succeeded) == (Status.DONE, 120)
    assert [each for each in report.notes if each.startswith("SQS throttled 3 times")]
    assert sorted(world.bodies(world.source)) == sorted(bodies)


def test_a_stop_while_sqs_throttles_ends_the_run(world: World) -> None:
    """Nobody waits at the gate for somebody who has left."""
    world.die([f"body {number}" for number in range(60)])
    kit = world.kit(workers=4)

    class Throttling(Faults):
        seen = 0

        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch":
                self.seen += 1
                if self.seen == 5:
                    kit.stop.set()
                raise throttled(operation)

    with redrive.prepare(kit, world.dlq.arn) as run:
        world.fake.faults = Throttling()
        report = run.execute()
    assert report.status is Status.INTERRUPTED
    assert report.counts.succeeded == 0
