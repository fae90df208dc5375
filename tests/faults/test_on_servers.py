"""Every pair of server, fault, rate, kind of queue, errand and lane, for real: HTTP, and a proxy with the faults.

In the bounded part the lane is one more factor; where everything runs, each case is played over both.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.faults import scale
from tests.faults.errands import ERRANDS
from tests.faults.kinds import KINDS, Kind, Together
from tests.faults.on_server import MESSAGES, Stage, open_server
from tests.faults.pairs import Case, Exclusion, pairwise
from tests.faults.results import RecordRun
from tests.lanes import LANES
from tests.servers import SERVERS, Server

SUITE = "On servers, over both lanes and a proxy that commits the faults"
SEED = int(os.environ.get("SEED", "1"))
ROUNDS = 3 if scale.FULL else 1
"""In each round the rates have moved on by one: after three, each pair of fault and errand has met all of them."""
CASES_AT_ONCE = 12
"""A case mostly waits."""

EXCLUSIONS = (
    Exclusion(
        one=("server", "local-aws-sqs"),
        other=("queue", "FIFO"),
        reason="it does not lock a group of which a message is in flight, so a lost answer breaks the order",
    ),
    Exclusion(
        one=("kind", "delivered again"),
        other=("queue", "FIFO"),
        reason="a FIFO queue does not deliver a message that is in flight",
    ),
    Exclusion(
        one=("server", "localstack"),
        other=("kind", "expired receipt handles"),
        reason="it says yes to a delete with a handle that it has never given, and deletes nothing; AWS refuses it",
    ),
)
FACTORS = {
    "server": list(SERVERS),
    "kind": [*(each.name for each in KINDS), Together.name],
    "rate": ["1 %", "10 %", "50 %"],
    "queue": ["standard", "FIFO"],
    "errand": [each.name for each in ERRANDS],
    "lane": list(LANES),
}


@cache
def cases(turn: int) -> list[Case]:
    """Return the cases of one round, of all servers."""
    rates = FACTORS["rate"]
    chosen = pairwise({**FACTORS, "rate": [*rates[turn:], *rates[:turn]]}, EXCLUSIONS)
    return [{**case, "lane": lane} for case in chosen for lane in (LANES if scale.FULL else (case["lane"],))]


def kinds_of(case: Case) -> list[type[Kind]]:
    """Return the kinds of fault of a case; of all together, those that may strike there."""
    if case["kind"] != Together.name:
        return [each for each in KINDS if each.name == case["kind"]]
    alone = ((each, {**case, "kind": each.name}) for each in KINDS)
    return [each for each, case in alone if not any(exclusion.forbids(case) for exclusion in EXCLUSIONS)]


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a case has come to."""

    strikes: int
    doubled: int
    told: int
    failure: Exception | None


def played(case: Case, server: Server, folder: Path, seed: int) -> Played:
    """Play one case."""
    folder.mkdir()
    stage, failure = None, None
    try:
        with ExitStack() as undo:
            stage = Stage(
                server=server,
                lane=case["lane"],
                fifo=case["queue"] == "FIFO",
                errand_type=next(each for each in ERRANDS if each.name == case["errand"]),
                kinds=kinds_of(case),
                rate=int(case["rate"].split()[0]) / 100,
                seed=seed,
                folder=folder,
                undo=undo,
            )
            stage.play()
    except Exception as error:  # noqa: BLE001 - raised again with those of the other cases
        error.add_note(f"{', '.join(case.values())}; seed {seed}")
        failure = error
    if stage is None:
        return Played(strikes=0, doubled=0, told=0, failure=failure)
    return Played(
        strikes=stage.faults.strikes,
        doubled=stage.accepted.doubled,
        told=len(stage.errand.told),
        failure=failure,
    )


@pytest.mark.parametrize("name", SERVERS)
def test_the_promises_are_kept_on_the_wire(name: str, tmp_path: Path, record_run: RecordRun) -> None:
    """Nothing lost, nothing sent twice uncounted, the counts add up, the status is true, and it ends."""
    server = open_server(name)
    mine = [(case, SEED + turn) for turn in range(ROUNDS) for case in cases(turn) if case["server"] == name]

    def play(number: int) -> Played:
        case, seed = mine[number]
        return played(case, server, tmp_path / str(number), seed)

    try:
        with ThreadPoolExecutor(CASES_AT_ONCE) as pool:
            done = list(pool.map(play, range(len(mine))))
    finally:
        server.close()
    strikes = sum(each.strikes for each in done)
    record_run(
        SUITE,
        name,
        messages=MESSAGES * len(done),
        runs=len(done),
        strikes=strikes,
        doubled=sum(each.doubled for each in done),
        counted=sum(each.told for each in done),
        seeds=", ".join(str(SEED + turn) for turn in range(ROUNDS)),
    )
    failures = [each.failure for each in done if each.failure]
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(done)} cases on {name}", failures)
    assert strikes, "nothing was made to fail"
