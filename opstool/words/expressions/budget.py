"""What one evaluation of JMESPath may take: no expression and no body can have more time or memory than it allows.

jmespath itself has no bound, and short expressions can ask for very much: `[@, @]` piped into itself thirty times
names a thousand million values without holding them, until a function or a comparison walks over all of them. So every
node that is visited costs a step, and whatever walks over a value is paid for by the size of that value before it runs.
"""

from __future__ import annotations

from typing import Any

MOST_STEPS = 2_000_000
"""About two seconds, and some 300 MB at the very worst; what people write costs tens of steps a message."""
# How much of a value a step pays for: what is written out may be twelve times as long as it was, and the digits of a
# number cost time by their square.
CHARACTERS_A_STEP = 8
_BITS_A_STEP = 128
_HOLDERS = (list, dict)  # not list | dict where it is used, which would be made anew each time


class OverBudgetError(Exception):
    """The evaluation would take more than its steps."""


class Budget:
    """The steps that are `left` to one evaluation; OverBudgetError instead of going beyond them."""

    __slots__ = ("left",)

    def __init__(self, most_steps: int = MOST_STEPS) -> None:
        self.left = most_steps

    def spend(self, steps: int) -> None:
        """Take so many steps."""
        self.left -= steps
        if self.left < 0:
            raise OverBudgetError

    def pay_for(self, value: Any) -> None:
        """Spend what it costs to walk a value, leaf by leaf; one that stands in it twice counts twice."""
        steps = 0
        if isinstance(value, str):
            steps = len(value) // CHARACTERS_A_STEP
        elif isinstance(value, int):
            steps = value.bit_length() // _BITS_A_STEP
        elif isinstance(value, _HOLDERS):
            self._pay_for_all(value)
        if steps:
            self.spend(steps)

    def _pay_for_all(self, value: list[Any] | dict[str, Any]) -> None:
        """Pay for what holds others, and for each before it is looked into: it may be deep, and as good as endless."""
        unpaid: list[Any] = [value]
        while unpaid:
            inner = unpaid.pop()
            if isinstance(inner, list):
                self.spend(len(inner))
                unpaid.extend(inner)
            elif isinstance(inner, dict):
                self.spend(len(inner) + sum(map(len, inner)) // CHARACTERS_A_STEP)
                unpaid.extend(inner.values())
            else:
                self.pay_for(inner)
