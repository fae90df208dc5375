from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.ask import refuse
from opstool.fake import Faults
from opstool.fake.mappings import FakeLambda
from opstool.words.document import parse_json
from opstool.words.errors import ServiceError
from tests.cli.world import Ended, World, a_reason
from tests.hostile.corpus import ESCAPES, INVISIBLE, PRIVATE, TEXTS
from tests.hostile.harmless import assert_harmless, documents
from tests.hostile.planted import Planted, hostile_attributes

HOSTILE = list(TEXTS.values())
DEADLINE_S = 10.0
"""Processor time of one command over the whole corpus: some 60 messages, two of which nest 100,000 levels deep."""


@dataclass(frozen=True)
class Form:
    """One way to look at a command's output."""

    name: str
    options: tuple[str, ...] = ()
    terminal: bool = False

    @property
    def is_json(self) -> bool:
        """Tell whether stdout is for a program."""
        return self.name in {"json", "jsonl"}

    def run(self, world: World, *argv: str, status: int | None = 0, stdin: str = "") -> Ended:
        """Run a command, and hold its output to what every output must be."""
        began = time.process_time()
        ended = world.run(*self.options, *argv, terminal=self.terminal, stdin=stdin)
        assert time.process_time() - began < DEADLINE_S
        assert status is None or ended.status == status, ended.err
        assert_harmless(ended)
        if self.is_json and "export" not in argv:
            documents(ended, self.name)
        return ended


FORMS = (
    Form("piped"),
    Form("terminal", terminal=True),
    Form("verbose", ("-vv",), terminal=True),
    Form("json", ("--output", "json")),
    Form("jsonl", ("--output", "jsonl")),
)


@pytest.fixture(params=FORMS, ids=lambda form: form.name)
def form(request: pytest.FixtureRequest) -> Form:
    """Return one way to look."""
    found: Form = request.param
    return found


@pytest.fixture
def planted(world: World) -> Planted:
    """Return what makes the messages in the DLQ hostile, with reasons as hostile as they are."""
    planted = Planted(HOSTILE)
    ids = world.kill(*planted.placeholders)
    for dead, text in zip(ids, HOSTILE, strict=True):
        world.reasons[dead] = a_reason(kind=text[:256], message=text[:1024])
    world.sqs.faults = planted
    return planted


def is_json(text: str) -> bool:
    """Tell whether a text is JSON, as the standard has it."""
    try:
        parse_json(text)
    except (ValueError, RecursionError):
        return False
    return True


def messages(ended: Ended, form: Form) -> list[dict[str, Any]]:
    """Return the message documents of a list."""
    found = documents(ended, form.name)
    return list(found[0]["messages"] if form.name == "json" else found[:-1])


def test_every_look_is_harmless_and_exact(world: World, planted: Planted, form: Form) -> None:
    """Lists show what hostile messages hold; JSON gives it back to the last character."""
    form.run(world, "dlq", "queues", "--expiry")
    listed = form.run(world, "dlq", "list", "--limit", "1000")
    if form.is_json:
        found = {each["body"]: each for each in messages(listed, form)}
        assert set(found) == set(HOSTILE)
        for text, document in found.items():
            short = text[:256]
            assert document["attributes"][short] == {"type": f"String.{short}", "value": short}
            assert (document["group_id"], document["trace_header"]) == (short, short)
            assert document["reason"]["message"] == text[:1024]
    else:
        assert len(listed.out.splitlines()) >= len(HOSTILE)


@pytest.mark.parametrize("by", ["reason", "source", "attr:bytes", "body", "group_id", "attributes"])
def test_every_grouping_is_harmless(world: World, planted: Planted, form: Form, by: str) -> None:
    """Groups show reasons, keys and commands made of them; each message is in one."""
    for number, each in enumerate(world.reasons):
        world.reasons[each] = replace(world.reasons[each], fingerprint=f"{number:012x}")
    shown = form.run(world, "dlq", "groups", "--by", by)
    if form.is_json:
        found = documents(shown, form.name)
        groups = found[0]["groups"] if form.name == "json" else found[:-1]
        assert sum(each["count"] for each in groups) == len(HOSTILE)
    else:
        assert "sample" in shown.out


def test_every_message_can_be_shown(world: World, planted: Planted, form: Form) -> None:
    """One message in full: every byte of it can be seen, and none of them acts."""
    listed = Form("json", ("--output", "json")).run(world, "dlq", "list", "--limit", "1000")
    for each in listed.document["messages"]:
        shown = form.run(world, "dlq", "show", each["message_id"])
        if form.is_json:
            document = documents(shown, form.name)[0]
            assert document.get("message", document)["body"] == each["body"]


