"""What a person sees of the groups, and what a script can rely on."""

from __future__ import annotations

import io
import shlex
import sys
from dataclasses import replace

import pytest

from opstool.cli.main import main
from opstool.words.reason import Evidence
from tests.cli.test_documents import GROUP
from tests.cli.test_golden import check
from tests.cli.world import Ended, World, a_reason
from tests.hostile.corpus import ARGUMENTS
from tests.hostile.harmless import assert_harmless


@pytest.fixture
def incident(world: World) -> list[str]:
    """Let messages die over three days: some of malformed bodies, some of a timeout, one without a line."""
    world.sqs("SetQueueAttributes", {"QueueUrl": world.dlq, "Attributes": {"MessageRetentionPeriod": "345600"}})
    tenant = {"tenant": {"DataType": "String", "StringValue": "acme"}}
    ids = world.kill('{"order": 1}', '{"order": 2}')
    world.clock.advance(86_400)
    ids += world.kill("not JSON", MessageAttributes=tenant)
    world.clock.advance(2.2 * 86_400)
    ids += world.kill('{"order": 3}', '{"order": 3}', '{"order": 4}')
    late_ms = round(world.clock.wall() * 1000)
    lost = replace(a_reason("TimeoutError", "the carrier did not answer"), fingerprint="abcdef012345", at_ms=late_ms)
    bad = replace(
        a_reason("JSONDecodeError", "Expecting value: line 1 column 1"), permanent=True, at_ms=late_ms - 10**8
    )
    by_time = replace(lost, evidence=Evidence.TIME)
    world.reasons.update(dict(zip(ids, [bad, bad, bad, lost, by_time], strict=False)))
    return ids


def looked(world: World, *argv: str, columns: int = 160) -> Ended:
    """Return what a person at a terminal sees when the progress is over."""
    ended = world.run("--workers", "1", "dlq", "groups", *argv, terminal=True, columns=columns)
    return Ended(ended.status, ended.out, ended.err.split("\r\x1b[K")[-1])


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize(("name", "by"), [("groups", "reason"), ("groups-by", "body.order")], ids=["reason", "other"])
def test_groups_on_a_terminal(world: World, incident: list[str], name: str, by: str, columns: int) -> None:
    """The table fits the terminal; what is to be pasted is whole."""
    ended = looked(world, "--by", by, columns=columns)
    check(f"{name}-{columns}", world, ended)
    rows = [line for line in ended.out.splitlines() if not line.startswith("    opstool ")]
    assert max(map(len, rows)) <= columns


def test_groups_in_a_pipe(world: World, incident: list[str]) -> None:
    """Without a terminal nothing depends on a width."""
    check("groups-piped", world, world.run("--workers", "1", "dlq", "groups", "--by", "attr:tenant"))


def test_groups_without_reasons(world: World, incident: list[str]) -> None:
    """Nothing is said of reasons that nobody asked for."""
    check("groups-no-reasons", world, world.run("--workers", "1", "dlq", "groups", "--by", "source", "--no-reasons"))


def test_what_expires_soon_is_coloured(world: World, incident: list[str]) -> None:
    """Red within a day, yellow within three; the time itself stands there too."""
    world.patch.delenv("NO_COLOR")
    world.patch.setenv("TERM", "xterm-256color")
    out = looked(world).out
    assert "\x1b[31m19h 11m\x1b[0m" in out
    assert "\x1b" not in looked(world, "--no-color").out


def test_a_terminal_without_blocks_has_a_trend_in_ascii(world: World, incident: list[str]) -> None:
    """The encoding of stdout decides; no escape and no question mark stands for a block."""
    assert "█" in looked(world).out
    stdout = io.BytesIO()
    with world.patch.context() as patch:
        patch.setattr("sys.stdout", io.TextIOWrapper(stdout, encoding="ascii", errors="backslashreplace"))
        main(["--state-dir", str(world.state_dir), "dlq", "groups"], connect=world.connect)
        sys.stdout.flush()
        out = stdout.getvalue().decode("ascii")
    assert "@" in out
    assert "\\u258" not in out


def test_the_document_of_a_group(world: World, incident: list[str]) -> None:
    """Every key is there; `groups` nests them, and the command is the one on the screen."""
    document = world.run("dlq", "groups", "--output", "json").document
    beside = {"version", "type", "queue", "by", "depth", "seen", "partial", "missing_ids", "notes", "groups"}
    assert (set(document), document["type"], document["by"], document["seen"]) == (beside, "groups", "reason", 6)
    assert [set(each) for each in document["groups"]] == [GROUP] * 3
    first = document["groups"][0]
    assert (first["count"], first["share"], first["permanent"]) == (3, 0.5, True)
    assert (first["reason_state"], first["reason"]["type"]) == ("found", "JSONDecodeError")
    assert set(first["arrivals"]) == {"from", "to", "counts"}
    assert set(first["suggestion"]) == {"command", "why"}
    assert first["source_queue"] == first["source_queues"][0] == "arn:aws:sqs:us-east-1:123456789012:orders"
    assert first["sample_id"] in incident[:3]
    states = [(each["reason_state"], each["fingerprint"], each["probable"]) for each in document["groups"][1:]]
    assert states == [("found", "abcdef012345", 1), ("not_found", None, 0)]
    assert first["suggestion"]["command"] in world.run("dlq", "groups").out


