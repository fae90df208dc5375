from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from opstool.words.document import MESSAGE_KEYS, dump, from_document, message_document, parse_iso
from opstool.words.errors import StorageError, UsageError
from opstool.words.expressions.where import compile_where
from opstool.words.filters import Selection, parse_ids, select
from opstool.words.message import Attribute, Message
from opstool.words.reason import Reason

NOW_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
HOUR_MS = 3_600_000
DAY_S = 86_400
ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"

MESSAGE = Message(
    message_id="m-1",
    body='{"kind": "order", "total": 12, "text": "h\\u00e9"}',
    attributes={
        "kind": Attribute(type="String", value="new=old"),
        "total": Attribute(type="Number", value="1.50"),
        "blob": Attribute(type="Binary", value=b"\x00\xff"),
    },
    sent_at_ms=NOW_MS - 2 * HOUR_MS,
    receive_count=4,
    source_arn=ARN,
    group_id="g",
)
REASON = Reason(type="json.JSONDecodeError", message="no", fingerprint="0123456789ab", at_ms=NOW_MS, attempts=3)


def matches(message: Message = MESSAGE, why: Reason | None = REASON, **options: Any) -> bool:
    """Tell whether options as they are typed select a message in a queue that keeps messages for a day."""
    return select(now_ms=NOW_MS, **options).compile(retention_s=DAY_S)(message, why)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ids": ["m-0", "m-1"]},
        {"ids": ["m-0"], "ids_from": ["m-1"]},
        {"reason": "json.JSONDecodeError"},
        {"reason": "JSONDecodeError"},
        {"reason": "0123"},
        {"reason": "0123456789AB"},
        {"older_than": "1h59m"},
        {"older_than": "2024-12-31T22:00:00.001Z"},
        {"newer_than": "2h"},
        {"newer_than": "2024-12-31T22:00:00Z"},
        {"expires_within": "22h1s"},
        {"source": "orders"},
        {"source": ARN},
        {"source": "https://sqs.eu-west-1.amazonaws.com/123456789012/orders"},
        {"source": "http://127.0.0.1:5000/123456789012/orders/"},
        {"group_id": "g"},
        {"attr": ["kind=new=old", "total=1.50"]},
        {"attr": ["blob=AP8="]},
        {"body_contains": '"order"'},
        {"body_matches": r'"total": \d+'},
        {"where": "body.total > `11`"},
        {"where": "body.text == 'h\u00e9'"},
        {"where": "`0`"},
        {"where": "reason.attempts == `3`"},
        {"where": "expires_at == '2025-01-01T22:00:00.000Z'"},
        {"source": "orders", "older_than": "1h", "where": "receive_count == `4`"},
    ],
    ids=str,
)
def test_a_message_that_passes_is_selected(options: dict[str, Any]) -> None:
    """Each option asks for one thing, and this message has it."""
    assert matches(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"ids": ["m-2"]},
        {"ids_from": []},
        {"reason": "DecodeError"},
        {"reason": "012"},
        {"reason": "3456"},
        {"older_than": "2h"},
        {"newer_than": "1h59m59s"},
        {"expires_within": "22h"},
        {"source": "order"},
        {"source": "arn:aws:sqs:eu-west-1:210987654321:orders"},
        {"source": "https://sqs.eu-west-1.amazonaws.com/210987654321/orders"},
        {"group_id": "G"},
        {"attr": ["kind=new"]},
        {"attr": ["kind=new=old", "total=1.5"]},
        {"attr": ["none="]},
        {"body_contains": "ORDER"},
        {"body_matches": "^kind"},
        {"where": "body.none"},
        {"where": "`[]`"},
        {"where": "''"},
        {"where": "&body"},
        {"source": "orders", "older_than": "1h", "where": "receive_count == `5`"},
    ],
    ids=str,
)
def test_a_message_that_fails_one_filter_is_not_selected(options: dict[str, Any]) -> None:
    """All that was given must hold."""
    assert not matches(**options)


@pytest.mark.parametrize("options", [{"source": "orders"}, {"group_id": "g"}, {"reason": "JSONDecodeError"}], ids=str)
def test_what_is_not_known_of_a_message_matches_nothing(options: dict[str, Any]) -> None:
    """A message without a source, a group or a reason is not selected by one."""
    assert not matches(Message(message_id="m", body="b"), None, **options)


