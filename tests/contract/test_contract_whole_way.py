"""Through opstool's library, on every server: messages die, are looked at, redriven, purged and brought back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from opstool.doors.sqs import Sqs
from opstool.doors.stack import Stack
from opstool.doors.toolkit import Toolkit, connect
from opstool.verbs import browse, importing, purge, queues, redrive
from opstool.words.message import Attribute
from opstool.words.report import Report, Status
from opstool.words.selection import Selection
from tests.servers.server import QueueOnServer, Server, bodies

MESSAGES = 25
CHOSEN = Selection(where="body.kind == 'chosen'")
ATTRIBUTES = {
    "tries": {"DataType": "Number.int", "StringValue": "3"},
    "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}
COPIED = {
    "tries": Attribute(type="Number.int", value="3"),
    "blob": Attribute(type="Binary", value=b"\x00\xff"),
}


def _body(number: int) -> str:
    return json.dumps({"number": number, "kind": "chosen" if number % 5 == 0 else "other", "text": "größe \U0001f600"})


ALL = {_body(number) for number in range(MESSAGES)}
THE_CHOSEN = {_body(number) for number in range(0, MESSAGES, 5)}


@dataclass(frozen=True, kw_only=True)
class Dead:
    """A source queue, and the dead-letter queue in which its messages lie."""

    kit: Toolkit
    source: QueueOnServer
    dlq: QueueOnServer


@pytest.fixture
def kit(server: Server, tmp_path: Path) -> Iterator[Toolkit]:
    """Give opstool's toolkit for the server, with a state directory of its own and short leases."""
    clock, sqs = server.clock, Sqs(server.call, server.clock)
    if server.connection is None:
        stack = Stack(lambda *_: {}, None)
        kit = Toolkit(sqs=sqs, clock=clock, state_dir=tmp_path, stack=stack, workers=1, lease_s=2)
    else:
        kit = connect(server.connection, state_dir=tmp_path, lease_s=2)
    if not server.keeps_real_time:  # messages from our future would be left alone, as sent after the plan
        kit = replace(kit, clock=clock, sqs=sqs)
    yield kit
    kit.close()


@pytest.fixture
def dead(server: Server, kit: Toolkit) -> Dead:
    """Let 25 messages die."""
    source, dlq = server.make_pair(max_receive_count=1)
    for start in range(0, MESSAGES, 10):
        numbers = range(start, min(start + 10, MESSAGES))
        source.send_batch(*map(_body, numbers), MessageAttributes=ATTRIBUTES, MessageGroupId="tenant")
    _let_die(source, dlq, MESSAGES)
    return Dead(kit=kit, source=source, dlq=dlq)


def _let_die(source: QueueOnServer, dlq: QueueOnServer, count: int) -> None:
    """Be a consumer that fails, until so many messages are dead."""
    for _ in range(20):
        while source.receive(visibility_s=1):
            pass
        if dlq.counts()[0] == count:
            return
        source.server.wait(1)
    pytest.fail(f"of {count} messages {dlq.counts()[0]} have died")


def _visible(queue: QueueOnServer) -> list[str]:
    """Receive everything that can be received, and give it back; not for a queue in which the next receive kills."""
    held = []
    while received := queue.receive(visibility_s=60, wait_s=1):
        held.append(received)
    for batch in held:
        entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(batch)]
        queue.ask("ChangeMessageVisibilityBatch", Entries=[{**each, "VisibilityTimeout": 0} for each in entries])
    return sorted(body for batch in held for body in bodies(batch))


def _consumed(queue: QueueOnServer) -> list[str]:
    """Be a consumer that takes whatever comes; return the bodies in the order in which they came."""
    found: list[str] = []
    while received := queue.receive(1, wait_s=1):
        found += bodies(received)
        queue.delete(received[0])
    return found


def _assert_adds_up(report: Report, **counts: int) -> None:
    """Each message has one outcome, nothing went wrong, and nothing may have been sent twice."""
    document = report.document()
    outcomes = ("succeeded", "skipped", "failed", "released", "returned")
    assert {name: document[name] for name in outcomes} == {**dict.fromkeys(outcomes, 0), **counts}
    assert document["received"] == sum(counts.values())
    assert (report.status, report.possibly_sent_twice, report.failures) == (Status.DONE, 0, ())


