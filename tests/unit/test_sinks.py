from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from opstool.doors.sqs import Sqs
from opstool.engine.queuesink import QueueSink
from opstool.engine.sinks import ArchiveSink, Confirmed, HeldBack, NothingSink, Put, Rejected
from opstool.fake import EntryFault, FailCalls, Faults, no_answer, throttled
from opstool.words.awserrors import error_for
from opstool.words.message import Attribute, Message, md5_of_attributes, md5_of_body
from opstool.words.queue import Queue
from tests.world import World, make_queue

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"


def message(number: int, body: str | None = None, **fields: Any) -> Message:
    """Return a message."""
    return Message(message_id=f"m-{number}", body=body or f"body {number}", **fields)


def sink_to(world: World, target: Queue | None = None, run_id: str = "run-1") -> QueueSink:
    """Return a sink that sends everything to one queue."""
    return QueueSink(Sqs(world.fake, world.clock), lambda _: target or world.source, run_id=run_id)


def rejected(results: dict[str, Put], key: str) -> Rejected:
    """Return the rejection of a message."""
    put = results[key]
    assert isinstance(put, Rejected)
    return put


class Answer(Faults):
    """Change the answer to a batch of sends."""

    def __init__(self, change: Any) -> None:
        self._change = change

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Change it."""
        if operation == "SendMessageBatch":
            self._change(response)
        return response


def test_the_copy_is_exact(world: World) -> None:
    """Body, every type of attribute, trace header and group; on a standard queue too."""
    attributes = {
        "text": Attribute(type="String", value="ä\n"),
        "number": Attribute(type="Number.float", value="1.50"),
        "bytes": Attribute(type="Binary.png", value=b"\x00\xff"),
    }
    original = message(1, "\t{}\r\n", attributes=attributes, trace_header=TRACE, group_id="tenant")
    assert isinstance(sink_to(world).put([original])["m-1"], Confirmed)
    [stored] = world.stored(world.source)
    assert (stored.body, stored.attributes) == (original.body, attributes)
    assert (stored.trace_header, stored.group_id) == (TRACE, "tenant")


def test_a_confirmation_names_the_new_id_and_the_queue(world: World) -> None:
    """Of this very message."""
    results = sink_to(world).put([message(number) for number in range(3)])
    by_body = {each.body: each.message_id for each in world.stored(world.source)}
    expected = {f"m-{n}": Confirmed(new_id=by_body[f"body {n}"], target=world.source.arn) for n in range(3)}
    assert results == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda response: response["Successful"][0].update(MD5OfMessageBody="0" * 32),
        lambda response: response["Successful"][0].update(MD5OfMessageAttributes="0" * 32),
        lambda response: response["Successful"][0].pop("MD5OfMessageAttributes"),
        lambda response: response["Successful"][0].pop("MD5OfMessageBody"),
    ],
    ids=["body", "attributes", "attributes missing", "body missing"],
)
def test_a_copy_with_another_md5_is_no_copy(world: World, change: Any) -> None:
    """It is not confirmed, not tried again, and may be there."""
    world.fake.faults = Answer(change)
    results = sink_to(world).put([message(1, attributes={"a": Attribute(type="String", value="1")}), message(2)])
    differs = rejected(results, "m-1")
    assert (differs.code, differs.may_be_there, differs.retryable) == ("copy_differs", True, False)
    assert isinstance(results["m-2"], Confirmed)


def test_the_md5_of_the_receive_is_what_the_copy_is_compared_with(world: World) -> None:
    """A body that was garbled on its way to us is not sent on as if it were the original."""
    garbled = replace(message(1), md5_of_body="0" * 32)
    assert rejected(sink_to(world).put([garbled]), "m-1").code == "copy_differs"


@pytest.mark.parametrize("part", ["body", "attributes"])
@pytest.mark.parametrize("unsaid", [None, ""], ids=["not named", "empty"])
def test_what_neither_side_names_an_md5_of_is_not_confirmed(world: World, part: str, unsaid: str | None) -> None:
    """Two servers that say nothing agree on nothing: it may be lost between them."""
    name = {"body": "MD5OfMessageBody", "attributes": "MD5OfMessageAttributes"}[part]
    world.fake.faults = Answer(lambda response: response["Successful"][0].pop(name))
    original = message(1, attributes={"a": Attribute(type="String", value="1")})
    named = {"md5_of_body": md5_of_body(original.body), "md5_of_attributes": md5_of_attributes(original.attributes)}
    received = replace(original, **{**named, f"md5_of_{part}": unsaid})
    assert rejected(sink_to(world).put([received]), "m-1").code == "copy_differs"


def test_an_entry_without_an_outcome_may_be_there(world: World) -> None:
    """Neither successful nor failed: not known."""
    world.fake.faults = Answer(lambda response: response["Successful"].pop(0))
    results = sink_to(world).put([message(1), message(2)])
    silent = rejected(results, "m-1")
    assert (silent.may_be_there, silent.retryable) == (True, True)
    assert isinstance(results["m-2"], Confirmed)


def test_a_failed_entry_fails_alone(world: World) -> None:
    """Yes to the batch is not yes to each."""

    class RefuseOne(Faults):
        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            return EntryFault(code="InvalidMessageContents", sender_fault=True) if "1" in entry["MessageBody"] else None

    world.fake.faults = RefuseOne()
    results = sink_to(world).put([message(1), message(2)])
    assert (rejected(results, "m-1").code, rejected(results, "m-1").retryable) == ("InvalidMessageContents", False)
    assert isinstance(results["m-2"], Confirmed)
    assert world.bodies(world.source) == ["body 2"]


def test_batches_are_split_by_bytes(world: World) -> None:
    """Ten messages of 300 KB are four batches; one of 1 MiB is one."""
    big = [message(number, f"{number}" * 300_000) for number in range(10)]
    assert {type(put) for put in sink_to(world).put(big).values()} == {Confirmed}
    assert world.fake.requests["SendMessageBatch"] == 4
    assert isinstance(sink_to(world).put([message(11, "x" * 1_048_576)])["m-11"], Confirmed)


def test_one_message_that_the_target_refuses_does_not_hold_up_the_others(world: World) -> None:
    """SQS may refuse a whole batch for one entry; the run goes on with the rest, and names that one."""

    class Refuse(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            """Refuse a batch that holds the bad message."""
            if operation == "SendMessageBatch" and any(each["MessageBody"] == "bad" for each in request["Entries"]):
                raise error_for(operation, "InvalidMessageContents", "a character is not allowed")

    world.fake.faults = Refuse()
    results = sink_to(world).put([message(number, "bad" if number == 3 else None) for number in range(1, 11)])

    assert [key for key, put in results.items() if not isinstance(put, Confirmed)] == ["m-3"]
    refused = rejected(results, "m-3")
    assert (refused.code, refused.error, refused.may_be_there) == ("invalid_request", None, False)


def test_a_batch_that_a_server_finds_too_long_is_halved(world: World) -> None:
    """Some count more than SQS documents; only the message that is too long alone fails, and not the run."""

    class ShortBatches(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch" and sum(len(each["MessageBody"]) for each in request["Entries"]) > 20:
                raise error_for(operation, "BatchRequestTooLong", "too long")

    world.fake.faults = ShortBatches()
    results = sink_to(world).put([*(message(number) for number in range(9)), message(9, "x" * 21)])
    assert sum(isinstance(put, Confirmed) for put in results.values()) == 9
    alone = rejected(results, "m-9")
    assert (alone.code, alone.error, alone.may_be_there) == ("batch_too_long", None, False)


@pytest.mark.parametrize(
    ("error", "retryable", "may_be_there", "stops"),
    [
        (throttled("SendMessageBatch"), True, False, False),
        (no_answer("SendMessageBatch"), True, True, False),
        (error_for("SendMessageBatch", "InternalFailure", "", 500), True, True, False),
        (error_for("SendMessageBatch", "QueueDoesNotExist", ""), False, False, False),
        (error_for("SendMessageBatch", "AccessDenied", "", 403), False, False, True),
        (error_for("SendMessageBatch", "ExpiredToken", "", 403), False, False, True),
    ],
    ids=["throttled", "no answer", "500", "queue gone", "denied", "expired"],
)
def test_a_refused_batch_says_what_it_means_for_each_message(
    world: World, error: Any, retryable: bool, may_be_there: bool, stops: bool
) -> None:
    """Whether it may be there, whether to try again, and whether the next batch would meet the same."""
    world.fake.faults = FailCalls("SendMessageBatch", error)
    put = rejected(sink_to(world).put([message(1)]), "m-1")
    assert (put.retryable, put.may_be_there, put.error is not None) == (retryable, may_be_there, stops)


def test_a_message_without_a_route_is_rejected_and_the_others_are_sent(world: World) -> None:
    """Each to its own target."""
    other = make_queue(world.fake, "other")
    routes = {"m-1": world.source, "m-2": other}
    sink = QueueSink(
        Sqs(world.fake, world.clock),
        lambda each: routes.get(each.message_id, Rejected(code="no_certain_target", message="none")),
        run_id="run-1",
    )
    results = sink.put([message(1), message(2), message(3)])
    assert world.bodies(world.source) == ["body 1"]
    assert world.bodies(other) == ["body 2"]
    assert rejected(results, "m-3").code == "no_certain_target"


def test_a_fifo_batch_holds_one_message_of_a_group(fifo_world: World) -> None:
    """Entries fail singly: the next of a group waits for the one before."""
    batches: list[list[str]] = []

    class Watch(Faults):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch":
                batches.append([each["MessageBody"] for each in request["Entries"]])

    fifo_world.fake.faults = Watch()
    messages = [message(n, body, group_id=body[0]) for n, body in enumerate(["a1", "a2", "b1", "a3", "b2"])]
    sink_to(fifo_world).put(messages)
    assert batches == [["a1", "b1"], ["a2", "b2"], ["a3"]]


def test_a_fifo_group_stops_at_its_first_message_without_a_confirmation(fifo_world: World) -> None:
    """The others go on."""

    class RefuseA1(Faults):
        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            return EntryFault() if entry["MessageBody"] == "a1" else None

    fifo_world.fake.faults = RefuseA1()
    messages = [message(n, body, group_id=body[0]) for n, body in enumerate(["a1", "a2", "b1", "b2"])]
    results = sink_to(fifo_world).put(messages)
    assert isinstance(results["m-0"], Rejected)
    assert results["m-1"] == HeldBack()
    assert fifo_world.bodies(fifo_world.source) == ["b1", "b2"]


def test_a_repeat_in_the_same_run_is_dropped_by_a_fifo_queue_and_another_runs_is_not(fifo_world: World) -> None:
    """The deduplication id is a hash of run, message and target."""
    one = message(1, group_id="a")
    first = sink_to(fifo_world, run_id="run-1").put([one])
    again = sink_to(fifo_world, run_id="run-1").put([one])
    assert first == again
    assert fifo_world.bodies(fifo_world.source) == ["body 1"]
    sink_to(fifo_world, run_id="run-2").put([one])
    assert fifo_world.bodies(fifo_world.source) == ["body 1", "body 1"]


def test_messages_without_a_group_are_groups_of_their_own_on_a_fifo_queue(fifo_world: World) -> None:
    """Not all in one: they never had an order."""
    sink_to(fifo_world).put([message(1), message(2)])
    assert [each.group_id for each in fifo_world.stored(fifo_world.source)] == ["m-1", "m-2"]
    assert fifo_world.fake.requests["SendMessageBatch"] == 1


def test_how_long_a_repeat_is_safe_depends_on_the_target_of_the_message(world: World, fifo_world: World) -> None:
    """Within the deduplication window of a FIFO queue, less the time that a send may take; on a standard one never."""
    assert sink_to(world).repeat_is_safe_for_s(message(1)) == 0
    assert sink_to(fifo_world).repeat_is_safe_for_s(message(1)) == 270


def test_which_earlier_copies_suffice() -> None:
    """One in a queue is sent; one in another archive, or in nothing, is neither sent nor in this archive.

    The name of a file proves nothing, what is in it does.
    """

    class Nowhere:
        known_ids: frozenset[str] = frozenset({"here"})

        def append(self, messages: object) -> None: ...

        def discard_if_empty(self) -> None: ...

        def close(self) -> None: ...

    queue = QueueSink(None, lambda _: None, run_id="r")  # type: ignore[arg-type,return-value]
    archive, nothing = ArchiveSink(Nowhere(), "/a.jsonl"), NothingSink()
    targets = ["arn:aws:sqs:eu-west-1:1:orders", "/a.jsonl", "/b.jsonl", "nothing"]
    assert [queue.suffices("here", each) for each in targets] == [True, False, False, False]
    assert [archive.suffices("m-1", each) for each in targets] == [True, False, False, False]
    assert archive.suffices("here", "/a.jsonl")
    archive.put([message(1)])
    assert archive.suffices(message(1).message_id, "/a.jsonl")
    assert [nothing.suffices("here", each) for each in targets] == [True, True, True, True]


@pytest.mark.parametrize("sender_fault", [False, True])
def test_a_failed_entry_says_whether_to_try_again(world: World, sender_fault: bool) -> None:
    """What was the service's fault may pass."""

    class Refuse(Faults):
        def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
            return EntryFault(sender_fault=sender_fault)

    world.fake.faults = Refuse()
    put = rejected(sink_to(world).put([message(1)]), "m-1")
    assert (put.retryable, put.may_be_there) == (not sender_fault, False)


def test_only_a_fifo_target_has_groups(world: World, fifo_world: World) -> None:
    """Of each target by itself; a message that never had a group waits for nobody, nor does one without a route."""
    fifo, standard = sink_to(fifo_world), sink_to(world)
    assert fifo.group_of(message(1, group_id="a")) == fifo.group_of(message(2, group_id="a"))
    assert fifo.group_of(message(1, group_id="a")) != fifo.group_of(message(2, group_id="b"))
    assert fifo.group_of(message(1)) != fifo.group_of(message(2))
    assert standard.group_of(message(1, group_id="a")) is None
    nowhere = QueueSink(
        Sqs(world.fake, world.clock), lambda _: Rejected(code="no_certain_target", message="none"), run_id="run-1"
    )
    assert nowhere.group_of(message(1, group_id="a")) is None
    routes = {"m-1": fifo_world.source, "m-2": fifo_world.dlq}
    spread = QueueSink(Sqs(world.fake, world.clock), lambda each: routes[each.message_id], run_id="run-1")
    assert spread.group_of(message(1, group_id="a")) != spread.group_of(message(2, group_id="a"))