def error_of(**options: Any) -> UsageError:
    """Return the usage error of options."""
    with pytest.raises(UsageError) as error:
        select(now_ms=NOW_MS, **options)
    return error.value


@pytest.mark.parametrize(
    ("text", "wrong_at", "words"),
    [
        ("", 0, "empty"),
        ("  ", 0, "empty"),
        ("body.", 5, "incomplete"),
        ("body.kind == ", 13, "incomplete"),
        ("body[?a", 7, "incomplete"),
        ("body = 'x'", 5, "unknown token '='"),
        ("body.a)", 6, "unexpected token"),
        ("body && #", 8, "unknown token #"),
        ("'abc", 0, "unclosed '"),
        ("nofun(body)", 0, "no function nofun()"),
        ("body.a && length(keys(body), body)", 10, "length() takes 1 argument, not 2"),
        ("not_null()", 0, "not_null() takes at least 1 argument, not 0"),
        ("body.a || recieve_count > `3`", 10, "no key recieve_count"),
        ("body && !body.note", 8, "! binds tighter than ."),
        ("(" * 3_000, 0, "too large"),
        ("body||" * 2_000 + "body", 0, "nested more than 100 levels"),
        ("body[" + "1" * 5_000 + "]", 0, "too large"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_expression_that_is_wrong_is_refused_and_pointed_at(text: str, wrong_at: int, words: str) -> None:
    """The error shows the expression with a caret under the character, before anything is read from a queue."""
    problem, shown, caret = error_of(where=text).message.split("\n")
    assert words in problem
    assert shown.startswith("  " + text[:30])
    assert caret == " " * (2 + wrong_at) + "^"


@pytest.mark.parametrize(
    ("options", "shown", "caret"),
    [
        ({"body_matches": "ab(c"}, "  ab(c", "    ^"),
        ({"body_matches": "a**"}, "  a**", "    ^"),
        ({"older_than": "2x"}, "  2x", "   ^"),
        ({"newer_than": "2025-02-31"}, "  2025-02-31", "  ^"),
        ({"expires_within": "soon"}, "  soon", "  ^"),
        ({"attr": ["kind"]}, "  kind", "      ^"),
        ({"attr": ["=x"]}, "  =x", "  ^"),
        ({"ids": ["m 1"]}, "  m 1", "   ^"),
    ],
    ids=str,
)
def test_every_other_option_points_at_the_character_too(options: dict[str, Any], shown: str, caret: str) -> None:
    """No filter is guessed at."""
    assert error_of(**options).message.split("\n")[1:] == [shown, caret]


@pytest.mark.parametrize(
    "option",
    ["reason", "older_than", "newer_than", "expires_within", "source", "group_id", "body_contains", "body_matches"],
)
def test_an_empty_value_is_a_usage_error(option: str) -> None:
    """A variable that a script left empty must not select everything."""
    assert "is empty" in error_of(**{option: ""}).message


def test_the_caret_stays_under_the_character_whatever_is_before_it() -> None:
    """Wide characters take two columns, control characters never reach the terminal, long texts are cut."""
    _, shown, caret = error_of(where="'\u65e5\x1b' = 'x'").message.split("\n")
    assert shown == "  '\u65e5\ufffd' = 'x'"
    assert caret == " " * (2 + 6) + "^"
    _, shown, caret = error_of(where="body.x || " * 20 + "#" + " || body.y" * 20).message.split("\n")
    assert len(shown) < 80
    assert shown[len(caret) - 1] == "#"


def test_an_expression_that_fails_on_a_message_does_not_match_and_is_counted() -> None:
    """What cannot be decided is left alone, and the reason given holds nothing of the body."""
    matcher = select(now_ms=0, where="sum(body.total) > `1`").compile(retention_s=DAY_S)
    assert not matcher(Message(message_id="m", body='{"total": "SECRET"}'))
    assert matcher(Message(message_id="m", body='{"total": [1, 2]}'))
    assert matcher.errors == 1
    assert matcher.first_error == "`--where`: sum() got string and wants array-number"


@pytest.mark.parametrize("where", ["body.kind < body.total", "body.total[::0]", "ceil(body.huge)", "body == body.deep"])
def test_no_value_of_a_body_makes_a_filter_crash(where: str) -> None:
    """The library raises more than its own errors; none of them gets out."""
    body = '{"kind": "a", "total": 1, "huge": 1e999, "deep": ' + "[" * 300 + "]" * 300 + "}"
    matcher = select(now_ms=0, where=where).compile(retention_s=DAY_S)
    assert not matcher(Message(message_id="m", body=body))


def test_a_cheap_filter_that_fails_spares_the_body() -> None:
    """The body is parsed only for messages that pass everything else."""
    matcher = select(now_ms=0, where="sum(body)", ids=["other"]).compile(retention_s=DAY_S)
    assert not matcher(MESSAGE)
    assert matcher.errors == 0


@pytest.mark.parametrize(
    ("selection", "needed"),
    [
        (Selection(), False),
        (Selection(reason="ValueError"), True),
        (Selection(where="reason.type == 'x'"), True),
        (Selection(where="contains(to_string(@), 'x')"), True),
        (Selection(where="*"), True),
        (Selection(where="body.kind == 'reason'"), False),
        (Selection(where="body.reason == 'x'"), False),
        (Selection(where="body.*.code | [?@ == `5`]"), False),
        (Selection(where="map(&reason, body.items) == body.none"), False),
    ],
)
def test_the_log_is_read_only_when_a_filter_asks_for_the_reason(selection: Selection, *, needed: bool) -> None:
    """Reading a log costs time and a permission."""
    assert selection.needs_reason is needed


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ("body.kind == 'order'", ("body",)),
        ("receive_count > `3` && body.order.total > `1`", ("receive_count", "body")),
        ("body[?sent_at == 'x'].reason | [0] | @", ("body",)),
        ("body.*.reason", ("body",)),
        ("sort_by(body.items, &sent_at)[-1].n", ("body",)),
        ("{at: sent_at, what: body} | at", ("sent_at", "body")),
        ("!(group_id) || [body_sha256][0] == 'x'", ("group_id", "body_sha256")),
        ("attributes.kind.value", ("attributes",)),
        ("`true`", ()),
        ("[0]", MESSAGE_KEYS),
        ("@", MESSAGE_KEYS),
        ("*", MESSAGE_KEYS),
        ("[*].x", MESSAGE_KEYS),
        ("[]", MESSAGE_KEYS),
        ("@.body", MESSAGE_KEYS),
        ("keys(@)", MESSAGE_KEYS),
        ("body == 'x' || contains(to_string(@), 'x')", MESSAGE_KEYS),
        ("map(&reason, [@])", MESSAGE_KEYS),
        ("{a: [@]} | a", MESSAGE_KEYS),
    ],
)
def test_an_expression_tells_what_it_can_see_of_a_message(where: str, keys: tuple[str, ...]) -> None:
    """In the order of the document; what asks for the message itself sees all of it."""
    assert compile_where(where).keys == keys


def test_of_a_message_no_more_is_made_than_a_filter_can_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash of every body would cost more than the decision."""
    monkeypatch.setattr(Message, "body_sha256", property(lambda _: pytest.fail("the body was hashed")))
    assert matches(where="body.kind == 'order' && receive_count == `4`")


def test_no_filter_is_everything() -> None:
    """An empty list of ids is not."""
    assert select(now_ms=0).is_everything
    assert select(now_ms=0).text == ""
    assert not select(now_ms=0, ids_from=[]).is_everything


def test_the_text_of_a_selection_can_be_typed_again() -> None:
    """The history shows options that give the same selection, with times in place of durations."""
    selection = select(
        now_ms=NOW_MS, ids=["b", "a"], older_than="2h", attr=["k=v w"], where="body.a == 'x'", source="orders"
    )
    assert selection.text == (
        "--id a --id b --source orders --older-than 2024-12-31T22:00:00.000Z --attr 'k=v w' "
        """--where 'body.a == '"'"'x'"'"''"""
    )


def test_many_ids_are_counted() -> None:
    """The text stays one line."""
    assert select(now_ms=0, ids_from=map(str, range(847))).text == "--ids-from - (847 ids)"


def test_the_text_of_a_selection_holds_nothing_that_acts_on_a_terminal() -> None:
    """The history may be read by somebody else."""
    text = select(now_ms=0, body_contains="\x1b[31m'\n\\\udc80").text
    assert text == r"--body-contains $'\x1b[31m\'\x0a\\\U0000dc80'"


def test_the_journal_gives_a_selection_back() -> None:
    """A resumed run selects what the run selected."""
    selection = select(now_ms=NOW_MS, ids=["m"], expires_within="1d", attr=["a=b"], where="body", reason="x")
    assert Selection.from_json(selection.to_json()) == selection


@pytest.mark.parametrize("text", ['{"colour": "blue"}', "[]", "", "{", '{"attributes": 5}', '{"attributes": ["abc"]}'])
def test_a_selection_that_cannot_be_read_whole_is_refused(text: str) -> None:
    """Leaving out a filter that is not known would select more than was meant."""
    with pytest.raises(StorageError):
        Selection.from_json(text)


def test_ids_are_read_from_lines_of_every_kind() -> None:
    """An id, a JSON text, a message document, a list of them; blanks, duplicates and the report do not count."""
    lines = [
        "\ufeffa\r\n",
        "\n",
        "  b  \n",
        '"c"\n',
        "a\n",
        dump(message_document(Message(message_id="d", body="x"))),
        json.dumps({"version": 1, "type": "list", "messages": [{"message_id": "e"}, {"message_id": "f"}]}),
        json.dumps(["g", "h"]),
        json.dumps({"version": 1, "type": "report"}),
    ]
    assert parse_ids(lines) == ["a", "b", "c", "d", "e", "f", "g", "h"]


def test_a_document_may_be_spread_over_lines() -> None:
    """Another tool may have laid it out for people."""
    document = {"version": 1, "type": "list", "messages": [{"message_id": "a"}, {"message_id": "b"}]}
    assert parse_ids(json.dumps(document, indent=2).splitlines()) == ["a", "b"]


@pytest.mark.parametrize(
    "line",
    ["{", "two words", '{"body": "x"}', '{"message_id": 5}', '{"type": "error"}', '""', '"' + "[" * 99_999, "a\x1b[0m",
     "x" * 129, "[5]", '{"type": "list"}', '{"type": "list", "messages": [1]}'],
    ids=lambda line: line[:20],
)  # fmt: skip
def test_a_line_that_is_no_id_is_named_by_its_number(line: str) -> None:
    """Nothing is selected from a file that was not understood."""
    with pytest.raises(UsageError, match="line 2 is neither") as error:
        parse_ids(["good", line])
    assert line not in error.value.message


def documented_examples() -> list[tuple[str, bool]]:
    """Return the examples of docs/filters.md with what they claim."""
    text = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
    block = text.split("```sh\n", 1)[1].split("```", 1)[0]
    found = re.findall(r"^(--.*?) +# (matches|does not match)$", block, re.MULTILINE)
    assert len(found) == len(block.splitlines())
    return [(options, claim == "matches") for options, claim in found]


@pytest.mark.parametrize(("options", "claim"), documented_examples(), ids=[each[0] for each in documented_examples()])
def test_the_documented_examples_do_what_they_say(options: str, *, claim: bool) -> None:
    """docs/filters.md is true."""
    text = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
    message = from_document(json.loads(text.split("```json\n", 1)[1].split("```", 1)[0]))
    words = shlex.split(options.replace("\\`", "`"))
    given: dict[str, Any] = {}
    for option, value in zip(words[::2], words[1::2], strict=True):
        name = option.removeprefix("--").replace("-", "_")
        given[name] = [*given.get(name, []), value] if name in {"id", "attr"} else value
    selection = select(now_ms=parse_iso("2025-01-31T12:00:00Z"), **given)
    assert selection.compile(retention_s=14 * DAY_S)(message, None) is claim


def test_the_documented_error_is_the_real_one() -> None:
    """The sample in docs/filters.md is what is printed."""
    text = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
    error = error_of(where="recieve_count > `3`")
    assert f"```text\nerror: {error.message}\n\nhint: {error.hint}\n```" in text


def test_the_documentation_names_every_option() -> None:
    """Each filter of `select` stands in the table of docs/filters.md."""
    text = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `--([a-z-]+) ", text, re.MULTILINE))
    offered = set(select.__kwdefaults__ or {}) - {"ids"} | {"id"}
    assert documented == {name.replace("_", "-") for name in offered}
