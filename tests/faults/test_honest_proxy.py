"""An honest proxy: whatever is asked, with it and without it the same is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opstool.fake import FakeClock, FakeSqs
from tests.faults.line import URL, Line, open_line
from tests.lanes import LANES

texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z")), min_size=1, max_size=20)
attributes = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.one_of(
        texts.map(lambda value: {"DataType": "String", "StringValue": value}),
        st.integers().map(lambda value: {"DataType": "Number.label", "StringValue": str(value)}),
        st.binary(min_size=1, max_size=20).map(lambda value: {"DataType": "Binary", "BinaryValue": value}),
    ),
    max_size=3,
)
sends = st.lists(st.tuples(texts, attributes), min_size=1, max_size=10)
acts = st.lists(
    st.one_of(
        sends.map(lambda messages: ("send", messages)),
        st.sampled_from([("receive", 10), ("receive", 3), ("hide", 1), ("show", 0), ("delete", 0), ("look", 0)]),
    ),
    min_size=1,
    max_size=8,
)


def request_of(act: str, value: Any, handles: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the request of one act; `handles` are those of the last receive, and one that nobody gave."""
    if act == "send":
        entries = [
            {"Id": str(index), "MessageBody": body, "MessageAttributes": given}
            for index, (body, given) in enumerate(value)
        ]
        return "SendMessageBatch", {"Entries": entries}
    if act == "receive":
        names = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
        return "ReceiveMessage", {"MaxNumberOfMessages": value, **names}
    if act == "look":
        return "GetQueueAttributes", {"AttributeNames": ["All"]}
    entries = [{"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate([*handles, "nobody's"])]
    if act == "delete":
        return "DeleteMessageBatch", {"Entries": entries[-10:]}
    return "ChangeMessageVisibilityBatch", {"Entries": [{**each, "VisibilityTimeout": value} for each in entries[-10:]]}


def tell(call: Callable[[str, dict[str, Any]], dict[str, Any]], story: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Return what is answered to one act after the other."""
    answers, handles = list[dict[str, Any]](), list[str]()
    for act, value in story:
        operation, request = request_of(act, value, handles)
        answer = call(operation, {"QueueUrl": URL, **request})
        answers.append({name: each for name, each in answer.items() if name != "ResponseMetadata"})
        if operation == "ReceiveMessage":
            handles = [each["ReceiptHandle"] for each in answer.get("Messages", [])]
    return answers


@pytest.fixture(scope="module", params=[LANES, LANES[::-1]], ids=" and ".join)
def two_lines(request: pytest.FixtureRequest) -> Iterator[tuple[Line, Line]]:
    """Open two lines to two fakes that begin alike, one over each lane; a client of the first goes past its proxy."""
    fakes = [FakeSqs(FakeClock()) for _ in LANES]
    with open_line(fakes[0], request.param[0]) as first, open_line(fakes[1], request.param[1]) as second:
        yield first, second


@settings(max_examples=20, deadline=None)
@given(story=acts)
def test_an_honest_proxy_changes_nothing(two_lines: tuple[Line, Line], story: list[tuple[str, Any]]) -> None:
    """Whatever is asked, with it and without it, and over both lanes, the same is answered: two fakes of one seed."""
    straight, through = two_lines
    assert tell(straight.past_the_proxy.sqs_call, story) == tell(through.session.sqs_call, story)
    assert straight.depths() == through.depths()
