"""Whatever a message holds, its copy is exact or its original stays, whoever lies: target, source or the way there."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opstool.doors.archive import read_archive
from opstool.doors.wire import Outgoing, entry_of
from opstool.fake import Faults
from opstool.fake.stored import StoredMessage
from opstool.verbs import export, importing, purge, redrive
from opstool.words.errors import OpstoolError
from opstool.words.message import Attribute, Message, md5_of_attributes, md5_of_body
from opstool.words.report import Report, Status
from tests.properties.strategies import messages
from tests.world import World, make_world

EXAMPLES = 60
TRACE_HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
ODD = Message(
    message_id="-",
    body=' e\u0301\r\n\x85\u2028{"a": 1.0} ',
    attributes={
        "text": Attribute(type="String.json", value=" x\r\n"),
        "number": Attribute(type="Number.float", value="1.50"),
        "bytes": Attribute(type="Binary.png", value=b"a\x00\xff"),
    },
    trace_header=TRACE_HEADER,
    group_id="tenant",
)

Change = Callable[[dict[str, Any]], None]


def _attribute(entry: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the first attribute of a type, or something that nobody looks at."""
    found = (each for each in entry.get("MessageAttributes", {}).values() if each["DataType"].startswith(kind))
    return next(found, {"DataType": kind, "StringValue": "x", "BinaryValue": b"x"})


def _set_body(change: Callable[[str], str]) -> Change:
    return lambda entry: entry.update(MessageBody=change(entry["MessageBody"]) or "-")


def _drop_attribute(entry: dict[str, Any]) -> None:
    if entry.get("MessageAttributes"):
        entry["MessageAttributes"].popitem()


def _drop_labels(entry: dict[str, Any]) -> None:
    for each in entry.get("MessageAttributes", {}).values():
        each["DataType"] = each["DataType"].partition(".")[0]


def _as_text(entry: dict[str, Any]) -> None:
    each = _attribute(entry, "Binary")
    each.update(DataType="String", StringValue=each["BinaryValue"].hex())


def _cut_at_zero(entry: dict[str, Any]) -> None:
    each = _attribute(entry, "Binary")
    each["BinaryValue"] = each["BinaryValue"].partition(b"\x00")[0] or b"-"


def _tidy_number(entry: dict[str, Any]) -> None:
    each = _attribute(entry, "Number")
    each["StringValue"] = each["StringValue"].rstrip("0").rstrip(".") or "0"


def _other_header(entry: dict[str, Any]) -> None:
    for each in entry.get("MessageSystemAttributes", {}).values():
        each["StringValue"] += ";Parent=53995c3f42cd8ad8"


CHANGES: dict[str, Change] = {
    "white space is trimmed": _set_body(str.strip),
    "line ends are normalised": _set_body(lambda body: body.replace("\r\n", "\n").replace("\r", "\n")),
    "characters are composed": _set_body(lambda body: unicodedata.normalize("NFC", body)),
    "json is written anew": _set_body(lambda body: body.replace("1.0", "1")),
    "separators become line feeds": _set_body(lambda body: "\n".join(body.splitlines())),
    "an attribute is dropped": _drop_attribute,
    "all attributes are dropped": lambda entry: entry.pop("MessageAttributes", None),
    "type labels are dropped": _drop_labels,
    "bytes become text": _as_text,
    "bytes end at a zero": _cut_at_zero,
    "a number is tidied": _tidy_number,
    "the trace header is another": _other_header,
}
ANSWERS: dict[str, tuple[str, str | None]] = {
    "another MD5 of the body": ("MD5OfMessageBody", "0" * 32),
    "no MD5 of the body": ("MD5OfMessageBody", None),
    "another MD5 of the attributes": ("MD5OfMessageAttributes", "0" * 32),
    "no MD5 of the attributes": ("MD5OfMessageAttributes", None),
    "another MD5 of the trace header": ("MD5OfMessageSystemAttributes", "0" * 32),
}