def test_filters_take_hostile_values(world: World, planted: Planted) -> None:
    """What was copied out of a message finds that message again, and the plan that quotes it is harmless."""
    form = Form("json", ("--output", "json"))
    for text in (ESCAPES | INVISIBLE).values():
        short = text[:256]
        attribute = ["--attr", f"{short}={short}"] if "=" not in short else []  # the first = ends the name
        for argv in (["--group-id", short], attribute, ["--body-contains", text]):
            listed = form.run(world, "dlq", "list", *argv, "--limit", "1000")
            assert text in {each["body"] for each in listed.document["messages"]}
            assert_harmless(world.run("dlq", "redrive", "--dry-run", *argv, terminal=True))


def test_a_redrive_is_harmless_from_its_plan_to_its_history(world: World, planted: Planted, form: Form) -> None:
    """Plan, report, history and resume; the copies are exact."""
    form.run(world, "dlq", "redrive", "--dry-run")
    note = HOSTILE[0]
    form.run(world, "dlq", "redrive", "--yes", "--note", note)
    assert {entry["MessageBody"] for entry in planted.sent} == set(HOSTILE)
    for entry in planted.sent:
        assert set(entry["MessageAttributes"]) == set(hostile_attributes(entry["MessageBody"]))
    form.run(world, "history")
    [run] = world.run("history", "--output", "json").document["runs"]
    assert run["note"] == note
    told = form.run(world, "history", run["run_id"])
    assert told.out.count(PRIVATE) == note.count(PRIVATE)
    form.run(world, "resume", run["run_id"], "--yes", status=None)


def test_a_mending_is_harmless(world: World, planted: Planted, form: Form) -> None:
    """The difference of hostile bodies, as lines and as JSON; what cannot be mended is named without its body."""
    wrapped = ("dlq", "redrive", "--transform", "{payload: body, was: message_id}")
    planned = form.run(world, *wrapped, "--dry-run", status=3)
    if form.is_json:
        assert len(documents(planned, form.name)[0]["changes"]) == 3
    form.run(world, *wrapped, "--yes", status=3)
    form.run(world, "dlq", "redrive", "--set", f"body.note={HOSTILE[0]}", "--dry-run", status=None)


def test_a_diagnosis_is_harmless(world: World, planted: Planted, form: Form) -> None:
    """The doctor looks at hostile messages, finds faults, and prints nothing of a body."""
    world.on_connect = lambda kit: setattr(kit, "ask", refuse)
    ended = form.run(world, "doctor", "orders", "--expiry", status=3)
    assert PRIVATE not in ended.out + ended.err
    form.run(world, "doctor", "orders", "--fix", status=3)


class Telling(Planted):
    """A door that breaks with an error whose words are the bodies."""

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Tell everything."""
        if operation == "SendMessageBatch":
            raise RuntimeError(*(entry["MessageBody"] for entry in request["Entries"]))
        return None


def test_no_body_gets_into_an_error(world: World, form: Form) -> None:
    """Even where a bug raises an error made of bodies, neither its words nor its traceback are shown."""
    planted = Telling(HOSTILE)
    world.kill(*planted.placeholders)
    world.sqs.faults = planted
    ended = form.run(world, "-vv", "-q", "dlq", "redrive", "--yes", status=1)
    assert "RuntimeError" in ended.out + ended.err
    assert PRIVATE not in ended.out + ended.err


def test_a_purge_is_harmless_and_its_archive_is_exact(
    world: World, planted: Planted, form: Form, tmp_path: Path
) -> None:
    """Typed or given, the confirmation is the queue's name; what was purged can be imported."""
    file = tmp_path / "archive.jsonl"
    form.run(world, "dlq", "purge", "--dry-run")
    if form.terminal:
        for answer in (*ESCAPES.values(), ""):
            form.run(world, "dlq", "purge", stdin=f"{answer}\n", status=4)
        form.run(world, "dlq", "purge", "--archive", str(file), stdin="orders-dlq\n")
    else:
        form.run(world, "dlq", "purge", "--archive", str(file), "--confirm", "orders-dlq")
    bodies = [json.loads(line)["body"] for line in file.read_bytes().decode("ascii").splitlines()]
    assert sorted(bodies) == sorted(HOSTILE)


def test_an_export_is_harmless_and_comes_back(world: World, form: Form, tmp_path: Path) -> None:
    """To stdout, to a file, and from it into a queue."""
    planted = Planted(HOSTILE, dressed=False)
    world.kill(*planted.placeholders)
    world.sqs.faults = planted
    streamed = form.run(world, "dlq", "export")
    assert {json.loads(line)["body"] for line in streamed.out.splitlines()} == set(HOSTILE)
    for name in ("archive.jsonl", "archive.jsonl.gz"):
        file = tmp_path / name
        form.run(world, "dlq", "export", "--to-file", str(file))
        form.run(world, "dlq", "import", str(file), "--dry-run")
        planted.sent.clear()
        form.run(world, "dlq", "import", str(file), "--yes")
        assert {entry["MessageBody"] for entry in planted.sent} == set(HOSTILE)
    form.run(world, "history")


