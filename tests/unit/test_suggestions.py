"""The command after a look: first nothing may be lost, then the reason must be known, then it decides."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from opstool.words.errors import UsageError
from opstool.words.groups.group import Group, Member, grouped
from opstool.words.groups.grouping import Key, grouping_of
from opstool.words.groups.suggestion import Situation, suggest
from opstool.words.groups.transience import is_transient
from opstool.words.logevent import Sought
from opstool.words.reason import Evidence, Reason, ReasonState
from opstool.words.selection import Selection

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
WEEK_MS = 7 * 24 * HOUR_MS
QUEUE = "orders-dlq"
EXPIRING = 5 * HOUR_MS


def why(kind: str = "TimeoutError", text: str = "no answer", permanent: bool | None = None) -> Reason:
    """Return a reason."""
    return Reason(type=kind, message=text, fingerprint="0123456789ab", at_ms=NOW_MS, attempts=1, permanent=permanent)


def a_group(reason: Reason | None = None, state: ReasonState | None = None, **changes: Any) -> Group:
    """Return a group of one message that lasts another week."""
    if reason:
        state = ReasonState.FOUND
    sought = Sought(message_id="an-id", sent_at_ms=NOW_MS - HOUR_MS)
    member = Member(sought=sought, expires_at_ms=NOW_MS + WEEK_MS, reason=reason, state=state)
    [group] = grouped([member], by_reason=True)
    return replace(group, **changes)


def situation(by: str = "reason", **changes: Any) -> Situation:
    """Return what is known beside the group."""
    given: Mapping[str, Any] = {
        "queue_name": QUEUE,
        "retention_s": 1_209_600,
        "is_dlq": True,
        "selection": Selection(),
        "grouping": grouping_of(by),
        "now_ms": NOW_MS,
    }
    return Situation(**{**given, **changes})


def soon(ms: int, **parts: Any) -> Group:
    """Return a group that loses its first message so soon."""
    return a_group(**parts, soonest_expiry_ms=NOW_MS + ms)


@pytest.mark.parametrize(
    ("group", "at", "command"),
    [
        (a_group(why()), situation(), "dlq redrive orders-dlq --reason 0123456789ab"),
        (a_group(why("KeyError", "'id'")), situation(), "dlq show an-id orders-dlq"),
        (a_group(why("Oops", "?")), situation(), "dlq show an-id orders-dlq"),
        (a_group(state=ReasonState.NOT_FOUND), situation(), "doctor orders-dlq"),
        (a_group(state=ReasonState.UNKNOWN), situation(), "iam-policy orders-dlq --for inspect"),
        (soon(EXPIRING, reason=why()), situation(retention_s=345_600), "dlq extend orders-dlq"),
        (
            soon(EXPIRING, reason=why()),
            situation(),
            "dlq export orders-dlq --reason 0123456789ab --to-file 0123456789ab.jsonl",
        ),
        (
            soon(20 * 60_000, reason=why()),
            situation(retention_s=345_600),
            "dlq export orders-dlq --reason 0123456789ab --to-file 0123456789ab.jsonl",
        ),
        (
            soon(-1, state=ReasonState.NOT_FOUND),
            situation(),
            "dlq export orders-dlq --to-file an-id.jsonl",
        ),
        (soon(EXPIRING, state=ReasonState.UNKNOWN), situation(retention_s=60), "dlq extend orders-dlq"),
    ],
    ids=[
        "passing: redrive",
        "lasting: look",
        "undecided: look",
        "no line: doctor",
        "unread: the permission",
        "expiring: keep longer",
        "expiring at the longest retention: copy",
        "too late for a longer retention: copy",
        "expired by our count: copy",
        "expiring comes first",
    ],
)
def test_the_command_is_chosen_by_what_is_known(group: Group, at: Situation, command: str) -> None:
    """One command a group, the one that cannot wait first, and why in words that fit a terminal's line."""
    suggestion = suggest(group, at)
    assert suggestion.command == command
    assert 0 < len(suggestion.why) <= 72


