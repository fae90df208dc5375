"""Messages that did not die in SQS, on the screen and in a redrive: told as what they are, sent only where one says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opstool.fake import Behaviour
from tests.cli.test_golden import check
from tests.cli.test_hostile import HOSTILE, assert_harmless
from tests.cli.world import World, a_reason
from tests.unit.test_provenance import RECORDED

BY_NAME = {case["name"]: case for case in RECORDED}
ERROR = "Test exception (this is intentional)"
POINTER = json.dumps(
    ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "payloads", "s3Key": "orders/5f1b.json"}]
)
SIZE = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": "300000"}}


def put(world: World, name: str, **values: str) -> str:
    """Put a recorded message into the DLQ as its service does, with other values of some attributes; return its id."""
    case = BY_NAME[name]
    attributes = {
        key: {"DataType": each["type"], "StringValue": values.get(key, each["value"])}
        for key, each in case["attributes"].items()
    }
    return world.send(world.dlq, case["body"], **({"MessageAttributes": attributes} if attributes else {}))


def queries(world: World) -> int:
    """Return how often a log was asked."""
    return world.account.logs.requests["StartQuery"] + world.account.logs.requests["FilterLogEvents"]


def test_a_list_says_where_messages_come_from(world: World) -> None:
    """Beside those that died in SQS, each in its words; a pointer is no body."""
    for case in RECORDED:
        put(world, case["name"])
        world.clock.advance(60)
    world.kill(POINTER, MessageAttributes=SIZE)
    world.clock.advance(60)
    world.send(world.dlq, '{"by": "hand"}')
    check("list-origins", world, world.run("--workers", "1", "dlq", "list", "--no-reasons"))


@pytest.mark.parametrize("name", ["lambda async", "eventbridge, retried in vain", "sns"])
def test_show_tells_all_that_the_message_does(world: World, name: str) -> None:
    """No command is offered that would be refused."""
    dead = put(world, name)
    ended = world.run("--workers", "1", "dlq", "show", dead)
    check(f"show-origin-{name.split(',', maxsplit=1)[0].replace(' ', '-')}", world, ended)
    assert "dlq redrive" not in ended.err
    assert not any(
        "dlq redrive" in each for each in world.run("--output", "json", "dlq", "show", dead).document["next"]
    )


def test_show_tells_of_a_pointer(world: World) -> None:
    """Where the payload lies, and the body as it is."""
    [dead] = world.kill(POINTER, MessageAttributes=SIZE)
    out = world.run("dlq", "show", dead).out
    assert "payload        s3 pointer, 300,000 bytes: s3://payloads/orders/5f1b.json\n" in out
    assert '"s3BucketName": "payloads"' in out


def test_a_filter_can_ask_for_the_origin(world: World) -> None:
    """And for what died in SQS."""
    ids = {name: put(world, name) for name in BY_NAME}
    died = world.kill("in orders")

    def selected(where: str) -> set[str]:
        listed = world.run("--output", "json", "dlq", "list", "--no-reasons", "--where", where)
        return {each["message_id"] for each in listed.document["messages"]}

    assert selected("origin.kind == 'sns'") == {ids["sns"]}
    assert selected("origin.error_code == 'THROTTLING'") == {ids["eventbridge, retried in vain"]}
    assert selected("!origin") == set(died)
    assert selected("s3_pointer.bucket") == set()


def test_the_error_is_the_reason_and_no_log_is_asked(world: World) -> None:
    """`groups` counts it, `--reason` selects by it, a redrive too."""
    ids = [put(world, "eventbridge, not retried", ERROR_MESSAGE=f"order {n} is locked") for n in range(3)]
    [group] = world.run("--output", "json", "dlq", "groups").document["groups"]
    assert (group["count"], group["reason"]["type"], group["reason"]["evidence"]) == (3, "NO_PERMISSIONS", "attribute")
    assert group["suggestion"]["why"] == "these did not die in SQS: look at one, then redrive with --to"
    assert "dlq show" in group["suggestion"]["command"]
    listed = world.run("--output", "json", "dlq", "list", "--reason", "NO_PERMISSIONS").document["messages"]
    assert {each["message_id"] for each in listed} == set(ids)
    assert world.account.functions.requests["ListEventSourceMappings"] == 0
    plan = world.run(
        "--output", "json", "dlq", "redrive", "--reason", group["fingerprint"], "--to", "orders", "--dry-run"
    )
    assert plan.document["count"] == 3
    assert queries(world) == 0


def test_a_log_is_asked_for_the_others_only(world: World) -> None:
    """One that died in SQS has its reason in a log, as ever."""
    told = put(world, "lambda async")
    [died] = world.kill("in orders")
    world.reasons[died] = a_reason()
    asked: list[str] = []
    answer = world.account.logs

    def listen(service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        asked.append(json.dumps(request))
        return answer(service, operation, request)

    world.patch.setattr(world.account, "logs", listen)
    messages = world.run("--output", "json", "dlq", "list").document["messages"]
    evidence = {each["message_id"]: each["reason"]["evidence"] for each in messages}
    assert evidence == {told: "attribute", died: "line"}
    assert [each for each in (told, died) if any(each in request for request in asked)] == [died]


def test_without_reasons_none_is_told(world: World) -> None:
    """The origin has its error all the same: it is a part of the message."""
    put(world, "lambda async")
    [message] = world.run("--output", "json", "dlq", "list", "--no-reasons").document["messages"]
    assert (message["reason"], message["reason_state"]) == (None, None)
    assert message["origin"]["error_message"] == ERROR


@pytest.mark.parametrize("name", BY_NAME)
def test_a_redrive_refuses_what_did_not_die_in_sqs(world: World, name: str) -> None:
    """The only source queue of the DLQ is not where it came from; the error it tells is not quoted."""
    put(world, name)
    world.kill("in orders")
    refused = world.run("--output", "json", "dlq", "redrive", "--yes")
    assert (refused.status, refused.document["code"]) == (4, "not_from_sqs")
    assert refused.document["hint"] == (
        "leave such messages out with --where '!origin', or name the queue to send to with --to"
    )
    assert f"its origin is `{BY_NAME[name]['origin']['kind']}`" in refused.document["message"]
    assert ERROR not in refused.out + refused.err
    assert (world.depth(world.source), world.depth(world.dlq)) == (0, 2)


def test_what_the_hint_says_works(world: World) -> None:
    """The others go back, and with `--to` these go as they are."""
    dead = put(world, "lambda async")
    world.kill("in orders")
    assert world.run("dlq", "redrive", "--where", "!origin", "--yes").status == 0
    assert world.bodies(world.source) == ["in orders"]
    other = world.make_queue("repair")
    assert world.run("dlq", "redrive", "--id", dead, "--to", "repair", "--yes").status == 0
    [sent] = world.sqs(
        "ReceiveMessage", {"QueueUrl": other, "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10}
    )["Messages"]
    assert sent["Body"] == BY_NAME["lambda async"]["body"]
    assert {name: each["StringValue"] for name, each in sent["MessageAttributes"].items()} == {
        name: each["value"] for name, each in BY_NAME["lambda async"]["attributes"].items()
    }


def test_one_that_the_plan_has_not_seen_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the unfiltered whole the plan sees a batch; the others go, and it stays."""
    world = World(state_dir=tmp_path, patch=monkeypatch, behaviour=Behaviour(shuffled=False))
    world.kill(*(f"body {number}" for number in range(10)))
    world.clock.advance(1)
    late = put(world, "lambda async")
    ended = world.run("--output", "json", "--workers", "1", "dlq", "redrive", "--yes")
    assert ended.status == 3
    report = ended.document
    assert (report["succeeded"], report["failed"]) == (10, 1)
    assert [(each["code"], each["message_ids"]) for each in report["failures"]] == [("not_from_sqs", [late])]
    assert world.depth(world.dlq) == 1


