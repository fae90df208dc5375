"""The failure line is the only way a reason leaves Lambda: its keys, types and meaning are a contract."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from consumer_under_test import QUEUE_ARN, ROOT, Consumer, RecordFactory

# The whole of schema 1. Keys may be added; a change to one of these is a new schema.
SCHEMA_1 = {
    "event": str,
    "schema": int,
    "message_id": str,
    "receive_count": int,
    "error_type": str,
    "error": str,
    "fingerprint": str,
    "failed_in": str,
    "body_sha256": str,
    "request_id": str,
    "queue_arn": str,
    "permanent": bool,
    "traceback": str,
}
LOGGERS_OWN = {"level", "timestamp", "message", "service", "location", "function_name"}


def failing(consumer: Consumer, monkeypatch: pytest.MonkeyPatch, rule: Any) -> None:
    """Make `rule` the business rule."""
    monkeypatch.setattr(consumer.processing, "process", rule)


def test_the_line_has_every_key_of_the_schema(consumer: Consumer, record: RecordFactory) -> None:
    """Readers may rely on each key being there, with its type, in every line."""
    consumer.invoke(record("not json"))
    line = consumer.failure()
    assert {key: type(line[key]) for key in SCHEMA_1} == SCHEMA_1
    assert set(line) >= LOGGERS_OWN


def test_the_line_says_what_happened(consumer: Consumer, record: RecordFactory) -> None:
    """The values are those of the record, the error and the invocation."""
    item = record("not json", receives=2)
    consumer.invoke(item)
    line = consumer.failure()
    fingerprint = line.pop("fingerprint")
    assert re.fullmatch(r"[0-9a-f]{12}", fingerprint)
    assert line["traceback"].endswith("PermanentError")  # test_traceback.py reads the rest of it
    assert {key: line[key] for key in SCHEMA_1 if key not in ("fingerprint", "traceback")} == {
        "event": "record_failed",
        "schema": 1,
        "message_id": item["messageId"],
        "receive_count": 2,
        "error_type": "PermanentError",
        "error": "the body is not JSON",
        "failed_in": "processing._parse",
        "body_sha256": hashlib.sha256(b"not json").hexdigest(),
        "request_id": consumer.context.aws_request_id,
        "queue_arn": QUEUE_ARN,
        "permanent": True,
    }
    assert (line["level"], line["message"], line["function_name"]) == ("ERROR", "record failed", "processor")


def test_the_time_is_written_as_lambda_reads_it(consumer: Consumer, record: RecordFactory) -> None:
    """With another form Lambda takes the line for INFO, and drops it when only errors are kept."""
    consumer.invoke(record("not json"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", consumer.failure()["timestamp"])


def test_what_is_not_known_is_empty_and_not_absent(consumer: Consumer) -> None:
    """A record of which only the id is left still makes a whole line."""
    consumer.invoke({"messageId": "only-an-id"})
    line = consumer.failure()
    assert {key: type(line[key]) for key in SCHEMA_1} == SCHEMA_1
    assert (line["receive_count"], line["queue_arn"], line["body_sha256"]) == (0, "", "")


@pytest.mark.parametrize("count", ["many", None, "", {}, float("inf")], ids=repr)
def test_a_receive_count_that_is_no_number_is_zero(consumer: Consumer, record: RecordFactory, count: Any) -> None:
    """The line is written whatever the attributes hold."""
    item = record("not json")
    item["attributes"]["ApproximateReceiveCount"] = count
    consumer.invoke(item)
    assert consumer.failure()["receive_count"] == 0


def test_an_error_without_a_text_says_so(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that raises when it is printed is described all the same."""

    def process(message: Any) -> None:
        raise type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})

    failing(consumer, monkeypatch, process)
    consumer.invoke(record())
    assert consumer.failure()["error"] == "the text of the error could not be read"