class Stores(Faults):
    """A server that stores something else than it was sent, and is honest about its MD5."""

    def __init__(self, world: World, change: Change) -> None:
        self._world = world
        self._change = change
        self.changed = False

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Carry out the send of something else."""
        if operation != "SendMessageBatch":
            return None
        entries = deepcopy(list(request["Entries"]))
        for entry in entries:
            self._change(entry)
        self.changed = entries != list(request["Entries"])
        self._world.fake.faults = Faults()
        try:
            return self._world.fake(operation, {**request, "Entries": entries})
        finally:
            self._world.fake.faults = self


class Answers(Faults):
    """A server that answers a send with another MD5, or without one."""

    def __init__(self, name: str, value: str | None) -> None:
        self._name = name
        self._value = value

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Change the answer."""
        if operation == "SendMessageBatch":
            for each in response.get("Successful", []):
                each.pop(self._name, None)
                if self._value:
                    each[self._name] = self._value
        return response


class Garbles(Faults):
    """Something on the way changes what a receive shows, and not its MD5s."""

    def __init__(self, change: Change) -> None:
        self._change = change

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Change the messages."""
        for each in response.get("Messages", []) if operation == "ReceiveMessage" else []:
            each["MessageAttributes"] = deepcopy(each.get("MessageAttributes", {}))
            as_sent = {"MessageBody": each["Body"], "MessageAttributes": each["MessageAttributes"]}
            self._change(as_sent)
            each.update(Body=as_sent["MessageBody"], MessageAttributes=as_sent.get("MessageAttributes", {}))
        return response


@contextmanager
def dead(message: Message) -> Iterator[tuple[World, Path]]:
    """Let a message die that SQS takes; what it does not take is no example."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        fields = entry_of(Outgoing(message=message, group_id=message.group_id))
        try:
            world.ask("SendMessage", world.source, **fields)
        except OpstoolError:
            assume(False)
        world.reject_all(world.source)
        try:
            yield world, Path(folder)
        finally:
            world.close()


def parts(message: Message | StoredMessage) -> tuple[Any, ...]:
    """Return what must not change."""
    return message.body, dict(message.attributes), message.trace_header, message.group_id


def check_kept(world: World, message: Message, report: Report, *, code: str = "copy_differs") -> None:
    """Check that the original is where it was, was never deleted, and that the report says why."""
    [original] = world.stored(world.dlq)
    assert parts(original) == parts(message)
    assert world.fake.requests["DeleteMessageBatch"] == 0
    assert [failure.code for failure in report.failures] == [code]
    assert (report.status, report.counts.failed) == (Status.PARTIAL, 1)


@settings(max_examples=EXAMPLES)
@given(messages())
def test_what_arrives_is_what_was_sent(message: Message) -> None:
    """Every message that SQS admits, by its own MD5s and by ours."""
    with dead(message) as (world, _):
        with redrive.prepare(world.kit(), world.dlq.arn) as run:
            assert run.execute().status is Status.DONE
        [copy] = world.stored(world.source)
        assert parts(copy) == parts(message)
        assert (copy.md5_of_body, copy.md5_of_attributes) == (
            md5_of_body(message.body),
            md5_of_attributes(message.attributes),
        )
        assert world.bodies(world.dlq) == []


@settings(max_examples=EXAMPLES)
@given(messages())
def test_what_an_archive_gives_back_is_what_was_purged(message: Message) -> None:
    """A file changes nothing either, line separators and zero bytes included."""
    with dead(message) as (world, folder):
        with purge.prepare(world.kit(), world.dlq.arn, archive=folder / "a.jsonl") as run:
            assert run.execute().status is Status.DONE
        with importing.prepare(world.kit(), folder / "a.jsonl", to=world.source.arn) as again:
            assert again.execute().status is Status.DONE
        [copy] = world.stored(world.source)
        assert parts(copy) == parts(message)


