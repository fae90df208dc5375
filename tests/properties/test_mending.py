"""Whatever a body holds, a mending changes what was asked for and no more; whatever goes wrong, nothing is lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from opstool.doors.archive import read_archive
from opstool.fake import Faults
from opstool.verbs import history, redrive
from opstool.words import exactjson
from opstool.words.bodydiff import LONGEST_VALUE, MOST_DIFFERENCES, change_of
from opstool.words.bodypath import Step, parse_setting, path_text
from opstool.words.mending import Mending, NotMended
from opstool.words.report import Report, Status
from tests.faults.promises import check_counts, check_status
from tests.properties.strategies import admitted_characters, hostile_bodies, messages
from tests.properties.test_conservation import EXAMPLES, Case, cases, situation
from tests.world import Accepted, World

MARKED = Mending(transform="join('', [body, '!'])")
"""Changes every body of the conservation tests, and can be told from them."""

keys = st.text(admitted_characters, max_size=4) | st.sampled_from(["a.b", '"', "[0]", "a=b", "\\"])
_digits = st.integers(0, 10**30).map(str)
numbers = st.one_of(
    st.integers().map(str),
    st.builds("{}.{}".format, st.integers(-99, 99), _digits),
    st.builds("{}e{}".format, st.integers(-9, 9), st.integers(-500, 500)),
    st.just("-0"),
)


def _written(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts of arrays and objects with these texts in them, laid out in some way."""
    blank = st.sampled_from(["", " ", "\n  "])
    arrays = st.builds(lambda items, space: f"[{f',{space}'.join(items)}]", st.lists(inner, max_size=3), blank)
    pairs = st.dictionaries(keys, inner, max_size=3)
    return arrays | st.builds(
        lambda found, space: (
            f"{{{f',{space}'.join(f'{json.dumps(key)}:{space}{text}' for key, text in found.items())}}}"
        ),
        pairs,
        blank,
    )


leaves = numbers | st.sampled_from(["null", "true", "false"]) | st.text(max_size=6).map(json.dumps)
json_texts = st.recursive(leaves, _written, max_leaves=10)
bodies = _written(json_texts)


@st.composite
def places(draw: st.DrawFn, body: Any) -> tuple[Step, ...]:
    """Choose a place in a body: one that is there, or one that can be made."""
    steps: list[Step] = []
    place = body
    while True:
        if isinstance(place, list):
            index = draw(st.integers(0, len(place)))
            steps.append(index)
            place = place[index] if index < len(place) else {}
        elif isinstance(place, dict):
            key = draw(st.sampled_from(sorted(place)) | keys if place else keys)
            steps.append(key)
            place = place.get(key, {})
        if not isinstance(place, dict | list) or not draw(st.booleans()):
            return tuple(steps)


def at(value: Any, steps: tuple[Step, ...]) -> Any:
    """Return what stands at a place."""
    for step in steps:
        value = value[step]
    return value


def leaves_of(value: Any, steps: tuple[Step, ...] = ()) -> Iterator[tuple[tuple[Step, ...], str]]:
    """Yield everything in a value that holds nothing else, as it is written, with its place and in its order."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    held = list(inner)
    if not held:
        yield steps, exactjson.write(value)
    for step, each in held:
        yield from leaves_of(each, (*steps, step))


@given(st.data(), bodies, json_texts | st.builds("text {}".format, keys))
def test_what_was_set_is_read_back_and_the_rest_is_as_it_was(data: st.DataObject, body: str, value: str) -> None:
    """Numbers to their last digit, keys in their order."""
    before = exactjson.read(body)
    steps = data.draw(places(before))
    setting = parse_setting(f"{path_text(steps)}={value}")
    assert setting.steps == steps
    after = exactjson.read(body)
    setting.apply(after)
    again = exactjson.read(exactjson.write(after))
    try:
        expected = exactjson.write(exactjson.read(value))
    except ValueError:
        expected = exactjson.write(value)
    assert exactjson.write(at(again, steps)) == expected
    beside = [each for each in leaves_of(before) if steps[: len(each[0])] != each[0][: len(steps)]]
    assert [each for each in leaves_of(again) if each[0][: len(steps)] != steps] == beside


@given(messages(bodies), st.sampled_from(["kind=fine", "body[0]=1", "a.b=2"]))
def test_a_mended_copy_differs_in_its_body_alone(message: Any, setting: str) -> None:
    """Attributes, group, trace header, ids and times stay."""
    found = Mending(sets=(setting,)).apply(message)
    if isinstance(found, NotMended):
        return
    for name in ("message_id", "attributes", "group_id", "trace_header", "sent_at_ms", "source_arn"):
        assert getattr(found, name) == getattr(message, name)
    assert found.is_intact


@given(messages(hostile_bodies | bodies), st.sampled_from(["@", "body", "[body, body]", "to_string(@)", "body.*"]))
def test_no_body_makes_a_mending_fail(message: Any, transform: str) -> None:
    """It is mended, or it is said why not; and what is mended twice is mended in the same way."""
    mending = Mending(transform=transform)
    assert mending.apply(message) == mending.apply(message)


@given(bodies | hostile_bodies, bodies | hostile_bodies)
def test_a_difference_is_there_when_bodies_differ_and_is_short(before: str, after: str) -> None:
    """Bounded in number and length."""
    change = change_of("id", before, after)
    assert len(change.differences) <= MOST_DIFFERENCES
    for each in change.differences:
        assert max(len(each.path), len(each.before or ""), len(each.after or "")) <= LONGEST_VALUE + 6
    assert not change.differences or before != after


def _execute(world: World, run: Any, accepted: Accepted, case: Case, kit: Any) -> Report:
    world.fake.faults = accepted
    accepted.stop_after(case.stop_after, kit.stop)
    report: Report = run.execute()
    world.fake.faults = Faults()
    return report


@settings(max_examples=EXAMPLES)
@given(cases())
def test_a_mending_redrive_loses_nothing_and_keeps_every_original(case: Case) -> None:
    """Each message is in the DLQ as it was, or at the source mended, and then its original is archived, once."""
    with situation(case) as (world, accepted, ids, _):
        kit = world.kit(workers=case.workers)
        selection = case.selection(ids)
        with redrive.prepare(
            kit, world.dlq.arn, selection, limit=case.limit, uncertain=case.uncertain, mending=MARKED
        ) as run:
            reports = [_execute(world, run, accepted, case, kit)]
        if reports[0].status is Status.INTERRUPTED:
            world.clock.advance(60)
            with history.resume(world.kit(workers=case.workers), str(reports[0].run_id)) as again:
                world.fake.faults = accepted
                reports.append(again.execute())
                world.fake.faults = Faults()
        for report in reports:
            check_counts(report)
            check_status(report)
        left, there = Counter(world.bodies(world.dlq)), accepted.copies
        assert Counter(world.bodies(world.source)) == there
        archive = Path(str(reports[-1].archive))
        kept = Counter(record.message.body for record in read_archive(archive)) if archive.exists() else Counter()
        assert not kept or set(kept.values()) == {1}
        for body in case.bodies:
            assert left[body] + there[f"{body}!"] >= 1, f"{body} is lost"
            assert there[body] == 0, f"{body} was sent as it was"
            assert there[f"{body}!"] == 0 or (kept[body] == 1 and case.is_chosen(body))
        assert accepted.doubled <= reports[-1].possibly_sent_twice
        if reports[-1].status is Status.DONE:
            assert not any(left[body] for body in kept)
