"""Hostile content: whatever a body, a name or an error holds, a terminal gets printable characters only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opstool.fake import Faults
from opstool.words.message import md5_of_body
from tests.cli.world import Ended, World, a_reason

PLACEHOLDER = "to be replaced"
HOSTILE = {
    "terminal escapes": "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m",
    "C1 controls": "\x9b31m\x9d0;owned\x9c",
    "NUL and friends": "a\x00b\x08\x7f\x0c\x0b",
    "bidirectional controls": "\u202eevil\u202c \u2066x\u2069 \u200f",
    "rich markup": "[red]x[/red] [link=file:///etc/passwd]y[/link] :bomb:",
    "line ends": "first\nerror: second\r\nthird\rfourth\u2028fifth\u2029sixth\x85seventh",
    "lone surrogates": "\ud800 and \udfff",
    "zero width": "a\u200b\u200d\ufeffb",
    "JSON with escapes": json.dumps({"key\x1b[2J": "\x1b[31m", "n": [1e400, "\u202e"]}, ensure_ascii=False),
    "a percent and braces": "%s %d {0} {name} ${HOME} `id`",
    "a megabyte": "x\x1b[31m" * 170_000,
    "deep JSON": "[" * 900 + "]" * 900,
}
FORMS = ([], ["--output", "json"], ["--output", "jsonl"])


class Planted(Faults):
    """Puts a body into every received message that SQS would never have let in, but an emulator does."""

    def __init__(self, body: str) -> None:
        self.body = body

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Replace the placeholder."""
        for message in response.get("Messages", []):
            if message["Body"] == PLACEHOLDER:
                message |= {"Body": self.body, "MD5OfBody": md5_of_body(self.body)}
        return response


def assert_harmless(ended: Ended) -> None:
    """Both streams hold printable characters and line ends, and nothing else."""
    for stream in (ended.out, ended.err):
        bad = {char for char in stream if not char.isprintable() and char != "\n"}
        assert bad == set()


@pytest.fixture(params=HOSTILE.values(), ids=list(HOSTILE))
def hostile(request: pytest.FixtureRequest, world: World) -> str:
    """Return a hostile body that lies in the DLQ."""
    world.kill(PLACEHOLDER)
    world.sqs.faults = Planted(request.param)
    body: str = request.param
    return body


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[-1] if form else "text")
def test_list_and_show_are_harmless(world: World, hostile: str, form: list[str]) -> None:
    """Looking at a hostile body shows its escapes instead of obeying them, and JSON still holds every character."""
    listed = world.run("dlq", "list", *form)
    assert (listed.status, listed.err.count("error:")) == (0, 0)
    assert_harmless(listed)
    [message_id] = json.loads(world.run("dlq", "list", "--output", "json").out)["messages"][0:1]
    shown = world.run("dlq", "show", message_id["message_id"], *form)
    assert shown.status == 0
    assert_harmless(shown)
    if form == ["--output", "json"]:
        assert listed.document["messages"][0]["body"] == hostile
        assert shown.document["message"]["body"] == hostile
    if not form:
        assert len(listed.out.splitlines()) == 2


def test_plans_are_harmless(world: World, hostile: str) -> None:
    """The samples of a plan are as safe as a list."""
    for verb in ("redrive", "purge"):
        for form in FORMS:
            ended = world.run("dlq", verb, "--dry-run", *form)
            assert ended.status == 0
            assert_harmless(ended)


def test_export_and_import_are_harmless_and_exact(world: World, hostile: str, tmp_path: Path) -> None:
    """An archive is ASCII, keeps every character, and is shown safely when it is imported."""
    file = tmp_path / "archive.jsonl"
    ended = world.run("dlq", "export", "--to-file", str(file))
    assert ended.status == 0
    assert_harmless(ended)
    assert json.loads(file.read_bytes().decode("ascii"))["body"] == hostile
    streamed = world.run("dlq", "export")
    assert_harmless(streamed)
    assert streamed.lines[0]["body"] == hostile
    planned = world.run("dlq", "import", str(file), "--dry-run")
    assert_harmless(planned)


def test_a_body_never_gets_into_an_error(world: World, hostile: str) -> None:
    """When a send is refused, the report and -vv name the message, not its body."""
    planted = world.sqs.faults

    class AndRefusing(Planted):
        def before(self, operation: str, request: Mapping[str, Any]) -> None:
            if operation == "SendMessageBatch":
                raise RuntimeError(request["Entries"][0]["MessageBody"])

    assert isinstance(planted, Planted)
    world.sqs.faults = AndRefusing(planted.body)
    ended = world.run("-vv", "dlq", "redrive", "--yes", "-q")
    assert ended.status == 1
    assert "unexpected RuntimeError" in ended.err
    assert_harmless(ended)
    assert hostile[:40] not in ended.err + ended.out


def test_names_and_reasons_are_harmless(world: World) -> None:
    """Attribute names and values, group ids, trace headers and reasons are as untrusted as bodies."""
    evil = "\x9b31m\u202e[red]"
    [dead] = world.kill(
        "body",
        MessageAttributes={
            "name": {"DataType": "String.\u0041", "StringValue": evil},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x1b[31m"},
        },
    )
    world.reasons[dead] = a_reason(kind=f"Evil{evil}", message=f"\x1b[2J{evil}\nerror: no")
    for argv in (["dlq", "list"], ["dlq", "show", dead]):
        ended = world.run(*argv, terminal=True)
        assert ended.status == 0
        assert_harmless(Ended(0, ended.out, ended.err.replace("\r\x1b[K", "")))
        assert "\\u009b31m\\u202e[red]" in ended.out


@pytest.mark.parametrize(
    "argv",
    [
        ["dlq", "list", "evil\x1b[31m\u202e"],
        ["dlq", "list", "--id", "evil\x1b[31m"],
        ["dlq", "show", "evil\u202e"],
        ["dlq", "list", "--where", "evil\x1b[31m"],
        ["dlq", "list", "--older-than", "\x1b[31m"],
        ["dlq", "import", "evil\x1b[31m"],
        ["evil\x1b[31m"],
        ["dlq", "list", "--evil\x1b[31m"],
        ["history", "evil\x1b[31m"],
        ["dlq", "purge", "--confirm", "evil\x1b[31m"],
    ],
    ids=ascii,
)
def test_a_hostile_command_line_is_answered_safely(world: World, argv: list[str]) -> None:
    """What is quoted back from the command line is escaped too."""
    ended = world.run(*argv)
    assert ended.status in {1, 2, 3, 4}
    assert_harmless(ended)


def test_bodies_get_no_colour_of_their_own_on_a_terminal(world: World) -> None:
    """On a terminal with colours, a long body is cut to the width and cannot change a colour."""
    world.patch.delenv("NO_COLOR")
    world.patch.setenv("TERM", "xterm")
    world.kill("[red]" + "\x9b31m" * 100)
    ended = world.run("dlq", "list", terminal=True, columns=100)
    [row] = [line for line in ended.out.splitlines() if "[red]" in line]
    assert len(row) <= 100
    assert "\x9b" not in row