def test_what_the_journal_knows_wins(world: World, tmp_path: Path) -> None:
    """A notification that died in a queue and came back by an import has no source of SQS's, and one of ours."""
    body = BY_NAME["sns"]["body"]
    world.kill(body)
    file = str(tmp_path / "purged.jsonl")
    assert world.run("dlq", "purge", "--archive", file, "--confirm", "orders-dlq").status == 0
    assert world.run("dlq", "import", file, "--yes").status == 0
    world.clock.advance(60)
    ended = world.run("--output", "json", "dlq", "list", "--no-reasons")
    [message] = ended.document["messages"]
    assert message["source_queue"] is None
    shown = world.run("dlq", "show", message["message_id"])
    assert "source         orders (journal)" in shown.out
    assert "origin:" not in shown.out
    assert world.run("dlq", "redrive", "--yes").status == 0
    assert world.bodies(world.source) == [body]


@pytest.mark.parametrize("form", [[], ["--output", "json"]], ids=["text", "json"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_what_a_message_says_of_itself_is_harmless(world: World, text: str, form: list[str]) -> None:
    """Whoever may write to the queue can write such attributes."""
    arn = f"arn:aws:events:eu-west-1:123456789012:rule/{text[:1_000]}"
    values = {"RULE_ARN": arn, "TARGET_ARN": arn, "ERROR_CODE": text, "ERROR_MESSAGE": text}
    dead = put_raw(world, "eventbridge, retried in vain", values | {"EXHAUSTED_RETRY_CONDITION": text})
    commands: list[Callable[[], Any]] = [
        lambda: world.run(*form, "dlq", "list", terminal=not form),
        lambda: world.run(*form, "dlq", "show", dead, terminal=not form),
        lambda: world.run(*form, "dlq", "groups", terminal=not form),
    ]
    for command in commands:
        ended = command()
        assert ended.status == 0
        assert_harmless(ended if form else type(ended)(ended.status, ended.out, "".join(ended.err.split("\r\x1b[K"))))
    refused = world.run(*form, "dlq", "redrive", "--yes")
    assert refused.status == 4
    assert_harmless(refused)


def put_raw(world: World, name: str, values: dict[str, str]) -> str:
    """Put a recorded message there whose attributes hold what no honest SQS would take."""
    dead = put(world, name)
    [queue] = [each for each in world.sqs._registry._queues.values() if each.address.name == "orders-dlq"]
    stored = queue._messages[dead]
    attributes = {
        key: type(each)(type=each.type, value=values.get(key, each.value)) for key, each in stored.attributes.items()
    }
    object.__setattr__(stored, "attributes", attributes)
    return dead
