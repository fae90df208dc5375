from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from opstool.engine.reasons.join import Join
from opstool.engine.reasons.stream import Entry, Stream
from opstool.words.logevent import LogEvent, Sought
from opstool.words.reason import Evidence

RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "errors.json").read_text("utf-8"))
A = "8f14e45f-ceea-467f-9d6b-3d0a7b9c1e21"
B = "c9f0f895-fb98-4b91-8e2d-0a1b2c3d4e5f"
C = "45c48cce-2e2d-4fbd-aa1a-fc51c7c6ad26"
R1 = "3c1b2a90-5d6e-5f70-8a91-b2c3d4e5f607"
R2 = "4d2c3ba1-6e7f-5081-9ba2-c3d4e5f60718"
GROUP = "/aws/lambda/orders"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
START, END = f"START RequestId: {R1} Version: $LATEST", f"END RequestId: {R1}"
TIMEOUT = f"2026-11-20T03:00:04.130Z {R1} Task timed out after 3.00 seconds"
UNHANDLED = (
    '[ERROR] ValueError: no total\nTraceback (most recent call last):\n  File "/var/task/app.py", line 3, in f\n    x'
)
FAILURE: dict[str, Any] = {
    "event": "record_failed",
    "schema": 1,
    "message_id": A,
    "receive_count": 1,
    "error_type": "ValueError",
    "error": "no total",
    "fingerprint": "0123456789ab",
    "request_id": R1,
    "permanent": True,
    "function_name": "orders-consumer",
    "xray_trace_id": "1-6740a1b2-0123456789abcdef01234567",
    "traceback": "processing.process",
}


def events(lines: Iterable[str], *, at_ms: int = 1_000, stream: str = "s", group: str = GROUP) -> list[LogEvent]:
    """Return the events of one stream, ten milliseconds apart."""
    return [
        LogEvent(log_group=group, log_stream=stream, at_ms=at_ms + 10 * number, text=line)
        for number, line in enumerate(lines)
    ]


def sought(*ids: str, **values: Any) -> list[Sought]:
    """Return messages that are sought."""
    return [Sought(message_id=one, sent_at_ms=0, source_arn=QUEUE, **values) for one in ids]


def joined(*given: list[LogEvent], ids: tuple[str, ...] = (A,), **values: Any) -> Join:
    """Return a join that was given events."""
    join = Join(sought(*ids), **values)
    for event in [event for several in given for event in several]:
        join.add(event)
    return join


def told(join: Join) -> dict[str, tuple[str, str, Evidence]]:
    """Return type, text and evidence of each reason."""
    return {one: (reason.type, reason.message, reason.evidence) for one, reason in join.reasons().items()}


def test_our_consumers_line_is_taken_exactly() -> None:
    """Every value that it has, and the traceback with the attempt."""
    join = joined(events([json.dumps(FAILURE)]), function_of={GROUP: "orders"})
    reason = join.reasons()[A]
    assert (reason.type, reason.message, reason.fingerprint) == ("ValueError", "no total", "0123456789ab")
    assert (reason.request_id, reason.permanent, reason.trace_id) == (R1, True, FAILURE["xray_trace_id"])
    assert (reason.function, reason.log_group, reason.log_stream) == ("orders-consumer", GROUP, "s")
    assert (reason.evidence, reason.attempts, reason.at_ms) == (Evidence.LINE, 1, 1_000)
    (attempt,) = join.attempts(A)
    assert (attempt.receive_count, attempt.traceback) == (1, "processing.process")


def test_our_consumers_line_wins_over_everything() -> None:
    """Also over what ended the invocation later."""
    join = joined(events([START, f"handling {A}", json.dumps(FAILURE), TIMEOUT, END]))
    assert told(join) == {A: ("ValueError", "no total", Evidence.LINE)}


@pytest.mark.parametrize("shape", [pytest.param(one, id=one["name"]) for one in RECORDED if one["type"]])
def test_every_recorded_error_explains_the_message_of_its_invocation(shape: dict[str, Any]) -> None:
    """By the line itself where it names the message, else by the line that named it before."""
    named = A in shape["text"]
    join = joined(events([START, f"handling {A}", shape["text"], END]))
    assert told(join) == {A: (shape["type"], shape["message"], Evidence.LINE if named else Evidence.REQUEST)}
    assert (join.unexplained(), join.moments()) == (set(), set())


@pytest.mark.parametrize("shape", [pytest.param(one, id=one["name"]) for one in RECORDED if not one["type"]])
def test_a_line_that_is_no_error_explains_nothing(shape: dict[str, Any]) -> None:
    """Naming a message is not saying that it failed."""
    assert joined(events([START, shape["text"], END])).unexplained() == {A}