def test_a_day_is_the_limit() -> None:
    """What has a day left can be redriven first."""
    day_ms = 24 * HOUR_MS
    assert suggest(soon(day_ms, reason=why()), situation()).command.startswith("dlq redrive")
    assert suggest(soon(day_ms - 1, reason=why()), situation()).command.startswith("dlq export")


def test_a_command_acts_on_what_was_shown() -> None:
    """The other filters of the look stand in the command too; times are absolute by then."""
    selection = Selection(sent_before_ms=NOW_MS, attributes=(("kind", "it's"),), reason="TimeoutError")
    words = shlex.split(suggest(a_group(why()), situation(selection=selection)).command)
    assert words[3:] == [
        *("--reason", "0123456789ab"),
        *("--older-than", "2027-01-15T08:00:00.000Z"),
        *("--attr", "kind=it's"),
    ]


def test_more_ids_than_can_be_typed_begin_with_one() -> None:
    """A command with a part of them would act on something else than was shown."""
    many = situation(selection=Selection(ids=frozenset(map(str, range(11)))))
    assert suggest(a_group(why()), many).command == "dlq redrive orders-dlq --id an-id"
    few = situation(selection=Selection(ids=frozenset({"an-id"})))
    assert suggest(a_group(why()), few).command == "dlq redrive orders-dlq --id an-id --reason 0123456789ab"


def test_a_copy_of_too_many_does_no_harm() -> None:
    """Where the group cannot be named, everything that was selected is copied."""
    whole = Key(text="x" * 1_000 + "...", literal="digest", is_whole=False)
    group = soon(EXPIRING, state=ReasonState.NOT_FOUND, key=whole)
    at = situation("body", selection=Selection(group_id="one"))
    assert suggest(group, at).command == "dlq export orders-dlq --group-id one --to-file an-id.jsonl"


def test_the_named_log_groups_lead_to_the_same_reasons() -> None:
    """Without them the next command would look elsewhere."""
    at = situation(log_groups=("/a log",))
    assert suggest(a_group(why()), at).command.endswith(" --reason 0123456789ab --log-group '/a log'")
    assert suggest(a_group(why("KeyError")), at).command == "dlq show an-id orders-dlq --log-group '/a log'"


def test_a_queue_that_is_nobodys_dlq_has_to_be_insisted_on() -> None:
    """The redrive would be refused otherwise; a strange name is quoted."""
    at = situation(is_dlq=False, queue_name="a;b")
    assert suggest(a_group(why()), at).command == "dlq redrive 'a;b' --reason 0123456789ab --not-a-dlq"


