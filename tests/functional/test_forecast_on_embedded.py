"""The plan's forecast with the shipped template on the embedded AWS."""

from __future__ import annotations

from opstool.verbs import redrive
from tests.functional.conftest import Deployed


def test_the_shipped_template_bounds_how_long_its_consumer_needs(deployed: Deployed) -> None:
    """MaximumConcurrency 10, batches of 10, a timeout of 1 s; moto has no durations, so it is at most that."""
    deployed.send(*({"poison": str(number)} for number in range(3)))
    deployed.wait_for(0, 3)
    with redrive.prepare(deployed.kit, deployed.dlq) as run:
        told = run.plan.facts["consumer"]
    assert told.startswith("at most 1s for 3 messages (10 at once, 1 s a batch of 10: the timeout of ")
