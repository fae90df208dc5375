"""The choice of cases: every pair is there, with few cases, and always the same."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.pairs import Exclusion, Value, pairs_of, pairwise

values = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)
factor_sets = st.dictionaries(st.sampled_from(["one", "two", "three", "four"]), values, min_size=2)


@given(factors=factor_sets, data=st.data())
def test_every_pair_that_is_allowed_is_in_a_case(factors: dict[str, list[str]], data: st.DataObject) -> None:
    """Also when some are excluded: then no case has those, and every other pair that can be is there."""
    one, other = list(factors)[:2]
    forbidden = data.draw(st.sets(st.sampled_from(list(product(factors[one], factors[other])))))
    exclusions = [Exclusion(one=(one, a), other=(other, b), reason="") for a, b in forbidden]
    cases = pairwise(factors, exclusions)
    everything = [dict(zip(factors, each, strict=True)) for each in product(*factors.values())]
    allowed = [each for each in everything if (each[one], each[other]) not in forbidden]
    assert all(case in allowed for case in cases)
    assert set().union(*map(pairs_of, cases)) == set().union(*map(pairs_of, allowed))


@given(factors=factor_sets)
def test_no_case_is_there_for_nothing(factors: dict[str, list[str]]) -> None:
    """Each holds a pair that those before it do not."""
    seen = set[tuple[Value, Value]]()
    for case in pairwise(factors):
        assert pairs_of(case) - seen
        seen |= pairs_of(case)


def test_the_cases_are_few_and_always_the_same() -> None:
    """Close to the product of the two longest factors, which is the least there can be."""
    factors = {name: [str(each) for each in range(size)] for name, size in {"a": 5, "b": 12, "c": 3, "d": 2}.items()}
    cases = pairwise(factors)
    assert 60 <= len(cases) <= 66
    assert cases == pairwise(factors)
