"""The copy is exact on every server: through a redrive, and through an archive and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.clock import Clock, SystemClock
from opstool.doors.sqs import MAX_BATCH_BYTES, Sqs, split
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit
from opstool.engine.queuesink import QueueSink
from opstool.engine.sinks import Confirmed
from opstool.fake import FakeSqs
from opstool.verbs import export, importing, purge, redrive
from opstool.words.message import Attribute, Message, md5_of_trace_header
from opstool.words.queue import Queue
from opstool.words.report import Report, Status
from tests.contract.exact_messages import (
    CANNOT_CONFIRM,
    CANNOT_STORE,
    GROUPS_OF_CASES,
    MIB,
    SYSTEM,
    TRACE_HEADER,
    Fields,
    essence,
    md5,
    our_md5s,
    server_md5s,
    stored_by,
)
from tests.servers.server import QueueOnServer, Server

_ALL_CASES = {name: fields for cases in GROUPS_OF_CASES.values() for name, fields in cases.items()}
MD5_OF_CHARACTERS = {"local-aws-sqs": "its MD5 counts an attribute's characters instead of its bytes"}


@contextmanager
def opstool_at(server: Server, folder: Path) -> Iterator[Toolkit]:
    """Give one invocation of opstool at a server."""
    call = server.call
    clock: Clock = call.clock if isinstance(call, FakeSqs) else SystemClock()
    kit = Toolkit(
        sqs=Sqs(call, clock), clock=clock, state_dir=folder, stack=Stack(lambda *_: {}, None), workers=2, lease_s=30
    )
    yield kit
    kit.close()


def fill(queue: QueueOnServer, cases: Iterable[Fields]) -> list[Fields]:
    """Send the messages one by one, as their producers did."""
    sent = list(cases)
    for fields in sent:
        queue.ask("SendMessage", **fields)
    return sent


def received(queue: QueueOnServer, count: int) -> list[dict[str, Any]]:
    """Receive everything there is, and check that it is no more."""
    found: list[dict[str, Any]] = []
    while messages := queue.receive(wait_s=0 if len(found) >= count else 1):
        found += messages
    return found


def check_exact(sent: list[Fields], queue: QueueOnServer) -> None:
    """Check that a queue holds what was sent, byte for byte, by the server's MD5s and by ours."""
    found = received(queue, len(sent))
    names = {essence(fields): name for name, fields in _ALL_CASES.items()}
    wanted, there = Counter(map(essence, sent)), Counter(map(essence, found))
    assert not wanted - there, f"not copied exactly: {[names.get(each) for each in wanted - there]}"
    assert len(found) == len(sent)
    assert [md5(message["Body"].encode()) for message in found] == [message["MD5OfBody"] for message in found]
    if queue.server.name not in MD5_OF_CHARACTERS:
        assert list(map(our_md5s, found)) == list(map(server_md5s, found))


def moved(report: Report, count: int) -> bool:
    """Tell whether a run has moved everything."""
    return report.status is Status.DONE and report.counts.succeeded == report.counts.received == count


@pytest.mark.parametrize("group", GROUPS_OF_CASES)
def test_a_redrive_copies_exactly(server: Server, group: str, tmp_path: Path) -> None:
    """Body, attributes with their types and labels, trace header and group arrive as they were sent."""
    cases = stored_by(server.name, GROUPS_OF_CASES[group])
    if not cases:
        pytest.skip(f"{server.name} stores none of these: {CANNOT_STORE.get(server.name)}")
    dlq, target = large_queue(server), large_queue(server)
    sent = fill(dlq, cases.values())
    with (
        opstool_at(server, tmp_path) as kit,
        redrive.prepare(kit, dlq.arn, to=target.arn, not_a_dlq=True) as run,
    ):
        assert moved(run.execute(), len(sent))
    check_exact(sent, target)


def test_an_archive_gives_back_exactly_what_was_purged(server: Server, tmp_path: Path) -> None:
    """Export, purge and import: nothing of a message changes in a file either."""
    cases = stored_by(server.name, _ALL_CASES)
    if server.name in MD5_OF_CHARACTERS:  # an import has no MD5 of the server's own to compare with
        cases.pop("text of every kind")
    dlq, exported, purged = (large_queue(server) for _ in range(3))
    sent = fill(dlq, cases.values())
    with opstool_at(server, tmp_path) as kit:
        report = export.export(kit, dlq.arn, to=tmp_path / "export.jsonl.gz")
        assert (report.status, report.counts.succeeded) == (Status.DONE, len(sent))
        with purge.prepare(kit, dlq.arn, archive=tmp_path / "purge.jsonl", not_a_dlq=True) as run:
            assert moved(run.execute(), len(sent))
        for file, queue in (("export.jsonl.gz", exported), ("purge.jsonl", purged)):
            with importing.prepare(kit, tmp_path / file, to=queue.arn) as again:
                assert moved(again.execute(), len(sent))
    assert received(dlq, 0) == []
    check_exact(sent, exported)
    check_exact(sent, purged)


