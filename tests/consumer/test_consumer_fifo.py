"""On a FIFO queue the order of a group is part of the message."""

from __future__ import annotations

from typing import Any

import pytest
from consumer_under_test import FIFO_ARN, Consumer, RecordFactory


@pytest.fixture
def attempted(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the bodies that were attempted; those that begin with "bad" fail."""
    bodies: list[str] = []

    def process(message: Any) -> None:
        bodies.append(message.body)
        if message.body.startswith("bad"):
            raise ValueError("told to fail")

    monkeypatch.setattr(consumer.processing, "process", process)
    return bodies


def test_a_group_stops_at_its_first_failure_and_other_groups_go_on(
    consumer: Consumer, record: RecordFactory, attempted: list[str]
) -> None:
    """The failed message and all after it in its group stay; the others are done."""
    batch = [
        record("a1", group="a"),
        record("bad a2", group="a"),
        record("b1", group="b"),
        record("a3", group="a"),
        record("b2", group="b"),
        record("bad a4", group="a"),
    ]
    assert consumer.invoke(*batch) == [batch[i]["messageId"] for i in (1, 3, 5)]
    assert attempted == ["a1", "bad a2", "b1", "b2"]


def test_a_skipped_message_says_which_one_it_waited_for(
    consumer: Consumer, record: RecordFactory, attempted: list[str]
) -> None:
    """It counts as received and may be dead-lettered for it, so it has a line of its own."""
    bad = record("bad", group="a")
    after = record(f"message of its group, not attempted before {bad['messageId']}", group="a", receives=3)
    consumer.invoke(bad, after)
    line = consumer.lines("record_failed")[1]
    assert line["message_id"] == after["messageId"]
    assert line["error_type"] == "PredecessorFailed"
    assert line["error"] == f"not attempted: message {bad['messageId']} of its group failed before it"
    assert (line["receive_count"], line["permanent"], line["failed_in"]) == (3, False, "")


def test_a_failure_of_one_batch_does_not_stop_the_group_in_the_next(
    consumer: Consumer, record: RecordFactory, attempted: list[str]
) -> None:
    """The execution environment is used again; what it remembers of a batch must not be."""
    consumer.invoke(record("bad", group="a"))
    assert consumer.invoke(record("good", group="a")) == []


def test_a_standard_queue_goes_on_after_a_failure(
    consumer: Consumer, record: RecordFactory, attempted: list[str]
) -> None:
    """Groups on a standard queue are for fairness and promise no order."""
    batch = [record("bad"), record("good")]
    for item in batch:
        item["attributes"]["MessageGroupId"] = "tenant"
    assert consumer.invoke(*batch) == [batch[0]["messageId"]]


@pytest.mark.parametrize("attributes", [None, {}, {"MessageGroupId": None}, {"MessageGroupId": ""}], ids=repr)
def test_records_without_a_group_count_as_one_group(
    consumer: Consumer, record: RecordFactory, attempted: list[str], attributes: Any
) -> None:
    """When the group is not known, the order of all of them is kept."""
    batch = [record("bad"), record("good")]
    for item in batch:
        item.update(attributes=attributes, eventSourceARN=FIFO_ARN)
    assert consumer.invoke(*batch) == [item["messageId"] for item in batch]