def test_what_has_died_is_seen_and_stays_visible(dead: Dead) -> None:
    """Every message once, with its attributes, its group and the queue it died in; afterwards all can be received."""
    listing = browse.list_messages(dead.kit, dead.dlq.name, reasons=False)

    assert dead.dlq.counts() == (MESSAGES, 0, 0)
    assert sorted(message.body for message in listing.messages) == sorted(ALL)
    assert {message.source_arn for message in listing.messages} == {dead.source.arn}
    assert {message.group_id for message in listing.messages} == {"tenant"}
    assert all(dict(message.attributes) == COPIED for message in listing.messages)
    assert _visible(dead.dlq) == sorted(ALL)


@pytest.mark.departs(local_aws_sqs="starts the receive count anew at the death, and counts a release as a receive")
def test_a_look_adds_one_to_the_receive_count(dead: Dead) -> None:
    """And no more: one receive in its life, one for each look."""
    counts = [
        {each.receive_count for each in browse.list_messages(dead.kit, dead.dlq.name, reasons=False).messages}
        for _ in range(2)
    ]
    assert counts == [{2}, {3}]


def test_the_queue_stands_among_the_dead_letter_queues(dead: Dead) -> None:
    """With its depth and its source; a server without move tasks, or without a list of sources, is no obstacle."""
    [found] = [each for each in queues.list_dlqs(dead.kit).queues if each.queue.arn == dead.dlq.arn]
    assert found.attributes.depth == MESSAGES
    assert [(each.queue.arn, each.max_receive_count) for each in found.sources] == [(dead.source.arn, 1)]
    assert found.move_task is None


def test_a_filtered_redrive_a_purge_and_an_import_lose_nothing(dead: Dead) -> None:
    """Exactly the chosen go back, the rest is archived and deleted, and comes back from its archive."""
    with redrive.prepare(dead.kit, dead.dlq.name, CHOSEN) as run:
        _assert_adds_up(run.execute(), succeeded=5, skipped=20)
    assert sorted(_consumed(dead.source)) == sorted(THE_CHOSEN)
    assert _visible(dead.dlq) == sorted(ALL - THE_CHOSEN)

    with purge.prepare(dead.kit, dead.dlq.name) as run:
        report = run.execute()
    _assert_adds_up(report, succeeded=20)
    assert dead.dlq.counts() == (0, 0, 0)

    assert report.archive is not None
    with importing.prepare(dead.kit, Path(report.archive)) as run:
        _assert_adds_up(run.execute(), succeeded=20)
    back = browse.list_messages(dead.kit, dead.dlq.name, reasons=False).messages
    assert sorted(message.body for message in back) == sorted(ALL - THE_CHOSEN)
    assert all((dict(message.attributes), message.group_id) == (COPIED, "tenant") for message in back)


def test_what_an_import_brought_back_goes_to_its_own_source(dead: Dead) -> None:
    """The journal remembers the source, which SQS forgets with a copy."""
    with purge.prepare(dead.kit, dead.dlq.name) as run:
        archive = run.execute().archive
    assert archive is not None
    with importing.prepare(dead.kit, Path(archive)) as run:
        run.execute()
    with redrive.prepare(dead.kit, dead.dlq.name) as run:
        _assert_adds_up(run.execute(), succeeded=MESSAGES)
    assert sorted(_consumed(dead.source)) == sorted(ALL)


def test_a_fifo_queue_is_redriven_in_the_order_of_its_groups(server: Server, kit: Toolkit) -> None:
    """Four groups of three, each in the order in which it was sent."""
    source, dlq = server.make_pair(max_receive_count=1, fifo=True)
    for number in range(12):
        source.send(str(number), MessageGroupId=str(number % 4), MessageDeduplicationId=str(number))
    _let_die(source, dlq, 12)
    with redrive.prepare(kit, dlq.name) as run:
        _assert_adds_up(run.execute(), succeeded=12)
    arrived = [int(body) for body in _consumed(source)]
    for group in range(4):
        assert [number for number in arrived if number % 4 == group] == [group, group + 4, group + 8]