def test_a_fifo_queue_gets_group_and_order(server: Server, tmp_path: Path) -> None:
    """The deduplication id is the run's own, everything else is the message's."""
    dlq, target = server.make_queue(fifo=True), server.make_queue(fifo=True)
    cases = {**stored_by(server.name, GROUPS_OF_CASES["numbers"]), **stored_by(server.name, SYSTEM)}
    sent = fill(
        dlq,
        [
            {**fields, "MessageGroupId": group, "MessageDeduplicationId": f"{group}-{number}!"}
            for group in ("a", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
            for number, fields in enumerate(cases.values())
        ],
    )
    with (
        opstool_at(server, tmp_path) as kit,
        redrive.prepare(kit, dlq.arn, to=target.arn, not_a_dlq=True) as run,
    ):
        assert moved(run.execute(), len(sent))
    check_exact(sent, target)


@pytest.mark.parametrize(("over", "batches"), [(0, [10]), (1, [9, 1])], ids=["to the byte", "one byte over"])
def test_a_batch_is_filled_to_the_byte_and_split_one_byte_later(server: Server, over: int, batches: list[int]) -> None:
    """Bodies, names, types and values count; what is one byte too much goes into a second batch."""
    attributes = {"na": Attribute(type="String.x", value="v" * 90), "n": Attribute(type="Number", value="1")}
    extra = Message(message_id="-", body="", attributes=attributes).size_bytes
    each = MIB // 10 - extra
    sizes = [each] * 9 + [MIB - 9 * (each + extra) - extra + over]
    messages = [
        Message(message_id=f"m-{number}", body=f"{number}" + "x" * (size - 1), attributes=attributes)
        for number, size in enumerate(sizes)
    ]
    assert sum(message.size_bytes for message in messages) == MAX_BATCH_BYTES + over
    assert [len(batch) for batch in split(messages)] == batches
    queue = large_queue(server)
    target = Queue(url=queue.url, arn=queue.arn)
    sqs = Sqs(server.call, SystemClock())
    results = QueueSink(sqs, lambda _: target, run_id="run").put(messages)
    assert {type(put) for put in results.values()} == {Confirmed}
    assert sqs.requests == len(batches)
    assert Counter(each["Body"] for each in received(queue, 10)) == Counter(each.body for each in messages)


def test_a_trace_header_that_is_not_confirmed_is_said(server: Server, tmp_path: Path) -> None:
    """A server that does not say that it has the header may have lost it: somebody should look at a copy."""
    silent = "trace header" in {**CANNOT_STORE, **CANNOT_CONFIRM}.get(server.name, {})
    dlq, target = large_queue(server), large_queue(server)
    sent = fill(dlq, SYSTEM.values())
    with (
        opstool_at(server, tmp_path) as kit,
        redrive.prepare(kit, dlq.arn, to=target.arn, not_a_dlq=True) as run,
    ):
        report = run.execute()
    assert moved(report, len(sent))
    assert any("trace header" in note for note in report.notes) == silent


@pytest.mark.parametrize("name", sorted({name for cases in CANNOT_STORE.values() for name in cases}))
def test_what_a_server_is_excused_from_is_still_so(server: Server, name: str) -> None:
    """An excuse that a server no longer needs must go."""
    reason = CANNOT_STORE.get(server.name, {}).get(name)
    queue = large_queue(server)
    [entry] = [{"Id": "0", **_ALL_CASES[name]}]
    if stored(queue, entry) != (reason is None):
        pytest.fail(f"{server.name}: {reason or 'cannot store it, and has no excuse'}")


def stored(queue: QueueOnServer, entry: Mapping[str, Any]) -> bool:
    """Tell whether a queue takes a message and gives it back as it was."""
    try:
        answer = queue.ask("SendMessageBatch", Entries=[entry])
    except Exception:  # noqa: BLE001 - whatever it says no with
        return False
    return not answer.get("Failed") and essence(queue.receive_one()) == essence(entry)


def large_queue(server: Server) -> QueueOnServer:
    """Make a queue that takes a mebibyte, whatever a server's default is."""
    return server.make_queue(MaximumMessageSize=str(MIB))


def test_the_examples_are_at_the_limits() -> None:
    """A mebibyte is one to the byte, and the header is the one whose MD5 the API reference of SendMessage prints."""
    sizes = {name: _size(fields) for name, fields in GROUPS_OF_CASES["sizes"].items()}
    assert {size for name, size in sizes.items() if "mebibyte" in name} == {MIB}
    assert sizes["one byte"] == 1
    assert essence(SYSTEM["trace header"])[2] == TRACE_HEADER
    assert md5_of_trace_header(TRACE_HEADER) == "5ae4d5d7636402d80f4eb6d213245a88"


def _size(fields: Fields) -> int:
    attributes = {
        name: Attribute(type=each["DataType"], value=each.get("BinaryValue") or each["StringValue"])
        for name, each in fields.get("MessageAttributes", {}).items()
    }
    return Message(message_id="-", body=fields["MessageBody"], attributes=attributes).size_bytes