def test_test_messages_may_be_hostile(world: World, form: Form, tmp_path: Path) -> None:
    """Bodies on the command line or in a file are sent as they are."""
    planted = Planted([])
    world.sqs.faults = planted
    file = tmp_path / "bodies.jsonl"
    for text in HOSTILE:
        form.run(world, "send-test-batch", "orders", "--body", text)
        assert planted.sent[-1]["MessageBody"] == text
    file.write_bytes(b"".join(json.dumps(text).encode() + b"\n" for text in HOSTILE))
    planted.sent.clear()
    form.run(world, "send-test-batch", "orders", "--file", str(file))
    assert [entry["MessageBody"] for entry in planted.sent] == [json.dumps(text) for text in HOSTILE]


@pytest.mark.parametrize("text", HOSTILE, ids=list(TEXTS))
def test_a_file_of_test_messages_that_is_none_is_refused(world: World, text: str, tmp_path: Path) -> None:
    """What is not JSON Lines is refused by the number of the line, in words that do not quote it."""
    file = tmp_path / "bodies.jsonl"
    file.write_bytes(text.encode(errors="surrogatepass"))
    world.sqs.faults = planted = Planted([])
    for form in FORMS:
        ended = form.run(world, "send-test-batch", "orders", "--file", str(file), status=None)
        if ended.status:
            assert ended.status == 2
            assert PRIVATE not in ended.err
        else:
            assert all(is_json(entry["MessageBody"]) for entry in planted.sent)


@pytest.mark.parametrize("text", HOSTILE, ids=list(TEXTS))
def test_a_policy_for_a_hostile_name_is_harmless(world: World, text: str) -> None:
    """A queue named by such a text is refused in harmless words; no text gets into a policy that is no queue's name."""
    for form in FORMS[:2]:
        form.run(world, "iam-policy", "--for", "all", "--", text, status=None)
        form.run(world, "iam-policy", "orders-dlq", "--for", "redrive", "--to", text, status=None)
        for name in (text, f"{text}*"):
            arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
            ended = form.run(world, "iam-policy", "--for", "all", "--no-lookup", "--", arn, status=None)
            assert ended.status == 2 or text.replace("-", "").isalnum()


class Strange(Faults):
    """An emulator that gives mappings and move tasks any text, and fails with it too."""

    def __init__(self, text: str) -> None:
        self._text = text

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Fail with the text."""
        if operation == "UpdateEventSourceMapping":
            raise ServiceError(f"`{operation}`: {self._text}", code="aws_error")

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Put the text wherever a text is."""
        if operation == "ListMessageMoveTasks":
            told = {"TaskHandle": self._text, "FailureReason": self._text, "DestinationArn": self._text}
            return {"Results": [{**told, "Status": each} for each in ("RUNNING", "FAILED", self._text)]}
        strange = {"FunctionArn": f"arn:aws:lambda:us-east-1:123456789012:function:{self._text}"}
        listed = response.get("EventSourceMappings")
        return {"EventSourceMappings": [{**each, **strange} for each in listed]} if listed else response


@pytest.mark.parametrize("text", list((ESCAPES | INVISIBLE).values()), ids=list(ESCAPES | INVISIBLE))
def test_settings_are_changed_and_watched_harmlessly(world: World, form: Form, text: str) -> None:
    """Notes, names and errors of any text, on the way to a longer retention and to a consumer that stands still."""
    aws = FakeLambda(world.clock, faults=Strange(text))
    aws.add_mapping("arn:aws:sqs:us-east-1:123456789012:orders", "orders-consumer")
    world.on_connect = lambda kit: setattr(kit, "ask", aws)
    world.sqs("SetQueueAttributes", {"QueueUrl": world.dlq, "Attributes": {"MessageRetentionPeriod": "345600"}})
    world.sqs.faults = Strange(text)
    form.run(world, "dlq", "queues", "--all", text)
    form.run(world, "dlq", "watch", "--for", "0s")
    form.run(world, "dlq", "move-tasks")
    form.run(world, "dlq", "redrive", "--engine", "native", "--yes", "--body-contains", text, status=4)
    form.run(world, "dlq", "extend", "--yes", "--note", text)
    form.run(world, "consumer", "pause", "--dry-run")
    form.run(world, "consumer", "pause", "--yes", "--note", text, status=1)
    form.run(world, "consumer", "pause", "--yes", "--mapping", text, status=2)
    form.run(world, "history")
