"""What the plan of a watched run says before it begins: how long it takes until it is known what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opstool.engine.following.destination import COUNTS_SETTLE_S, Destination
from opstool.words.watching import Watching


def prospect(watching: Watching, destinations: Sequence[Destination], *, canary: int, count: int) -> Mapping[str, str]:
    """Return facts for the plan: what goes first, what ends the run, and for how long it will be followed."""
    slowest = max(destinations, key=lambda each: each.bound_s, default=None)
    facts = {}
    if watching.canary is not None and slowest is not None:
        wait_s = slowest.bound_s if watching.canary_wait_s is None else watching.canary_wait_s
        awaited = f"their outcome is awaited for up to {wait_s:,.0f} s{_short(slowest, wait_s)}"
        facts["canary"] = f"{canary:,} of {count:,} go first; {awaited}"
    if watching.stop_on_returned is not None:
        facts["stops"] = f"when more than {watching.stop_on_returned:g} % of what was sent has come back"
    if watching.wait and slowest is not None:
        facts["waits"] = f"for the outcome, up to {slowest.bound_s:,.0f} s after the last send ({_formula(slowest)})"
    return facts


def warnings(
    watching: Watching, destinations: Sequence[Destination], *, count: int, rate: float | None, is_fifo: bool
) -> tuple[str, ...]:
    """Return notes on what watching cannot do here."""
    notes = []
    slowest_s = max((each.tries_s for each in destinations), default=0.0)
    if watching.stop_on_returned is not None and (rate is None or count / rate < slowest_s):
        notes.append(
            f"a message that fails again is back after {slowest_s:,.0f} s, and by then everything may have been sent: "
            "--rate spreads it, --canary looks before"
        )
    if watching.holds_everything and is_fifo:
        notes.append(
            "a FIFO queue shows nothing of a group of which some is held: the rest is released while the canary is "
            "awaited"
        )
    if any(each.dlq_arn is None for each in destinations) and (watching.wait or watching.holds_everything):
        notes.append(
            "a target without a dead-letter queue gives nothing back: its messages are tried until they expire"
        )
    return tuple(notes)


def _formula(slowest: Destination) -> str:
    receives = slowest.max_receive_count or 1
    delay = f"delay {slowest.delay_s} s + " if slowest.delay_s else ""
    return f"{delay}visibility timeout {slowest.visibility_timeout_s} s x {receives} receives + {COUNTS_SETTLE_S} s"


def _short(slowest: Destination, wait_s: float) -> str:
    """Say so when the wait is shorter than a message may need to come back."""
    if wait_s >= slowest.tries_s:
        return ""
    return f", and one that fails may need {slowest.bound_s:,.0f} s ({_formula(slowest)})"