@pytest.mark.parametrize(
    ("by", "key", "options"),
    [
        ("source", Key.of("arn:aws:sqs:eu-west-1:123456789012:orders"), ["--source", "orders"]),
        ("source", None, ["--where", "source_queue == `null`"]),
        ("attr:kind", Key.of("new"), ["--attr", "kind=new"]),
        ("attr:kind", None, ["--where", 'attributes."kind" == `null`']),
        ("body.a", Key.of("5"), ["--where", '(body.a) == `"5"`']),
        ("body.a", Key.of(5), ["--where", "(body.a) == `5`"]),
        ("body.a", Key.of("a`b'c"), ["--where", '(body.a) == `"a\\u0060b\'c"`']),
        ("body.a", None, ["--where", "(body.a) == `null`"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_group_of_several_reasons_is_grouped_again(by: str, key: Key | None, options: list[str]) -> None:
    """By why they died, and only those of the group."""
    words = shlex.split(suggest(a_group(key=key), situation(by)).command)
    assert words == ["dlq", "groups", QUEUE, *options]


def test_an_expression_that_was_given_holds_too() -> None:
    """The group is a part of what was selected."""
    at = situation("body.a", selection=Selection(where="body.b || body.c"))
    words = shlex.split(suggest(a_group(key=Key.of(1)), at).command)
    assert words[3:] == ["--where", "(body.b || body.c) && ((body.a) == `1`)"]


def test_a_group_that_cannot_be_named_is_looked_at() -> None:
    """A value too long to be typed, or an attribute whose name ends at its first equals sign."""
    long = Key.of("x" * 2_000)
    for by, key in (("attr:kind", long), ("body", long), ("source", long), ("attr:a=b", Key.of("c"))):
        assert suggest(a_group(key=key), situation(by)).command == "dlq show an-id orders-dlq"


@pytest.mark.parametrize(
    ("kind", "text", "permanent", "transient"),
    [
        ("PermanentError", "the body is not JSON", True, False),
        ("TimeoutError", "no answer", True, False),
        ("TransientError", "later", False, True),
        ("TransientError", "later", None, True),
        ("requests.exceptions.ReadTimeout", "", None, True),
        ("java.net.SocketTimeoutException", "", None, True),
        ("Sandbox.Timedout", "Task timed out after 3.00 seconds", None, True),
        ("ConnectionResetError", "", None, True),
        ("ECONNREFUSED", "", None, True),
        ("ThrottlingException", "", None, True),
        ("ProvisionedThroughputExceededException", "", None, True),
        ("botocore.exceptions.ClientError", "An error occurred (ThrottlingException) when calling X", None, True),
        ("ClientError", "An error occurred (ValidationException) when calling X: 500", None, False),
        ("ClientError", "An error occurred (AccessDeniedException) when calling X", None, False),
        ("HTTPError", "503 Server Error: Service Unavailable for url", None, True),
        ("HTTPError", "HTTP 429", None, True),
        ("ApiError", "status code: 502", None, True),
        ("ApiError", "status code: 404", None, None),
        ("ApiError", "order 503 is gone", None, None),
        ("KeyError", "'id'", None, False),
        ("KeyError", "'timeout'", False, False),
        ("json.decoder.JSONDecodeError", "Expecting value", False, False),
        ("pydantic.ValidationError", "", None, False),
        ("TypeError", "Cannot read properties of undefined", None, False),
        ("SyntaxError", "Unexpected token", None, False),
        ("InvalidTimeoutError", "", None, None),
        ("RuntimeError", "oops", None, None),
        ("RuntimeError", "oops", False, True),
    ],
    ids=str,
)
def test_what_passes_by_itself(kind: str, text: str, permanent: bool | None, transient: bool | None) -> None:
    """The consumer's "permanent" counts most, then the type, then the text; its silence says nothing."""
    assert is_transient(why(kind, text, permanent)) is transient


@pytest.mark.parametrize(
    ("by", "problem"),
    [
        ("attr:", "the name of the attribute is missing\n  attr:\n       ^"),
        ("body.a ==", "the expression is incomplete\n  body.a ==\n           ^"),
        ("tenant", "a message has no key tenant\n  tenant\n  ^"),
        ("", "the expression is empty\n  \n  ^"),
    ],
    ids=["attr", "incomplete", "no such key", "empty"],
)
def test_a_wrong_grouping_points_at_the_character(by: str, problem: str) -> None:
    """Before anything is received."""
    with pytest.raises(UsageError) as raised:
        grouping_of(by)
    assert raised.value.message == f"`--by`: {problem}"


def test_probable_reasons_are_counted() -> None:
    """A group can have messages whose own line tells, and others at the time of which an invocation failed so."""
    by_time = replace(why(), evidence=Evidence.TIME)
    reasons = [why(), by_time, by_time]
    members = [
        Member(sought=Sought(message_id=str(n), sent_at_ms=n), expires_at_ms=n, reason=each, state=ReasonState.FOUND)
        for n, each in enumerate(reasons)
    ]
    [group] = grouped(members, by_reason=True)
    assert (group.count, group.probable) == (3, 2)
