"""The metrics say what became of the messages, at a bounded price."""

from __future__ import annotations

import json
from typing import Any

import pytest
from consumer_under_test import Consumer, RecordFactory


def metrics(consumer: Consumer) -> dict[tuple[str, ...], float]:
    """Return what was published: name and dimension values, with their value."""
    found = {}
    for line in consumer.lines():
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            (dimensions,) = directive["Dimensions"]
            for metric in directive["Metrics"]:
                key = (directive["Namespace"], metric["Name"], *(line[name] for name in sorted(dimensions)))
                assert key not in found
                (found[key],) = line[metric["Name"]]
                assert metric["Unit"] == "Count"
    return found


def test_a_batch_is_counted(consumer: Consumer, record: RecordFactory) -> None:
    """Processed and failed by service, failed by type as well; without settings, under names of our own."""
    consumer.invoke(record(), record("not json"), record(), record("[]"))
    assert metrics(consumer) == {
        ("SqsConsumer", "MessagesProcessed", "sqs-consumer"): 2,
        ("SqsConsumer", "MessagesFailed", "sqs-consumer"): 2,
        ("SqsConsumer", "MessagesFailed", "PermanentError", "sqs-consumer"): 2,
    }


def test_the_names_are_the_templates(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Namespace and service come from the environment, and the log has the same service."""
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Shop")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "orders")
    consumer.invoke(record("not json"))
    lines = consumer.lines()
    assert {line["service"] for line in lines} == {"orders"}
    published = [line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in lines if "_aws" in line]
    assert published == ["Shop", "Shop"]


def test_each_batch_is_counted_anew(consumer: Consumer, record: RecordFactory) -> None:
    """The execution environment is used again; its counts are not."""
    consumer.invoke(record("not json"))
    consumer.printed()
    consumer.invoke(record())
    assert metrics(consumer) == {
        ("SqsConsumer", "MessagesProcessed", "sqs-consumer"): 1,
        ("SqsConsumer", "MessagesFailed", "sqs-consumer"): 0,
    }


def test_skipped_messages_are_neither_processed_nor_failed(consumer: Consumer, record: RecordFactory) -> None:
    """The rest of a FIFO group was not attempted."""
    consumer.invoke(record("not json", group="a"), record(group="a"), record(group="a"))
    counted = metrics(consumer)
    assert counted["SqsConsumer", "MessagesSkipped", "sqs-consumer"] == 2
    assert counted["SqsConsumer", "MessagesFailed", "sqs-consumer"] == 1
    assert counted["SqsConsumer", "MessagesProcessed", "sqs-consumer"] == 0


def test_error_types_are_a_fixed_list(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each value is a metric that is paid for; a class counts under the nearest known one above it."""

    def process(message: Any) -> None:
        name, bases = json.loads(message.body)
        known = {"PermanentError": consumer.processing.PermanentError, "OSError": OSError, "Exception": Exception}
        raise type(name, (known[bases],), {})

    monkeypatch.setattr(consumer.processing, "process", process)
    bases = ("PermanentError", "OSError", "Exception")
    consumer.invoke(*(record(json.dumps([f"Error{number}", base])) for base in bases for number in range(20)))
    types = {key[2] for key in metrics(consumer) if len(key) == 4}
    assert types == {"PermanentError", "OSError", "Other"}


def test_metrics_that_cannot_be_published_do_not_lose_the_answer(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The messages are settled by then; an exception would have them all done again."""
    monkeypatch.setattr(consumer.tally.metrics, "flush_metrics", lambda: 1 / 0)
    bad = record("not json")
    assert consumer.invoke(record(), bad) == [bad["messageId"]]
    assert [line["error_type"] for line in consumer.lines("metrics_not_published")] == ["ZeroDivisionError"]