def test_half_a_surrogate_pair_does_not_lose_the_line(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No stream can encode it as it is, and the logger would drop the line in silence."""

    def process(message: Any) -> None:
        raise ValueError("half \ud800 a pair")

    failing(consumer, monkeypatch, process)
    consumer.invoke(record())
    printed = consumer.printed()
    printed.encode("utf-8")
    assert json.loads(printed.splitlines()[0])["error"] == "half \ud800 a pair"


def test_a_long_text_is_cut(consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line stays far below what a log event may hold."""

    def process(message: Any) -> None:
        raise ValueError("x" * 10_000_000)

    failing(consumer, monkeypatch, process)
    consumer.invoke(record())
    error = consumer.failure()["error"]
    assert len(error) == consumer.failures.ERROR_MAX_CHARACTERS
    assert error.endswith("x\N{HORIZONTAL ELLIPSIS}")


def test_the_place_is_the_innermost_function_of_the_code_folder(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library below it is the same for every caller; the function of ours is what its owner can mend."""
    monkeypatch.setattr(consumer.processing, "_parse", json.loads)
    consumer.invoke(record("not json"))
    assert consumer.failure()["failed_in"] == "processing.process"


def test_packages_installed_beside_the_code_are_not_ours(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """`sam build` puts the requirements into the folder of the code; their own lists tell them apart."""
    (tmp_path / "library-1.0.dist-info").mkdir()
    (tmp_path / "library-1.0.dist-info" / "RECORD").write_text("library/__init__.py,sha256=x,10\nsingle.py,,\n")
    monkeypatch.setattr(consumer.failures, "_CODE_FOLDER", f"{tmp_path}/")
    consumer.failures._installed_names.cache_clear()
    namespace: dict[str, Any] = {"__name__": "library"}
    exec(compile("def call(): return 1 / 0", f"{tmp_path}/library/__init__.py", "exec"), namespace)
    ours: dict[str, Any] = {**namespace, "__name__": "mine"}
    source = "def process(message): call()"
    exec(compile(source, f"{tmp_path}/mine.py", "exec"), ours)
    failing(consumer, monkeypatch, ours["process"])
    consumer.invoke(record())
    assert consumer.failure()["failed_in"] == "mine.process"
    assert consumer.failures._installed_names() == {"library", "single.py"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 12 not found", "order 13457 not found"),
        ("order 8f14e45f-ceea-467f-a0e6-0a1b2c3d4e5f gone", "order 0e6f0a1b-2c3d-4e5f-8f14-e45fceea467f gone"),
        ("late since 2024-06-07T08:00:00.1Z", "late since 2025-01-01T23:59:59.999Z"),
        ("took 1.5 s", "took 12 s"),
        ("no such key: AKIA1234EXAMPLE", "no such key: AKIA99EXAMPLE"),
        ("list of [1, 2] refused", "list of [1, 2, 3, 4] refused"),
    ],
)
def test_numbers_and_ids_do_not_change_the_fingerprint(consumer: Consumer, one: str, other: str) -> None:
    """Failures that differ in nothing else are one group."""
    fingerprint = consumer.failures.fingerprint
    assert fingerprint("ValueError", "processing.process", one) == fingerprint(
        "ValueError", "processing.process", other
    )


def test_type_place_and_words_each_change_the_fingerprint(consumer: Consumer) -> None:
    """What an engineer would call another failure is another group."""
    base = ("ValueError", "processing.process", "no such order")
    others = [("KeyError", *base[1:]), (base[0], "processing.other", base[2]), (*base[:2], "no such customer")]
    prints = {consumer.failures.fingerprint(*parts) for parts in [base, *others]}
    assert len(prints) == 4


@pytest.mark.parametrize(
    "names", [("Ann", "Bob Miller"), ("Zoë", "X"), ("o'Hara", "Jo"), ("Ann", "man with a long name, " * 30 + "Jr")]
)
def test_what_the_message_holds_does_not_change_the_fingerprint(
    consumer: Consumer, record: RecordFactory, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]
) -> None:
    """The same failure of two messages is one group, though the text quotes each."""

    def process(message: Any) -> None:
        raise ValueError(f"no customer called {message.json_body['name']} is known")

    failing(consumer, monkeypatch, process)
    consumer.invoke(*(record(json.dumps({"name": name, "note": "the customer is unknown"})) for name in names))
    first, second = consumer.lines("record_failed")
    assert second["error"] == "no customer called *** is known"
    assert first["fingerprint"] == second["fingerprint"]
    assert first["error"] == "no customer called *** is known"


def test_the_fingerprint_is_what_it_was(consumer: Consumer) -> None:
    """It is kept in logs and runbooks: a change of the rule would part the old from the new."""
    assert consumer.failures.fingerprint("KeyError", "processing.process", "'total' 7") == "9bc8500fc050"


def test_nothing_else_that_is_printed_counts_as_a_failure_line(consumer: Consumer, record: RecordFactory) -> None:
    """A message that was handled leaves no failure line, and one that failed leaves one."""
    consumer.invoke(record(), record("not json"), record())
    events = [line.get("event") for line in consumer.lines()]
    assert events.count("record_failed") == 1
    assert events.count("message_processed") == 2


def test_the_contract_is_written_down() -> None:
    """Every key of the schema has its row in the document."""
    document = (ROOT / "docs" / "failure-line.md").read_text(encoding="utf-8")
    assert [key for key in SCHEMA_1 if f"| `{key}` |" not in document] == []
