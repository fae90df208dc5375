from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from opstool.doors.archive import ArchiveWriter, StreamWriter, read_archive
from opstool.words.document import dump, from_document, message_document
from opstool.words.errors import OpstoolError
from opstool.words.message import Message
from tests.properties.strategies import QUEUE_ARN, hostile_bodies, json_bodies, messages, refusal

batches = st.lists(st.lists(messages(), min_size=1, max_size=3), min_size=1, max_size=4)
names = st.sampled_from(["a.jsonl", "a.jsonl.gz"])


@contextmanager
def folder() -> Iterator[Path]:
    """Give each example a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def write(path: Path, appends: Sequence[Sequence[Message]], *, resume: bool = False) -> list[int]:
    """Append the batches; return the size of the file after each."""
    with ArchiveWriter(path, queue_arn=QUEUE_ARN, archive_id="a", resume=resume) as archive:
        sizes = []
        for batch in appends:
            archive.append(batch)
            sizes.append(path.stat().st_size)
    return sizes


def flat(appends: Sequence[Sequence[Message]]) -> list[Message]:
    """Return the messages of batches."""
    return [message for batch in appends for message in batch]


@given(messages() | messages(bodies=hostile_bodies) | messages(bodies=json_bodies.map(json.dumps)))
def test_every_message_survives_its_document(message: Message) -> None:
    """Body byte for byte, every attribute of every type, whatever it is made of."""
    assert from_document(json.loads(dump(message_document(message)))) == message


@given(batches, names)
def test_every_archive_gives_its_messages_back(appends: list[list[Message]], name: str) -> None:
    """In order, all of them, exactly."""
    with folder() as here:
        write(here / name, appends)
        assert [record.message for record in read_archive(here / name)] == flat(appends)


@settings(max_examples=40)
@given(batches, names, st.data())
def test_a_crash_at_any_byte_loses_nothing_confirmed(
    appends: list[list[Message]], name: str, data: st.DataObject
) -> None:
    """After the resume the archive holds every batch whose append returned, and what is appended then."""
    with folder() as here:
        path = here / name
        sizes = write(path, appends)
        size = data.draw(st.integers(min_value=0, max_value=sizes[-1]), label="bytes on disk")
        path.write_bytes(path.read_bytes()[:size])
        confirmed = flat([batch for batch, end in zip(appends, sizes, strict=True) if end <= size])
        later = data.draw(st.lists(messages(), min_size=1, max_size=2), label="appended later")
        write(path, [later], resume=True)
        read = [record.message for record in read_archive(path)]
        assert read[: len(confirmed)] == confirmed
        assert read[-len(later) :] == later
        # Of a plain batch that was torn, the lines that are whole may stay: they are true copies.
        assert [message for message in read if message in flat(appends)] == flat(appends)[: len(read) - len(later)]


@settings(max_examples=60)
@given(batches, names, st.data())
def test_damage_at_any_byte_never_cuts_a_good_record(
    appends: list[list[Message]], name: str, data: st.DataObject
) -> None:
    """The file is refused and left as it is, or every record that is whole stays."""
    with folder() as here:
        path = here / name
        sizes = write(path, appends)
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(min_value=0, max_value=sizes[-1] - 1), label="place")
        content[place] ^= data.draw(st.integers(min_value=1, max_value=255), label="flip")
        path.write_bytes(content)
        start_of_last = content.rfind(b"\n", 0, -1) + 1 if name.endswith("l") else ([0, *sizes])[-2]
        try:
            write(path, [], resume=True)
        except OpstoolError:
            assert path.read_bytes() == content
        else:
            assert path.stat().st_size >= start_of_last


@given(st.lists(messages(), min_size=1, max_size=6), st.data())
def test_every_part_of_an_archive_has_the_same_records(batch: list[Message], data: st.DataObject) -> None:
    """Lines taken out, put in another order or doubled are known by the same archive and record ids."""
    stream = io.BytesIO()
    StreamWriter(stream, queue_arn=QUEUE_ARN, archive_id="a").append(batch)
    whole = {(each.archive_id, each.record_id): each.message for each in read_archive(io.BytesIO(stream.getvalue()))}
    lines = data.draw(st.lists(st.sampled_from(stream.getvalue().splitlines(keepends=True)), max_size=8))
    for record in read_archive(io.BytesIO(b"".join(lines))):
        assert whole[record.archive_id, record.record_id] == record.message


@given(st.binary(max_size=200) | json_bodies.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_archive_or_a_usage_error(content: bytes) -> None:
    """Files that people hand over by mistake are refused, never half read."""
    assert refusal(lambda: list(read_archive(io.BytesIO(content)))).replace("\n", "").isprintable()
