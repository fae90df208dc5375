"""`dlq show` and `dlq list` on the screen: bounded, safe, and not stopped by a log or a journal that cannot be read."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from opstool.cli.screen import width_of
from opstool.doors.session import Connection
from opstool.words.reason import Reasons
from opstool.words.story import Story
from tests.cli.stories import TRACE_ID, TRACEBACK, a_line, a_story, an_attempt
from tests.cli.test_hostile import FORMS, HOSTILE, assert_harmless
from tests.cli.world import Ended, World, a_reason


def tell(world: World, story: Story) -> None:
    """Let the log tell this story of every message."""
    world.patch.setattr("opstool.verbs.show.story_of", lambda *_: story)


def on_screen(ended: Ended) -> Ended:
    """Return what stands on a terminal, without the lines of progress that were replaced."""
    return Ended(ended.status, ended.out, "".join(ended.err.split("\r\x1b[K")))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[-1] if form else "text")
@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_what_a_log_tells_is_harmless(world: World, text: str, form: list[str]) -> None:
    """Lines, tracebacks, names of streams and functions and traces are a stranger's: shown as escapes, kept in JSON."""
    [dead] = world.kill("a")
    fields: dict[str, Any] = {"type": text[:256], "message": text, "request_id": text, "trace_id": text}
    attempts = (an_attempt(1, **fields, traceback=f"{text}\n{text}\r\n{text}"),)
    lines = (a_line(text, log_group=text[:512], log_stream=text[:512]),)
    tell(world, a_story(attempts=attempts, lines=lines, functions=(text[:140],), notes=(text,)))
    ended = on_screen(world.run("dlq", "show", dead, *form, terminal=not form))
    assert ended.status == 0
    assert_harmless(ended)
    if form == ["--output", "json"]:
        assert (ended.document["attempts"][0]["message"], ended.document["log_lines"][0]["text"]) == (text, text)
        assert ended.document["trace"] is None