def test_groups_as_lines_end_with_a_report(world: World, incident: list[str]) -> None:
    """One line a group, then the report, whose counts are of messages."""
    *groups, report = world.run("dlq", "groups", "--by", "attr:tenant", "--output", "jsonl").lines
    assert [(set(each), each["key"], each["count"]) for each in groups] == [(GROUP, None, 5), (GROUP, "acme", 1)]
    assert (report["type"], report["verb"], report["received"]) == ("report", "groups", 6)


def test_every_suggested_command_is_one(world: World, incident: list[str]) -> None:
    """What is pasted is parsed, and means the messages of its group: `groups` of it has as many."""
    for by in ("body.order", "source", "attr:tenant"):
        for group in world.run("dlq", "groups", "--by", by, "--output", "json").document["groups"]:
            words = shlex.split(group["suggestion"]["command"])
            if words[3:5] == ["dlq", "groups"]:
                again = world.run(*words[3:], "--output", "json").document
                assert sum(each["count"] for each in again["groups"]) == group["count"]


def test_the_whole_queue_is_seen_unless_there_is_a_limit(world: World) -> None:
    """The fifty of a list are for browsing."""
    world.kill(*map(str, range(120)))
    assert world.run("dlq", "groups", "--output", "json").document["groups"][0]["count"] == 120
    assert world.run("dlq", "groups", "--limit", "7", "--output", "json").document["groups"][0]["count"] == 7


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["--by", "body.a ="], "`--by`: "),
        (["--by", "attr:"], "the name of the attribute is missing"),
        (["--by", "tenant"], "a message has no key tenant"),
        (["--no-reasons"], "--no-reasons"),
        (["--no-reasons", "--log-group", "x"], "exclude each other"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_grouping_is_wrong_usage(world: World, argv: list[str], shown: str) -> None:
    """Status 2 before anything is received."""
    world.kill("a")
    before = world.receives()
    ended = world.run("dlq", "groups", *argv)
    assert (ended.status, ended.out, world.receives()) == (2, "", before)
    assert shown in ended.err


def test_a_log_that_cannot_be_read_names_the_permission(world: World) -> None:
    """The command goes on without reasons, says once what kept it, and suggests what to do about it."""
    world.make_queue("other-dlq")
    world.make_queue("other", VisibilityTimeout="0", RedrivePolicy=world.policy("other-dlq", 1))
    world.send(world.sqs("GetQueueUrl", {"QueueName": "other-dlq"})["QueueUrl"], "a")
    document = world.run("dlq", "groups", "other-dlq", "--output", "json").document
    [group] = document["groups"]
    assert (group["reason_state"], group["source_queue"], group["source_queues"]) == ("unknown", None, [])
    assert group["suggestion"]["command"].endswith("iam-policy other-dlq --for inspect")
    assert "the log could not be read" in world.run("dlq", "groups", "other-dlq").out


def test_a_key_that_looks_like_nothing_is_seen_in_the_command_too(world: World) -> None:
    """On the screen it is an escape; in the document it is what the shell is to get."""
    world.kill("a", MessageAttributes={"kind": {"DataType": "String", "StringValue": "new\u3164"}})
    ended = world.run("dlq", "groups", "--by", "attr:kind", "--no-reasons")
    assert_harmless(ended)
    assert "kind=new\\u3164" in ended.out
    document = world.run("dlq", "groups", "--by", "attr:kind", "--no-reasons", "--output", "json").document
    assert "kind=new\u3164" in document["groups"][0]["suggestion"]["command"]


@pytest.mark.parametrize("place", ["{}", "attr:{}", "body == '{}'", "[body, '{}']"])
def test_a_hostile_grouping_is_answered_safely(world: World, place: str) -> None:
    """Whatever is pasted after `--by`, and comes back in a title, a key or a command, can be seen."""
    world.kill("body")
    for number, argument in enumerate(ARGUMENTS):
        form = ((), ("--output", "json"), ("-vv",))[number % 3]
        by = place.replace("{}", argument).replace("\0", "")  # the system passes no NUL
        ended = world.run(*form, "dlq", "groups", "--by", by, terminal=number % 2 == 0)
        assert ended.status in {0, 2}
        assert_harmless(ended)
