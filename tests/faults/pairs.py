"""Few cases that hold every pair: whatever two values break something together, some case has both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

Value = tuple[str, str]
"""A factor and one of its values."""
Case = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """Two values that are not tried together, and why."""

    one: Value
    other: Value
    reason: str

    def forbids(self, case: Case) -> bool:
        """Tell whether a case has both."""
        return {self.one, self.other} <= set(case.items())


def pairs_of(case: Case) -> set[tuple[Value, Value]]:
    """Return every pair of values that a case has, in the order of its factors."""
    return set(combinations(case.items(), 2))


def pairwise(factors: Mapping[str, Sequence[str]], exclusions: Collection[Exclusion] = ()) -> list[Case]:
    """Return cases that hold every pair that any allowed case holds: each time the one with the most that are new.

    Of equally good ones that with the values least used so far, then the first: the same factors always give the same
    cases.
    """
    every = [dict(zip(factors, values, strict=True)) for values in product(*factors.values())]
    allowed = [(case, pairs_of(case)) for case in every if not any(each.forbids(case) for each in exclusions)]
    missing = set[tuple[Value, Value]]().union(*(pairs for _, pairs in allowed))
    cases: list[Case] = []
    uses = Counter[Value]()
    while missing:
        case, pairs = max(
            allowed, key=lambda each: (len(each[1] & missing), -sum(map(uses.__getitem__, each[0].items())))
        )
        cases.append(case)
        uses.update(case.items())
        missing -= pairs
    return cases
