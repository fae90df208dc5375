"""JMESPath expressions as Hypothesis makes them: every form of the language, over documents that they can look into."""

from __future__ import annotations

import json

from hypothesis import strategies as st

NAMES = ("a", "b", "key")

numbers = st.sampled_from([0, 1, -1, 2, 10**40, 0.0, 1.0, 1.5])
texts = st.sampled_from(["", "a", "b", "12", "x" * 20])
leaves = st.none() | st.booleans() | numbers | texts


def _within(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    alike = st.lists(numbers, max_size=4) | st.lists(texts, max_size=4)
    return alike | st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)


values = st.recursive(leaves, _within, max_leaves=10)
documents = st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=3)

_OF_ONE = ["abs", "avg", "ceil", "floor", "keys", "length", "max", "min", "reverse", "sort", "sum", "to_array"]
_OF_ONE += ["to_number", "to_string", "type", "values"]
_OF_TWO = ["contains", "ends_with", "join", "merge", "not_null", "starts_with"]
_FORMS_OF_ONE = ["({}).*", "({})[]", "({})[*]", "({})[0]", "({})[-2]", "({})[1:]", "({})[::-1]", "({})[::0]"]
_FORMS_OF_ONE += ["!({})", "({})[*].a", "({}).*.b", "({})[].key", "({})[:2].a", "({}).a.b", "({}).[a, @]"]
_FORMS_OF_ONE += ["({}).{{key: b, a: a, key: @}}", *(f"{name}({{}})" for name in _OF_ONE)]
_FORMS_OF_TWO = ["({}) || ({})", "({}) && ({})", "({}) | ({})", "[{}, {}]", "{{b: {}, a: {}}}", "({})[?{}]"]
_FORMS_OF_TWO += ["({})[?{}].a", "({})[*].[{}]", "map(&({1}), {0})", *(f"{name}({{}}, {{}})" for name in _OF_TWO)]
_FORMS_OF_TWO += [f"({{}}) {sign} ({{}})" for sign in ("==", "!=", "<", "<=", ">", ">=")] * 2
_FORMS_OF_TWO += [f"{name}({{0}}, &({{1}}))" for name in ("sort_by", "min_by", "max_by")]


def expressions(names: tuple[str, ...] = NAMES) -> st.SearchStrategy[str]:
    """Return expressions that ask for these names, most of which have a value on one document or another."""
    fields = st.sampled_from(names)
    ends = fields | st.sampled_from(["@", "*"]) | values.map(lambda value: f"`{json.dumps(value)}`")

    def longer(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        one = st.builds(str.format, st.sampled_from(_FORMS_OF_ONE), inner)
        return one | st.builds(str.format, st.sampled_from(_FORMS_OF_TWO), inner, inner)

    return st.recursive(fields | ends, longer, max_leaves=6)