PIECES = {
    "python": (
        ["Traceback (most recent call last):", '  File "/var/task/app.py", line 3, in total', "    x", "KeyError: 'y'"],
        ("KeyError", "'y'"),
    ),
    "python, a class of its own": (
        ["Traceback (most recent call last):", '  File "/var/task/app.py", line 3, in total', "app.BadTotal: no total"],
        ("BadTotal", "no total"),
    ),
    "python, a chain": (
        [
            "Traceback (most recent call last):", '  File "/var/task/app.py", line 3, in total', "KeyError: 'y'",
            "During handling of the above exception, another exception occurred:",
            "Traceback (most recent call last):", '  File "/var/task/app.py", line 9, in process', "ValueError: none",
        ],
        ("ValueError", "none"),
    ),
    "java": (
        [
            "com.example.BadTotalException: no total", "\tat com.example.Handler.total(Handler.java:3)",
            "Caused by: java.lang.NumberFormatException: x", "\tat java.lang.Integer.parseInt(Unknown Source)",
        ],
        ("com.example.BadTotalException", "no total"),
    ),
    "node": (
        ["TypeError: x is not a function", "    at total (/var/task/index.js:5:37)"],
        ("TypeError", "x is not a function"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), [pytest.param(*value, id=key) for key, value in PIECES.items()])
@pytest.mark.parametrize("apart_ms", [0, 1], ids=["in one millisecond", "in several"])
def test_a_traceback_printed_line_by_line_is_put_together(
    lines: list[str], expected: tuple[str, str], apart_ms: int
) -> None:
    """Lambda makes an event of each line that is printed."""
    join = Join(sought(A))
    for number, text in enumerate([f"handling {A}", *lines]):
        join.add(LogEvent(log_group=GROUP, log_stream="s", at_ms=1_000 + number * apart_ms, text=text))
    assert told(join) == {A: (*expected, Evidence.REQUEST)}
    (attempt,) = join.attempts(A)
    assert attempt.traceback is not None
    assert "/var/task" in attempt.traceback or "Handler.java" in attempt.traceback


def test_an_error_is_of_the_message_that_was_named_last() -> None:
    """Of each that the invocation handled, and not of one that came after."""
    lines = [START, f"handling {A}", "KeyError: 'a'", f"handling {B}", "ValueError: b", f"handling {C}", END]
    join = joined(events(lines), ids=(A, B, C))
    assert told(join) == {A: ("KeyError", "'a'", Evidence.REQUEST), B: ("ValueError", "b", Evidence.REQUEST)}
    assert join.unexplained() == {C}
    assert join.moments() == {1_050}


def test_an_error_after_a_line_about_another_message_is_not_ours() -> None:
    """It is told by its form: the same words before an id that is not sought."""
    assert joined(events([START, f"handling {A}", f"handling {B}", "ERROR no total", END])).unexplained() == {A}


@pytest.mark.parametrize(
    "last",
    [
        pytest.param((TIMEOUT, "Sandbox.Timedout"), id="timeout"),
        pytest.param((UNHANDLED, "ValueError"), id="exception"),
        pytest.param(
            (f"RequestId: {R1} Error: Runtime exited with error: exit status 1", "Runtime.ExitError"), id="exit"
        ),
        pytest.param((f"REPORT RequestId: {R1}\tDuration: 5.00 ms\tStatus: timeout", "Sandbox.Timedout"), id="report"),
    ],
)
def test_what_ended_the_invocation_is_of_all_that_have_no_error_of_their_own(last: tuple[str, str]) -> None:
    """The one that failed before it keeps its error."""
    lines = [START, f"handling {A}", "KeyError: 'a'", f"handling {B}", f"handling {C}", last[0], END]
    types = {one: reason.type for one, reason in joined(events(lines), ids=(A, B, C)).reasons().items()}
    assert types == {A: "KeyError", B: last[1], C: last[1]}


def test_a_process_that_was_killed_with_its_memory_full_ran_out_of_memory() -> None:
    """Two lines of Lambda's together."""
    killed = f"RequestId: {R1} Error: Runtime exited with error: signal: killed\nRuntime.ExitError"
    report = f"REPORT RequestId: {R1}\tDuration: 5.00 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB"
    assert joined(events([START, f"handling {A}", killed, END, report])).reasons()[A].type == "Runtime.OutOfMemory"


def test_code_that_cannot_be_loaded_is_reported_before_start() -> None:
    """The init phase has no request id; its report belongs to the invocation that follows."""
    init = "[ERROR] Runtime.ImportModuleError: Unable to import module 'app'"
    report = f"REPORT RequestId: {R1}\tDuration: 5.00 ms\tStatus: error\tError Type: Runtime.ImportModuleError"
    join = Join(sought(A, first_received_at_ms=900))
    for event in events([init, START, END, report]):
        join.add(event)
    assert told(join) == {A: ("Runtime.ImportModuleError", "Unable to import module 'app'", Evidence.TIME)}


def test_sandboxes_that_run_at_once_are_kept_apart() -> None:
    """Lines of two streams, mixed in time."""
    one = events([START, f"handling {A}", "KeyError: 'a'", END], stream="one")
    two = events(
        [START.replace(R1, R2), f"handling {B}", "ValueError: b", END.replace(R1, R2)], at_ms=1_005, stream="two"
    )
    mixed = sorted([*one, *two], key=lambda event: event.at_ms)
    types = {one: reason.type for one, reason in joined(mixed, ids=(A, B)).reasons().items()}
    assert types == {A: "KeyError", B: "ValueError"}


def test_two_functions_on_one_queue_both_count() -> None:
    """Each attempt with its own; the reason is that of the last."""
    first = events([f"failed to process {A}: KeyError('a')"], group=GROUP)
    second = events([f"failed to process {A}: ValueError('b')"], group="/aws/lambda/other", at_ms=40_000)
    join = joined(second, first, function_of={GROUP: "orders", "/aws/lambda/other": "other"})
    reason = join.reasons()[A]
    assert (reason.type, reason.function, reason.attempts) == ("ValueError", "other", 2)
    assert [attempt.type for attempt in join.attempts(A)] == ["KeyError", "ValueError"]


def test_lines_of_one_invocation_are_one_attempt() -> None:
    """A text, then the exception again with its traceback: the one that says more is the reason."""
    lines = [START, f"could not handle {A}", f"ERROR {A}: ValueError: no total", END]
    assert told(joined(events(lines))) == {A: ("ValueError", "no total", Evidence.LINE)}
    assert joined(events(lines)).reasons()[A].attempts == 1


def test_an_exception_that_escapes_tells_more_than_the_words_before_it() -> None:
    """Of the message that was being handled; what Lambda ended later may have been another's doing."""
    lines = [START, f"could not handle {A}", f"could not handle {B}"]
    both = joined(events([*lines, UNHANDLED, END]), ids=(A, B)).reasons()
    assert {one: reason.type for one, reason in both.items()} == {A: "Error", B: "ValueError"}
    both = joined(events([*lines, TIMEOUT, END]), ids=(A, B)).reasons()
    assert {one: reason.type for one, reason in both.items()} == {A: "Error", B: "Error"}


def test_attempts_are_counted_by_invocation() -> None:
    """Where the log has no START, by time: a second is too short to be handed out again."""
    line = f"failed to process {A}: KeyError('a')"
    apart = [*events([line, line]), *events([line], at_ms=31_000), *events([line], at_ms=61_000)]
    assert joined(apart).reasons()[A].attempts == 3
    known = [*events([START, line, line, END]), *events([START.replace(R1, R2), line], at_ms=31_000)]
    assert joined(known).reasons()[A].attempts == 2


@pytest.mark.parametrize(
    "text",
    [f"failed {word}: KeyError('x')" for word in (f"{A}0", f"x{A}", f"{A}-{B}", A[:-1])],
    ids=["longer", "prefixed", "joined", "cut"],
)  # fmt: skip
def test_an_id_is_a_whole_word(text: str) -> None:
    """A part of a longer word is no id, though the letters are there."""
    assert joined(events([text])).unexplained() == {A}


def test_a_line_that_names_several_is_evidence_against_none() -> None:
    """Unless a key of JSON says which of them it is about."""
    both = joined(events([f"{A} and {B} failed\n{UNHANDLED[UNHANDLED.find('Trace') :]}\nValueError: no"]), ids=(A, B))
    assert told(both) == dict.fromkeys((A, B), ("ValueError", "no", Evidence.REQUEST))
    assert all(attempt.traceback for one in (A, B) for attempt in both.attempts(one))
    dump = [START, f"batch {A} {B}", f"handling {A}", "KeyError: 'a'", END]
    assert joined(events(dump), ids=(A, B)).reasons().keys() == {A}
    keyed = json.dumps({"level": "ERROR", "messageId": A, "error": "ValueError: no", "body": f"see {B}"})
    assert told(joined(events([keyed]), ids=(A, B))) == {A: ("ValueError", "no", Evidence.LINE)}


def test_a_line_about_another_message_that_quotes_ours_is_not_ours() -> None:
    """A body may hold any id; the key says whose line it is."""
    keyed = json.dumps({"level": "ERROR", "messageId": B, "error": "ValueError: no", "body": f"see {A}"})
    assert joined(events([START, keyed, END])).unexplained() == {A}


def test_what_a_body_says_is_no_error_of_the_consumer() -> None:
    """An event that is printed holds bodies, and a body may say anything."""
    record = {"messageId": A, "receiptHandle": "h", "body": "ValueError: failed", "eventSourceARN": QUEUE}
    for text in (json.dumps({"Records": [record]}), str({"Records": [record]}), f"got {record}"):
        assert joined(events([START, text, END])).unexplained() == {A}


def test_time_is_evidence_where_no_line_names_the_message() -> None:
    """A plain handler: what failed just after the first receive, and after each visibility timeout."""
    given = []
    for number in range(3):
        request = R1[:-1] + str(number)
        lines = [START.replace(R1, request), UNHANDLED, END.replace(R1, request)]
        given += events(lines, at_ms=100_000 + 30_000 * number, stream=str(number))
    join = Join(sought(A, first_received_at_ms=99_500, receive_count=4), visibility_timeout_of={QUEUE: 30})
    for event in given:
        join.add(event)
    reason = join.reasons()[A]
    assert (reason.type, reason.evidence, reason.attempts) == ("ValueError", Evidence.TIME, 3)
    assert reason.request_id == R1[:-1] + "2"


@pytest.mark.parametrize(
    ("first_received_at_ms", "explained"),
    [(100_000, True), (101_000, True), (85_000, True), (84_999, False), (101_001, False), (None, False)],
)
def test_time_is_evidence_within_bounds(first_received_at_ms: int | None, explained: bool) -> None:
    """From a second before the first receive to fifteen after it."""
    join = Join(sought(A, first_received_at_ms=first_received_at_ms))
    for event in events([START, UNHANDLED, END], at_ms=100_000):
        join.add(event)
    assert (join.reasons().keys() == {A}) is explained


def test_time_is_no_evidence_when_failures_differ() -> None:
    """Then nobody knows which of them it was."""
    other = [START.replace(R1, R2), UNHANDLED.replace("ValueError", "KeyError"), END.replace(R1, R2)]
    join = Join(sought(A, first_received_at_ms=1_000))
    for event in [*events([START, UNHANDLED, END], stream="one"), *events(other, stream="two")]:
        join.add(event)
    assert join.unexplained() == {A}


def test_time_is_no_evidence_for_another_queues_function() -> None:
    """A log group may be known to serve another queue."""
    for source, explained in ((QUEUE, {A}), ("arn:aws:sqs:eu-west-1:123456789012:other", set())):
        join = Join(sought(A, first_received_at_ms=1_000), sources_of={GROUP: [source]})
        for event in events([START, UNHANDLED, END]):
            join.add(event)
        assert join.reasons().keys() == explained


def test_time_is_no_evidence_against_a_function_that_names_its_messages() -> None:
    """It would have named ours."""
    join = Join(sought(A, B, first_received_at_ms=1_000))
    for event in events([START, f"handling {B}", UNHANDLED, END]):
        join.add(event)
    assert join.reasons().keys() == {B}


def test_a_message_that_was_throttled_has_no_reason() -> None:
    """No line at all, or only lines of invocations that went well."""
    assert joined().unexplained() == {A}
    join = Join(sought(A, first_received_at_ms=1_000))
    for event in events([START, "all is well", END]):
        join.add(event)
    assert join.unexplained() == {A}


def test_what_is_wanted_next_is_what_stands_around_the_line() -> None:
    """Whether it has a request id or not; nothing once there is an error."""
    info = f"[INFO]\t2026-11-20T03:00:01.123Z\t{R1}\thandling {A}"
    join = joined(events([info]))
    assert join.moments() == {1_000}
    for event in events([f"2026-11-20T03:00:04.130Z {R1} Task timed out after 3.00 seconds"], at_ms=4_000):
        join.add(event)
    assert (join.moments(), told(join)[A][0]) == (set(), "Sandbox.Timedout")
    assert joined(events([f"handling {A}"])).moments() == {1_000}


def test_a_second_pass_over_one_millisecond_sets_the_new_lines_in_their_places() -> None:
    """First the lines that name messages are asked for, then all lines of their invocations."""
    one, two, error, other, begin = (Entry(template=name) for name in ("one", "two", "error", "other", "begin"))
    stream = Stream()
    for items in ((one, two), (begin, one, error, two, other), (one, two), (error, other)):
        stream.put(4, "a line of another millisecond")
        for item in items:
            stream.put(5, item)
    assert [item for at_ms, item in stream.ordered() if at_ms == 5] == [begin, one, error, two, other]


def test_ten_thousand_messages_with_five_attempts_each_fit_into_memory() -> None:
    """About 50 MB: a tenth of the messages must not take more than a tenth of it, with Lambda's lines around each."""
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(1_000)]
    join = Join(sought(*ids))
    tracemalloc.start()
    try:
        for attempt in range(5):
            for number, message_id in enumerate(ids):
                request = f"{number:08x}-{attempt:04x}-4000-8000-000000000001"
                failure = FAILURE | {"message_id": message_id, "request_id": request, "receive_count": attempt + 1}
                failure["traceback"] = "x" * 1_000 + str(number % 50)
                lines = [START.replace(R1, request), json.dumps(failure), END.replace(R1, request)]
                for event in events(lines, at_ms=attempt * 1_000_000 + number * 100, stream=str(number % 20)):
                    join.add(event)
        reasons = join.reasons()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {reason.attempts for reason in reasons.values()} == {5}
    assert peak < 5_500_000


