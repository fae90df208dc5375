"""What is put on a shelf comes back equal, whatever an emulator may give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opstool.doors.shelf import Shelf
from opstool.words.message import Attribute, Message
from tests.properties.strategies import attribute_sets, messages

any_text = st.text(st.characters())  # lone surrogates too
hostile = st.builds(
    Message,
    message_id=any_text,
    body=any_text,
    attributes=attribute_sets
    | st.dictionaries(any_text, st.builds(Attribute, type=any_text, value=any_text | st.binary()), max_size=3),
    sent_at_ms=st.integers(min_value=0, max_value=2**62),
    first_received_at_ms=st.none() | st.integers(),
    receive_count=st.integers(min_value=0),
    source_arn=st.none() | any_text,
    group_id=st.none() | any_text,
    deduplication_id=st.none() | any_text,
    trace_header=st.none() | any_text,
    md5_of_body=st.none() | any_text,
    md5_of_attributes=st.none() | any_text,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_messages=st.lists(st.tuples(messages() | hostile, any_text), min_size=1, max_size=8),
    room=st.sampled_from([1, 300, 100_000]),
)
def test_a_message_comes_back_from_the_shelf_as_it_was(
    given_messages: list[tuple[Message, str]], room: int, tmp_path: Path
) -> None:
    """Every field and every type, bytes and None among them, in memory and from the file."""
    shelf = Shelf(tmp_path, room_bytes=room)
    places = [shelf.put(message, handle) for message, handle in given_messages]
    back = [(shelf.get(place), shelf.handle(place)) for place in places]
    assert back == given_messages
    assert [replace(message) for message, _ in back] == [message for message, _ in given_messages]
    assert [shelf.sent_at_ms(place) for place in places] == [message.sent_at_ms for message, _ in given_messages]
