"""What the consumer answers decides what Lambda deletes: only what was handled may go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from consumer_under_test import Consumer, RecordFactory


def fail_on(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, errors: dict[str, BaseException]) -> list[str]:
    """Replace the business rule with one that raises by body, and return the list of bodies it is given."""
    seen: list[str] = []

    def process(message: Any) -> None:
        seen.append(message.body)
        if message.body in errors:
            raise errors[message.body]

    monkeypatch.setattr(consumer.processing, "process", process)
    return seen


class UnprintableError(Exception):
    """An error whose text cannot be had."""

    def __str__(self) -> str:
        """Raise, as a careless `__str__` does."""
        raise RuntimeError("no text")


def test_a_batch_that_was_handled_is_deleted_whole(consumer: Consumer, record: RecordFactory) -> None:
    """Nothing is named when nothing failed."""
    assert consumer.invoke(record(), record()) == []


def test_only_the_failed_messages_stay(consumer: Consumer, record: RecordFactory) -> None:
    """The good messages of a batch are not tried again because of a bad one."""
    bad = record("not json")
    assert consumer.invoke(record(), bad, record()) == [bad["messageId"]]


def test_a_batch_that_failed_whole_is_an_answer_and_not_an_exception(consumer: Consumer, record: RecordFactory) -> None:
    """Poison does not move the function's Errors metric, which is kept for the function's own troubles."""
    bad = [record("not json"), record("[]")]
    assert consumer.invoke(*bad) == [item["messageId"] for item in bad]


def test_an_empty_batch_is_no_failure(consumer: Consumer) -> None:
    """There is nothing to keep and nothing to delete."""
    assert consumer.invoke() == []


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"),
        SystemExit(1),
        GeneratorExit(),
        asyncio.CancelledError(),
        UnprintableError(),
        RecursionError("deep"),
        MemoryError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        ExceptionGroup("many", [ValueError("one"), KeyError("two")]),
        ValueError("half a pair: \ud800"),
        type("BadRepr", (Exception,), {"__repr__": lambda self: 1 / 0})("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_is_raised_fails_one_message_only(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """An error of any kind keeps its message, is logged once, and leaves the rest of the batch alone."""
    seen = fail_on(consumer, monkeypatch, {"bad": error})
    bad = record("bad")
    assert consumer.invoke(record("one"), bad, record("two")) == [bad["messageId"]]
    assert seen == ["one", "bad", "two"]
    assert consumer.failure()["error_type"] == type(error).__name__


def test_an_interrupt_keeps_the_whole_batch(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C is meant for the process: the invocation ends by exception, and nothing is deleted."""
    fail_on(consumer, monkeypatch, {"bad": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        consumer.invoke(record("one"), record("bad"))


@pytest.mark.parametrize(
    "event",
    [None, [], "text", {}, {"Records": None}, {"Records": {}}, {"Records": "text"}, {"detail": {"x": "secret"}}],
    ids=repr,
)
def test_an_event_without_records_is_refused(consumer: Consumer, event: Any) -> None:
    """An answer would delete what it did not name; an exception deletes nothing."""
    with pytest.raises(consumer.app.MalformedEvent):
        consumer.app.lambda_handler(event, consumer.context)
    assert [line["why"] for line in consumer.lines("batch_refused")] == ["the event has no list of records"]


@pytest.mark.parametrize(
    "broken",
    [None, "text", {}, {"messageId": None}, {"messageId": ""}, {"messageId": 7}, {"body": "secret"}],
    ids=repr,
)
def test_a_record_that_cannot_be_named_stops_the_batch_before_it_begins(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    """The record could only be kept by keeping all, so none is processed: that would be work done twice."""
    seen = fail_on(consumer, monkeypatch, {})
    with pytest.raises(consumer.app.MalformedEvent):
        consumer.invoke(record(), broken)
    assert seen == []
    assert [line["why"] for line in consumer.lines("batch_refused")] == ["a record has no message id"]


@pytest.mark.parametrize("missing", ["body", "attributes", "messageAttributes", "receiptHandle", "eventSourceARN"])
@pytest.mark.parametrize("how", ["left out", "null"])
def test_a_record_that_lacks_anything_but_its_id_fails_or_passes_alone(
    consumer: Consumer, record: RecordFactory, missing: str, how: str
) -> None:
    """What can be named need not take others with it."""
    broken = record("not json")
    del broken[missing]
    if how == "null":
        broken[missing] = None
    assert consumer.invoke(record(), broken, record()) == [broken["messageId"]]
    assert consumer.failure()["message_id"] == broken["messageId"]


def test_a_message_that_came_twice_is_named_once(consumer: Consumer, record: RecordFactory) -> None:
    """Standard queues may deliver twice; both attempts are logged, the answer has the id once."""
    bad = record("not json")
    assert consumer.invoke(bad, record(), dict(bad)) == [bad["messageId"]]
    assert len(consumer.lines("record_failed")) == 2


def test_a_message_of_which_one_copy_failed_stays(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A success cannot outvote a failure of the same message."""
    fail_on(consumer, monkeypatch, {"bad": ValueError("bad")})
    good, bad = record("good"), record("bad")
    good["messageId"] = bad["messageId"]
    assert consumer.invoke(bad, good) == [bad["messageId"]]


async def _coroutine(message: Any) -> None:
    raise AssertionError


def _generator(message: Any) -> Iterator[None]:
    yield


async def _asynchronous_generator(message: Any) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("rule", [_coroutine, _generator, _asynchronous_generator])
def test_a_rule_that_never_ran_does_not_delete_its_message(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch, rule: Any
) -> None:
    """Calling an `async` rule returns at once with nothing done, which must not pass for success."""
    monkeypatch.setattr(consumer.processing, "process", rule)
    item = record()
    assert consumer.invoke(item) == [item["messageId"]]
    assert "plain function" in consumer.failure()["error"]


def test_a_rule_that_changes_its_message_cannot_change_the_answer(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id that names a failure is read from our own copy of the record."""

    def process(message: Any) -> None:
        message.raw_event.clear()
        raise ValueError("after the damage")

    monkeypatch.setattr(consumer.processing, "process", process)
    item = record("body")
    assert consumer.invoke(item) == [item["messageId"]]
    assert consumer.failure()["body_sha256"]


@pytest.mark.parametrize("name", ["process", "PermanentError", "TransientError"])
def test_a_name_that_its_owner_left_out_loses_nothing(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A replaced processing.py may lack a name; its messages then fail, or are unclassified, and stay."""
    monkeypatch.delattr(consumer.processing, name)
    item = record("not json")
    assert consumer.invoke(item) == [item["messageId"]]


def test_the_event_is_never_logged_even_when_powertools_is_told_to(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One variable would otherwise write every body into the log."""
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    consumer.invoke(record("not json but private"))
    assert "private" not in consumer.printed()