@pytest.mark.parametrize(
    "lines",
    [
        ["ValueError: a", f"ERROR failed {A}", "KeyError: b", f"ERROR failed {B}"],
        [f"received {A}", f"received {B}", "ValueError: a", f"ERROR failed {A}", "KeyError: b", f"ERROR failed {B}"],
        [f"handling {A}", "ValueError: a", f"ERROR failed {A}", f"handling {B}", "KeyError: b", f"ERROR failed {B}"],
    ],
    ids=["only then", "and all of them first", "and each of them first"],
)
def test_an_error_is_the_next_lines_that_says_whose_it_is(lines: list[str]) -> None:
    """A handler that prints the traceback, and then which message failed."""
    for ids in ((A, B), (B, A)):
        join = joined(events([START, *lines, END]), ids=ids)
        assert {one: reason.type for one, reason in join.reasons().items()} == {A: "ValueError", B: "KeyError"}
    assert {reason.type for reason in joined(events([START, *lines, END])).reasons().values()} == {"ValueError"}


def test_a_traceback_in_a_body_that_is_printed_is_no_error_of_the_consumers() -> None:
    """Neither in a repr of the event nor in JSON behind a prefix."""
    body = "Traceback (most recent call last):\nValueError: of the body"
    record = {"messageId": A, "receiptHandle": "x", "body": body}
    event = {"Records": [record]}
    for line in (f"event: {event!r}", f"event: {json.dumps(event)}"):
        assert joined(events([START, line, END])).reasons() == {}


