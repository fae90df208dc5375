"""How much of the fault suites runs: a bounded part that CI can wait for, or all of it (`make faults`)."""

from __future__ import annotations

import os
from itertools import cycle, product

from tests.lanes import LANES

FULL = os.environ.get("FAULTS") == "full"
"""Whether everything runs; otherwise a part of at most eight minutes on two cores."""
MESSAGES = 1_000 if FULL else 200
"""Messages in a run on the fake."""
CRASHES = int(os.environ.get("CRASHES", "400" if FULL else "200"))
"""Seeds of the crash suite: each is one process that is killed, and resumed twice."""


def over_lanes(*names: str) -> list[tuple[str, str]]:
    """Return servers with lanes: each over both where everything runs, and else over one or the other in turn."""
    return list(product(names, LANES)) if FULL else list(zip(names, cycle(LANES), strict=False))
