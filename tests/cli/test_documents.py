"""The JSON documents: their keys are a contract, and stdout carries one of them and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from opstool.verbs.testbatch import Fate, TestBatch
from tests.cli.stories import a_story
from tests.cli.test_consumer import DOCUMENT as CONSUMER
from tests.cli.test_extend import DOCUMENT as EXTEND
from tests.cli.test_move_tasks import MOVE_TASK
from tests.cli.test_watch import DEPTH
from tests.cli.world import World, a_reason

ENVELOPE = {"version", "type"}
MESSAGE = ENVELOPE | {
    "message_id",
    "sent_at",
    "first_received_at",
    "expires_at",
    "receive_count",
    "source_queue",
    "group_id",
    "deduplication_id",
    "trace_header",
    "attributes",
    "body",
    "body_sha256",
    "size_bytes",
    "reason",
    "reason_state",
    "origin",
    "s3_pointer",
}
REASON = {"type", "message", "fingerprint", "at", "attempts", "function", "log_group", "request_id"}
REASON |= {"log_stream", "trace_id", "permanent", "evidence"}
REPORT = ENVELOPE | {
    "run_id",
    "verb",
    "queue",
    "target",
    "engine",
    "status",
    "received",
    "succeeded",
    "skipped",
    "failed",
    "released",
    "returned",
    "possibly_sent_twice",
    "possibly_sent_twice_ids",
    "requests",
    "cost_usd",
    "seconds",
    "archive",
    "undo",
    "failures",
    "notes",
    "outcome",
    "stopped",
}
QUEUE = ENVELOPE | {
    "name",
    "url",
    "arn",
    "depth",
    "in_flight",
    "retention_s",
    "sources",
    "move_task",
    "soonest_expiry",
    "role",
    "redrive_target",
    "redrive_target_missing",
}
GROUP = ENVELOPE | {
    "key",
    "reason",
    "reason_state",
    "fingerprint",
    "permanent",
    "probable",
    "count",
    "share",
    "first_at",
    "last_at",
    "soonest_expiry",
    "least_receives",
    "most_receives",
    "sample_id",
    "source_queue",
    "source_queues",
    "arrivals",
    "suggestion",
}
DOCTOR = ENVELOPE | {"queue", "arn", "sources", "followed_from", "counts", "notes"}
CHECK = ENVELOPE | {"code", "title", "subject", "status", "found", "wanted", "why", "page", "fix"}
ERROR = ENVELOPE | {"code", "message", "hint", "exit_status"}
PLAN = ENVELOPE | {
    "verb",
    "queue",
    "target",
    "engine",
    "selection",
    "count",
    "exact",
    "requests",
    "cost_usd",
    "irreversible",
    "notes",
    "samples",
    "facts",
    "changes",
}
SHOW = ENVELOPE | {"origin_queue", "attempts", "log_lines", "trace", "lineage", "returned", "next"}
ATTEMPT = {"at", "type", "message", "fingerprint", "receive_count", "request_id", "log_group", "log_stream"}
ATTEMPT |= {"traceback", "trace_id", "permanent"}
RUN = ENVELOPE | {"run_id", "verb", "queue", "target", "status", "started_at", "ended_at", "note", "audit", "report"}
MOVE = ENVELOPE | {
    "message_id",
    "state",
    "new_id",
    "target",
    "source_queue",
    "body_sha256",
    "possibly_sent_twice",
    "outcome",
    "intent_at",
    "updated_at",
}


def _documented(heading: str) -> set[str]:
    """Return the keys in the first column of the table under a heading of docs/documents.md."""
    text = (Path(__file__).parents[2] / "docs" / "documents.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "keys"),
    [
        ("report", REPORT),
        ("plan", PLAN),
        ("queue", QUEUE),
        ("error", ERROR),
        ("message", MESSAGE),
        ("show", SHOW),
        ("group", GROUP),
        ("doctor", DOCTOR),
        ("check", CHECK),
        ("extend", EXTEND),
        ("depth", DEPTH),
        ("move_task", MOVE_TASK),
        ("consumer", CONSUMER),
        ("run", RUN),
        ("move", MOVE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_key_is_documented(heading: str, keys: set[str]) -> None:
    """docs/documents.md names the keys of each document, and no others."""
    assert _documented(heading) == keys - ENVELOPE


def test_list_nests_its_messages(world: World) -> None:
    """`list --output json` is one document with the messages under `messages`, each with its reason."""
    [dead] = world.kill('{"message": "hello"}')
    world.reasons[dead] = a_reason()
    document = world.run("dlq", "list", "--output", "json").document
    assert set(document) == ENVELOPE | {"queue", "depth", "seen", "partial", "missing_ids", "notes", "messages"}
    [message] = document["messages"]
    assert (set(message), set(message["reason"])) == (MESSAGE, REASON)
    assert (message["message_id"], message["body"]) == (dead, '{"message": "hello"}')


def test_list_as_lines_ends_with_a_report(world: World) -> None:
    """`list --output jsonl` is a line a message, then the report."""
    world.kill("a", "b")
    *messages, report = world.run("dlq", "list", "--output", "jsonl").lines
    assert [set(each) for each in messages] == [MESSAGE, MESSAGE]
    assert (set(report), report["verb"], report["received"]) == (REPORT, "list", 2)


def test_show_has_the_message_under_message(world: World) -> None:
    """`show --output json` nests the one message, its attempts, the log around them, its trace and its lineage."""
    world.patch.setattr("opstool.verbs.show.story_of", lambda *_: a_story())
    [dead] = world.kill("a")
    document = world.run("dlq", "show", dead, "--output", "json").document
    assert set(document) == SHOW | {"queue", "notes", "message"}
    assert set(document["message"]) == MESSAGE
    assert [set(each) for each in document["attempts"]] == [ATTEMPT] * 3
    assert [set(each) for each in document["log_lines"]] == [{"at", "log_group", "log_stream", "text"}] * 4
    assert (set(document["trace"]), document["lineage"], document["returned"]) == ({"id", "url"}, [], 0)
    assert {each.split(" dlq ")[1].split()[0] for each in document["next"]} == {"redrive", "export", "purge", "groups"}


def test_queues_nest_under_queues(world: World) -> None:
    """`queues` names each dead-letter queue with its sources, and no other queue."""
    world.kill("a")
    document = world.run("dlq", "queues", "--output", "json").document
    assert set(document) == ENVELOPE | {"queues", "counts", "denied", "unread", "notes"}
    [queue] = document["queues"]
    assert set(queue) == QUEUE
    assert (queue["name"], queue["depth"]) == ("orders-dlq", 1)
    assert queue["sources"] == [{"name": "orders", "max_receive_count": 1}]
    *queues, report = world.run("dlq", "queues", "--output", "jsonl").lines
    assert ([set(each) for each in queues], set(report)) == ([QUEUE], REPORT)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_a_run_ends_with_its_report(world: World, form: str) -> None:
    """A redrive prints one report, whose counts add up."""
    world.kill("a", "b", "c")
    document = world.run("dlq", "redrive", "--yes", "--limit", "2", "--output", form).document
    assert set(document) == REPORT
    outcomes = ("succeeded", "skipped", "failed", "released", "returned")
    assert document["received"] == sum(document[each] for each in outcomes)
    assert (document["succeeded"], document["status"]) == (2, "done")


def test_a_purge_names_its_archive(world: World) -> None:
    """The report says where the archive is, and the archive can be imported."""
    world.kill("a", "b")
    report = world.run("dlq", "purge", "--confirm", "orders-dlq", "--output", "json").document
    assert set(report) == REPORT
    assert Path(report["archive"]).is_file()
    back = world.run("dlq", "import", report["archive"], "--yes", "--output", "json").document
    assert (set(back), back["succeeded"], world.bodies(world.dlq)) == (REPORT, 2, ["a", "b"])


@pytest.mark.parametrize(("named", "follow"), [(["orders"], "dlq list orders\n"), ([], "dlq list\n")], ids=str)
def test_the_hint_after_a_batch_leads_to_its_dead(
    world: World, monkeypatch: pytest.MonkeyPatch, named: list[str], follow: str
) -> None:
    """A queue that was named is named again: without it another DLQ would be listed, or none."""
    monkeypatch.setattr(TestBatch, "follow", lambda _: Fate(consumed=(), dead=("an-id",)))
    assert world.run("send-test-batch", *named, "--wait").err.endswith(follow)


def test_the_hints_for_what_is_not_found_can_be_pasted(world: World) -> None:
    """They begin with the command, and with the options that choose the AWS."""
    world.kill("a")
    hint = world.run("--region", "eu-west-1", "dlq", "show", "nobody").err.split("hint: ")[1]
    assert hint.startswith("opstool --region eu-west-1 ")
    assert " dlq list orders-dlq shows " in hint


def test_an_export_says_what_it_could_not_see(world: World, tmp_path: Path) -> None:
    """Messages in flight elsewhere are not in the archive, and an archive without them must not look whole."""
    world.kill("a", "b")
    world.sqs("ReceiveMessage", {"QueueUrl": world.dlq, "MaxNumberOfMessages": 1, "VisibilityTimeout": 600})
    for to in ([], ["--to-file", str(tmp_path / "out.jsonl")]):
        assert "1 more messages were in flight elsewhere" in world.run("dlq", "export", *to).err


def test_an_export_to_stdout_keeps_its_report_off_it(world: World) -> None:
    """The lines of an export are messages only; the report is the last line of stderr."""
    world.kill("a", "b")
    ended = world.run("dlq", "export", "--output", "json")
    assert [set(each) for each in ended.lines] == [MESSAGE | {"queue", "archive"}] * 2
    assert '"type":"report"' in ended.err.splitlines()[-1]


def test_a_dry_run_prints_the_plan(world: World) -> None:
    """A dry run with JSON prints the plan document, with samples."""
    world.kill("a", "b")
    document = world.run("dlq", "redrive", "--dry-run", "--output", "json", "--body-contains", "a").document
    assert set(document) == PLAN
    assert (document["count"], document["exact"]) == (1, True)
    assert [set(each) for each in document["samples"]] == [MESSAGE]


def test_history_nests_its_runs_and_one_run_its_moves(world: World) -> None:
    """`history` lists runs, `history RUN` one of them message by message."""
    [dead] = world.kill("a")
    world.run("dlq", "redrive", "--yes", "--note", "ticket 4711")
    document = world.run("history", "--output", "json").document
    assert set(document) == ENVELOPE | {"runs"}
    [run] = document["runs"]
    assert (set(run), run["note"], run["status"]) == (RUN, "ticket 4711", "done")
    assert run["audit"]["who"] == "arn:aws:iam::123456789012:user/somebody"
    one = world.run("history", run["run_id"], "--output", "json").document
    assert set(one) == ENVELOPE | {"run", "moves"}
    [move] = one["moves"]
    assert (set(move), move["message_id"], move["state"]) == (MOVE, dead, "settled")


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize(
    ("argv", "code", "status"),
    [
        (["dlq", "list", "nowhere"], "queue_not_found", 1),
        (["dlq", "redrive"], "no_terminal", 4),
        (["dlq", "redrive", "plain", "--yes"], "not_a_dlq", 4),
        (["dlq", "list", "--limit", "0"], "usage", 2),
        (["dlq", "nothing"], "usage", 2),
        (["dlq"], "usage", 2),
        (["dlq", "list", "--where", "body ="], "usage", 2),
        (["dlq", "show", "nobody"], "message_not_found", 3),
        (["history", "nobody"], "run_not_found", 1),
        (["local", "status"], "local_not_running", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_error_is_the_one_document(world: World, argv: list[str], code: str, status: int, form: str) -> None:
    """With JSON an error is a document on stdout, with the status that the program ends with."""
    world.make_queue("plain")
    ended = world.run(*argv, "--output", form)
    document = ended.document
    assert set(document) == ERROR
    assert (document["type"], document["code"], document["exit_status"]) == ("error", code, status)
    assert (ended.status, ended.err) == (status, "")


def test_a_test_batch_reports_and_tells_what_became_of_it(world: World) -> None:
    """`send-test-batch --wait` adds the fate of each message; without a consumer they are still on their way."""
    plain = world.run("send-test-batch", "--count", "3", "--output", "json").document
    assert (set(plain), plain["succeeded"]) == (REPORT, 3)
    ended = world.run("send-test-batch", "--count", "1", "--output", "json", "--wait")
    assert set(ended.document) == REPORT | {"fate"}
    assert set(ended.document["fate"]) == {"consumed", "dead", "unknown"}
    assert (len(ended.document["fate"]["unknown"]), ended.status) == (1, 3)