@pytest.mark.parametrize("how", CHANGES)
@settings(max_examples=15)
@given(messages())
def test_a_server_that_stores_something_else_gets_no_delete(how: str, message: Message) -> None:
    """Its own honest MD5s tell, whatever it was that it changed."""
    with dead(message) as (world, _):
        lying = Stores(world, CHANGES[how])
        with redrive.prepare(world.kit(), world.dlq.arn) as run:
            world.fake.faults = lying
            report = run.execute()
        assert (report.status is Status.DONE) != lying.changed
        if lying.changed:
            check_kept(world, message, report)


@pytest.mark.parametrize("how", CHANGES)
def test_every_change_is_seen_in_a_message_that_has_everything(how: str, tmp_path: Path) -> None:
    """By every later run too: the original is never deleted, nor is the record of an import taken for sent."""
    with dead(ODD) as (world, _):
        export.export(world.kit(), world.dlq.arn, to=tmp_path / "a.jsonl")
        lying = Stores(world, CHANGES[how])
        for _ in range(2):
            with redrive.prepare(world.kit(), world.dlq.arn) as run:
                world.fake.faults = lying
                report = run.execute()
            assert lying.changed
            check_kept(world, ODD, report)
            world.fake.faults = Faults()
        world.fake.faults = lying
        with importing.prepare(world.kit(), tmp_path / "a.jsonl", to=world.source.arn) as again:
            assert [failure.code for failure in again.execute().failures] == ["copy_differs"]


@pytest.mark.parametrize("how", ANSWERS)
def test_an_md5_that_differs_or_is_missing_confirms_nothing(how: str) -> None:
    """A server that cannot say what it has stored does not get the original deleted."""
    with dead(ODD) as (world, _):
        with redrive.prepare(world.kit(), world.dlq.arn) as run:
            world.fake.faults = Answers(*ANSWERS[how])
            report = run.execute()
        check_kept(world, ODD, report)


def test_a_server_without_an_md5_of_the_trace_header_is_believed_and_the_report_says_so() -> None:
    """Some emulators store the header and have no word for it; AWS always has."""
    with dead(ODD) as (world, _):
        with redrive.prepare(world.kit(), world.dlq.arn) as run:
            world.fake.faults = Answers("MD5OfMessageSystemAttributes", None)
            report = run.execute()
        assert (report.status, report.counts.succeeded) == (Status.DONE, 1)
        assert "copies whose trace header the server did not confirm: 1" in report.notes
        assert world.bodies(world.dlq) == []


@pytest.mark.parametrize("how", [name for name in CHANGES if "trace header" not in name])
def test_what_was_garbled_on_its_way_to_us_is_neither_sent_for_good_nor_archived(how: str, tmp_path: Path) -> None:
    """The MD5s of the receive are the original's: what does not have them is no copy of it."""
    with dead(ODD) as (world, _):
        world.fake.faults = Garbles(CHANGES[how])
        with redrive.prepare(world.kit(), world.dlq.arn) as run:
            check_kept(world, ODD, run.execute())
    with dead(ODD) as (world, _):
        world.fake.faults = Garbles(CHANGES[how])
        with purge.prepare(world.kit(), world.dlq.arn, archive=tmp_path / "purged.jsonl") as emptying:
            check_kept(world, ODD, emptying.execute())
        report = export.export(world.kit(), world.dlq.arn, to=tmp_path / "exported.jsonl")
        check_kept(world, ODD, report)
    for file in (tmp_path / "purged.jsonl", tmp_path / "exported.jsonl"):
        assert not file.exists() or list(read_archive(file)) == []


@settings(max_examples=EXAMPLES)
@given(st.lists(st.integers(1, 200_000), min_size=1, max_size=10), st.integers(0, 3))
def test_messages_of_any_size_fit_into_their_batches(sizes: list[int], attributes: int) -> None:
    """What is too much for one batch goes into the next; SQS refuses none."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        held = {f"a{number}": {"DataType": "Binary", "BinaryValue": bytes(1_000)} for number in range(attributes)}
        world.die([f"{number}" + "x" * size for number, size in enumerate(sizes)], MessageAttributes=held)
        with redrive.prepare(world.kit(), world.dlq.arn) as run:
            assert run.execute().status is Status.DONE
        assert len(world.bodies(world.source)) == len(sizes)
        world.close()