def test_a_hostile_reason_and_trace_header_are_harmless(world: World) -> None:
    """Nothing but an id of X-Ray's form gets into a link, whatever else the header says."""
    evil = "\x1b]8;;https://evil.example/\x07click\x1b]8;;\x07"
    header = f"Root=https://evil.example/#{TRACE_ID};Self={evil};Root={TRACE_ID}?x={evil}"
    [dead] = world.kill("a", MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": header}})
    ended = on_screen(world.run("dlq", "show", dead, terminal=True))
    assert_harmless(ended)
    assert "x-ray" not in ended.out
    assert world.run("dlq", "show", dead, "--output", "json").document["trace"] is None


def test_a_line_of_a_log_cannot_pretend_to_be_ours(world: World) -> None:
    """However many line ends it holds it is one line, and a traceback is indented."""
    [dead] = world.kill("a")
    forged = "first\nbody (1 byte)\nreason: none"
    tell(world, a_story(attempts=(an_attempt(message=forged, traceback=forged),), lines=(a_line(forged),)))
    out = world.run("dlq", "show", dead).out.splitlines()
    assert [line for line in out if line.startswith("body (")] == [out[-2]]
    assert len([line for line in out if line.startswith("reason: ")]) == 1
    assert "    reason: none" in out


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_what_a_log_tells_fits_the_terminal(world: World, columns: int) -> None:
    """A megabyte on one line is cut to the width."""
    [dead] = world.kill("a")
    long = "wide\u4e16" * 250_000
    story = a_story(
        attempts=(an_attempt(message=long, traceback=f"{long}\n{long}"),), lines=(a_line(long, log_stream=long),)
    )
    tell(world, story)
    out = world.run("dlq", "show", dead, terminal=True, columns=columns).out
    cut = [line for line in out.splitlines() if "wide" in line]
    assert len(cut) == 5
    assert all(line.endswith("...") and width_of(line) <= columns for line in cut)
    piped = [line for line in world.run("dlq", "show", dead).out.splitlines() if "wide" in line]
    assert max(map(width_of, piped)) <= 400


def test_a_long_traceback_keeps_both_its_ends(world: World) -> None:
    """Forty lines of it, and where the rest is; JSON has it whole."""
    [dead] = world.kill("a")
    traceback = "\n".join(f"frame {number}" for number in range(1_000))
    tell(world, a_story(attempts=(an_attempt(traceback=traceback),)))
    out = world.run("dlq", "show", dead).out
    shown = [int(line.split()[-1]) for line in out.splitlines() if line.startswith("    frame ")]
    assert shown == [*range(10), *range(970, 1_000)]
    assert "(960 lines left out; --output json has all)" in out
    document = world.run("dlq", "show", dead, "--output", "json").document
    assert document["attempts"][0]["traceback"] == traceback


def test_a_traceback_of_forty_lines_is_whole(world: World) -> None:
    """Nothing is left out where nothing has to be."""
    [dead] = world.kill("a")
    tell(world, a_story(attempts=(an_attempt(traceback="\n".join(f"frame {number}" for number in range(40))),)))
    out = world.run("dlq", "show", dead).out
    assert (out.count("    frame "), "left out" in out) == (40, False)


def test_the_traceback_is_that_of_the_last_attempt_that_has_one(world: World) -> None:
    """The last attempt may have died without; then the time says whose it is."""
    [dead] = world.kill("a")
    attempts = (an_attempt(1, traceback="an early one"), an_attempt(2), an_attempt(3, traceback=None))
    tell(world, a_story(attempts=attempts))
    out = world.run("dlq", "show", dead).out
    assert "  traceback of the attempt at 2027-01-15T07:59:00.000Z\n    Traceback (most recent call last):\n" in out
    assert "an early one" not in out


def test_of_many_attempts_the_last_are_shown(world: World) -> None:
    """A message that fought long does not fill the screen."""
    [dead] = world.kill("a")
    tell(world, a_story(attempts=tuple(an_attempt(number, request_id=None) for number in range(1, 101))))
    out = world.run("dlq", "show", dead).out
    assert "attempts (90 earlier ones are in --output json)\n" in out
    assert [f"receive {number}  " in out for number in (90, 91, 100)] == [False, True, True]
    assert len(world.run("dlq", "show", dead, "--output", "json").document["attempts"]) == 100


def test_of_many_lines_the_nearest_to_the_failure_are_shown(world: World) -> None:
    """Twenty, in their order; JSON has all."""
    [dead] = world.kill("a")
    tell(world, a_story(lines=tuple(a_line(f"line {number}", 1_000 * (number - 500)) for number in range(1_000))))
    out = world.run("dlq", "show", dead).out
    shown = [int(line.split()[-1]) for line in out.splitlines() if "s  line " in line]
    assert shown == sorted(shown)
    assert (len(shown), shown[0], shown[-1]) == (20, 490, 509)
    assert "log around 2027-01-15T08:00:00.000Z; 980 more lines in --output json\n" in out
    assert len(world.run("dlq", "show", dead, "--output", "json").document["log_lines"]) == 1_000


def test_lines_of_several_streams_are_told_apart(world: World) -> None:
    """Each attempt ran where Lambda liked; the stream stands above its lines."""
    [dead] = world.kill("a")
    lines = (a_line("one", -2, log_stream="s1"), a_line("two", -1, log_stream="s1"), a_line("three", log_stream="s2"))
    tell(world, a_story(lines=lines))
    words = [line.split()[-1] for line in world.run("dlq", "show", dead).out.split("log around")[1].splitlines()[1:6]]
    assert words == ["s1", "one", "two", "s2", "three"]


def test_the_trace_of_the_failure_and_that_of_the_sender_have_their_links(world: World) -> None:
    """The one in which it died first; JSON has that one."""
    sender = TRACE_ID.replace("0123", "ffff")
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": f"Root={sender};Sampled=1"}}
    [dead] = world.kill("a", MessageSystemAttributes=header)
    tell(world, a_story())
    out = world.run("dlq", "show", dead).out
    links = [line.split()[1] for line in out.splitlines() if line.startswith("x-ray ")]
    page = "https://console.aws.amazon.com/cloudwatch/home?region=us-east-1#xray:traces/"
    assert links == [page + TRACE_ID, page + sender]
    trace = world.run("dlq", "show", dead, "--output", "json").document["trace"]
    assert trace == {"id": TRACE_ID, "url": page + TRACE_ID}


def test_the_embedded_aws_has_no_console(world: World) -> None:
    """A link into the real one would lead to somebody else's trace, or nowhere."""
    world.patch.setattr("opstool.cli.invocation.Invocation._connection", lambda _: (Connection(), None))
    [dead] = world.kill("a")
    tell(world, a_story())
    assert f"\nx-ray          {TRACE_ID}\n" in world.run("--local", "dlq", "show", dead).out
    trace = world.run("--local", "dlq", "show", dead, "--output", "json").document["trace"]
    assert trace == {"id": TRACE_ID, "url": None}


def test_json_says_what_the_screen_says(world: World) -> None:
    """The attempts with their times, the lines, the traceback as it was logged."""
    [dead] = world.kill("a")
    tell(world, a_story())
    document = world.run("dlq", "show", dead, "--output", "json").document
    last = document["attempts"][-1]
    assert (last["at"], last["receive_count"], last["traceback"]) == ("2027-01-15T08:00:00.000Z", 3, TRACEBACK)
    assert document["log_lines"][2]["at"] == "2027-01-15T08:00:00.000Z"
    assert json.loads(document["log_lines"][2]["text"])["event"] == "record_failed"


def test_json_lines_of_show_are_the_message_and_the_report(world: World) -> None:
    """The notes of the story are in the report."""
    [dead] = world.kill("a")
    tell(world, a_story(notes=("the log of yesterday is gone",)))
    message, report = world.run("dlq", "show", dead, "--output", "jsonl").lines
    assert (message["type"], message["message_id"], report["verb"]) == ("message", dead, "show")
    assert "the log of yesterday is gone" in report["notes"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[-1] if form else "text")
@pytest.mark.parametrize("command", ["list", "show"])
def test_a_log_that_cannot_be_read_is_said_once_and_stops_nothing(world: World, command: str, form: list[str]) -> None:
    """The status is that of a look that saw everything."""
    ids = world.kill("a", "b")
    why = "the log group may not be read"
    unread = Reasons(unread=frozenset(ids), notes=(why,))
    world.patch.setattr("opstool.engine.survey.look_up", lambda *_: unread)
    world.patch.setattr("opstool.verbs.show.look_into", lambda *_, **__: SimpleNamespace(reasons=unread))
    tell(world, Story(notes=(why,)))
    ended = world.run("dlq", command, *([ids[0]] if command == "show" else []), *form)
    assert (ended.status, (ended.out + ended.err).count(why)) == (0, 1)
    assert ids[0] in ended.out
    assert "no log line" not in ended.out


@pytest.mark.parametrize("command", ["list", "show"])
def test_without_reasons_nothing_is_said_of_them(world: World, command: str) -> None:
    """`--no-reasons` does not claim that the log was read."""
    [dead] = world.kill("a")
    out = world.run("dlq", command, *([dead] if command == "show" else []), "--no-reasons").out
    assert "no log line" not in out
    assert ("reason: not looked for" in out) == (command == "show")


def test_a_journal_that_cannot_be_read_leaves_the_lineage_unknown(world: World) -> None:
    """Said once; in JSON it is null, and not an empty list."""
    tell(world, Story())
    [dead] = world.kill("a")
    world.state_dir.mkdir(exist_ok=True)
    (world.state_dir / "journal.db").mkdir()
    ended = world.run("dlq", "show", dead)
    assert (ended.status, ended.err.count("whether this message was sent before is not known")) == (0, 1)
    document = world.run("dlq", "show", dead, "--output", "json").document
    assert (document["lineage"], document["returned"], document["origin_queue"]) == (None, None, None)


def test_an_imported_message_has_the_source_that_the_journal_knows(world: World) -> None:
    """Marked as the journal's word; what SQS says stays as it is."""
    tell(world, Story())
    world.kill("a")
    archive = world.run("dlq", "purge", "--confirm", "orders-dlq", "--output", "json").document["archive"]
    world.run("dlq", "import", archive, "--yes")
    listed = world.run("dlq", "list")
    assert "  orders (journal)  " in listed.out
    [message] = world.run("dlq", "list", "--output", "json").document["messages"]
    assert message["source_queue"] is None
    assert "source         orders (journal)\n" in world.run("dlq", "show", message["message_id"]).out
    document = world.run("dlq", "show", message["message_id"], "--output", "json").document
    assert document["origin_queue"] == "arn:aws:sqs:us-east-1:123456789012:orders"
    assert document["message"]["source_queue"] is None
    assert [each["verb"] for each in document["lineage"]] == ["import"]
    assert document["lineage"][0]["archive"]
    assert document["returned"] == 0


def test_the_header_of_a_list_says_what_was_seen_and_shown(world: World) -> None:
    """On stderr: the queue, its depth, how many were seen, how many of them match, and when the first of them goes."""
    world.kill("a", "b", "c")
    ended = world.run("dlq", "list", "--body-contains", "b")
    first, second = ended.err.splitlines()
    assert first == '3 of approximately 3 messages in "orders-dlq" seen, 1 shown, soonest expiry in 13d 23h'
    assert second == "looking added 1 to the receive count of 3 messages"
    assert "seen" not in ended.out


def test_the_header_stands_before_the_table(world: World) -> None:
    """Whoever reads the rows knows already how many are missing from them."""
    world.kill("a")
    order: list[str] = []
    world.patch.setattr("opstool.cli.notices.Notices.note", lambda _, text: order.append(text))
    world.patch.setattr("opstool.cli.output.Output.line", lambda _, text="": order.append(text))
    world.run("dlq", "list")
    assert "seen" in order[0]
    assert order[-2].startswith("ID ")


def test_the_header_is_as_red_as_the_row(world: World) -> None:
    """The first that goes is what the person came for; one that is past its time has gone or goes now."""
    world.patch.delenv("NO_COLOR")
    world.patch.setenv("TERM", "xterm")
    world.kill("a")
    world.clock.advance(13.5 * 86_400)
    assert "seen, soonest expiry in \x1b[31m11h 59m\x1b[0m\n" in world.run("dlq", "list", terminal=True).err
    world.patch.setattr("opstool.verbs.browse.expires_at_ms", lambda *_: 0)
    assert "seen, the soonest has \x1b[31mexpired\x1b[0m\n" in world.run("dlq", "list", terminal=True).err


def test_the_header_of_an_empty_list_names_no_expiry(world: World) -> None:
    """There is none."""
    ended = world.run("dlq", "list")
    assert ended.err == '0 of approximately 0 messages in "orders-dlq" seen\n'
    assert ended.out == ""


def test_what_was_named_and_not_found_is_said_with_quiet_too(world: World) -> None:
    """The rest of the header is not."""
    world.kill("a")
    ended = world.run("--quiet", "dlq", "list", "--id", "nobody")
    assert (ended.status, ended.err) == (3, "not found: nobody\n")


def test_show_says_that_a_source_queue_was_followed(world: World) -> None:
    """Whoever names the source queue looks into its dead-letter queue."""
    tell(world, Story())
    [dead] = world.kill("a")
    assert world.run("dlq", "show", dead, "orders").err.startswith(
        '"orders" is a source queue; looked into "orders-dlq"'
    )


def test_the_next_commands_name_the_reason(world: World) -> None:
    """Those that died of the same can be sent back together; without a reason there is no such command."""
    tell(world, Story())
    known, unknown = world.kill("a", "b")
    world.reasons[known] = a_reason()
    assert "dlq redrive orders-dlq --reason 0123456789ab\n" in world.run("dlq", "show", known).err
    assert "--reason" not in world.run("dlq", "show", unknown).err


def test_the_times_of_the_log_count_from_the_failure(world: World) -> None:
    """Before it negative, at it zero."""
    [dead] = world.kill("a")
    tell(world, a_story(lines=(a_line("early", -90_500), a_line("then"), a_line("late", 7))))
    out = world.run("dlq", "show", dead).out
    assert "   -90.500s  early\n     +0.000s  then\n     +0.007s  late\n" in out


def test_the_attempts_of_the_log_itself_are_shown(world: World) -> None:
    """Nothing in between is replaced: from the consumer's lines to the screen."""
    [dead] = world.kill("a")
    world.reasons[dead] = a_reason()
    document = world.run("dlq", "show", dead, "--output", "json").document
    assert {(each["type"], each["message"]) for each in document["attempts"]} == {("ValueError", "no such customer")}
    assert any("no such customer" in each["text"] for each in document["log_lines"])
    assert "\nattempts\n" in world.run("dlq", "show", dead).out


def test_a_hostile_lineage_is_harmless(world: World) -> None:
    """Ids that stood in a stranger's archive, and a journal that somebody else has written."""
    tell(world, Story())
    [dead] = world.kill("a")
    evil = "\x1b[2J\u202e\nreason: none"
    kit = world.connect()
    kit.journal._database.commit(
        lambda database: database.execute(
            "INSERT INTO moves (origin, record_id, run_id, body_sha256, state, new_id, target, intent_at_ms,"
            " updated_at_ms) VALUES (?, ?, ?, '', 'settled', ?, 'arn:x', 1, 1)",
            (f"archive:{evil}>arn:x", evil, evil, dead),
        )
    )
    kit.close()
    ended = world.run("dlq", "show", dead)
    assert_harmless(ended)
    assert ended.out.count("\\u001b[2J\\u202e\\nreason: none") == 3