def test_nothing_is_claimed_where_an_error_may_be_of_the_line_before_or_after() -> None:
    """An error first and a name last: the lines need not be about what stands above them."""
    lines = [START, "ValueError: a", f"{A} is given back", "KeyError: b", f"{B} is given back", END]
    assert joined(events(lines), ids=(A, B)).reasons() == {}


@pytest.mark.parametrize(
    ("times", "claimed"),
    [((0, 1, 2, 3), {A: "KeyError", B: "ValueError"}), ((0, 1, 1, 2), {}), ((0, 0, 0, 0), {}), ((0, 1, 2, 2), {})],
    ids=["a millisecond each", "an error with the next name", "all in one", "the last two in one"],
)
def test_whose_an_error_is_has_to_be_told_by_the_times(times: tuple[int, ...], claimed: dict[str, str]) -> None:
    """Lines of one millisecond may come in any order from a query, so nothing is claimed by their order."""
    lines = [f"processing {A}", "error: KeyError: 'total'", f"processing {B}", "error: ValueError: no total"]
    given = [
        LogEvent(log_group=GROUP, log_stream="s", at_ms=1_000 + at_ms, text=line)
        for at_ms, line in zip(times, lines, strict=True)
    ]
    found = {one: reason.type for one, reason in joined(given, ids=(A, B)).reasons().items()}
    assert {one: kind for one, kind in found.items() if one in claimed} == claimed
    assert all(found.get(one) in {None, kind} for one, kind in {A: "KeyError", B: "ValueError"}.items())


def test_a_dump_of_a_batch_does_not_make_the_next_error_that_of_the_one_sought() -> None:
    """Seeking one message, its neighbours are ids too: two kinds of errors after the dump are nobody's."""
    dump = json.dumps({"Records": [{"messageId": one, "body": "{}"} for one in (A, B, C)]})
    join = joined(events([START, dump, "KeyError: 'total'", "ValueError: no total", END]))
    assert join.reasons() == {}
