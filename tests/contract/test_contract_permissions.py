"""The table of permissions against what every verb really asks: nothing is missing in it, and nothing too much.

Every command runs in an account that authorizes each request by an evaluated policy. Which action and resource a
request is, is told by `tests/permissions/requests.py`, which does not know the table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from opstool.doors.access import READABLE
from opstool.doors.logs.logs import Logs
from opstool.doors.logs.scan import Scan
from opstool.engine.access.examine import EXAMINED
from opstool.engine.dlq import locate
from opstool.engine.reasons.trail import follow
from opstool.verbs.iampolicy import iam_policy
from opstool.words.iam.permissions import VERBS, Kind, Need, Purpose
from opstool.words.loggroup import LogGroup
from tests.cli.world import LOG_GROUP, World
from tests.permissions.account import FUNCTION, MAPPING, Account, furnish, queue_arn
from tests.permissions.language import ALLOWED
from tests.permissions.requests import arn

DLQ, SOURCE, OTHER = queue_arn("orders-dlq"), queue_arn("orders"), queue_arn("elsewhere")
DLQ_KEY, SOURCE_KEY, OTHER_KEY = (arn("kms", f"key/{name}") for name in ("dlq", "source", "other"))
STACK = arn("cloudformation", "stack/orders-stack/*")
GROUP = arn("logs", f"log-group:{LOG_GROUP}:*")

RESOURCES: Mapping[Kind, str] = {
    Kind.DLQ: DLQ,
    Kind.SOURCE: SOURCE,
    Kind.TARGET: SOURCE,
    Kind.ORIGIN: DLQ,
    Kind.FUNCTION: f"{FUNCTION}:live",
    Kind.BARE_FUNCTION: FUNCTION,
    Kind.MAPPING: MAPPING,
    Kind.LOG_GROUP: GROUP,
    Kind.STACK: STACK,
    Kind.DLQ_KEY: DLQ_KEY,
    Kind.SOURCE_KEY: SOURCE_KEY,
    Kind.TARGET_KEY: SOURCE_KEY,
    Kind.ORIGIN_KEY: DLQ_KEY,
    Kind.ANYTHING: "*",
}
ELSEWHERE = {
    **RESOURCES,
    Kind.TARGET: OTHER,
    Kind.ORIGIN: OTHER,
    Kind.TARGET_KEY: OTHER_KEY,
    Kind.ORIGIN_KEY: OTHER_KEY,
}

Story = Callable[[World, str], None]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a source queue with a DLQ, both with a KMS key of their own, and a third queue."""
    monkeypatch.chdir(tmp_path)
    world = World(state_dir=tmp_path / "state", patch=monkeypatch)
    keys = {world.dlq: "alias/dlq", world.source: SOURCE_KEY, world.make_queue("elsewhere"): OTHER_KEY}
    for url, key in keys.items():
        world.sqs("SetQueueAttributes", {"QueueUrl": url, "Attributes": {"KmsMasterKeyId": key}})
    return world


@pytest.fixture
def account(world: World) -> Account:
    """Return the account of that world."""
    account = furnish(world)
    account.aliases["alias/dlq"] = DLQ_KEY
    return account


def run(world: World, *argv: str) -> None:
    """Run one command, which has to succeed."""
    ended = world.run(*argv)
    assert ended.status in {0, 3}, ended.err


def in_turn(*commands: str) -> Story:
    """Return the story of commands, each with messages to work on; QUEUE is the dead-letter queue."""

    def tell(world: World, queue: str) -> None:
        for each in commands:
            world.kill('{"message": "hello"}')
            run(world, *each.replace("QUEUE", queue).split())

    return tell


def watch_it(world: World, queue: str) -> None:
    """See all queues, and watch one until it is empty, which it is."""
    world.sqs("PurgeQueue", {"QueueUrl": world.dlq})
    run(world, "dlq", "watch", queue, "--until-empty")
    in_turn("dlq queues", "dlq queues --expiry", "dlq queues --orphans")(world, queue)


def import_it(world: World, queue: str) -> None:
    """Import an archive."""
    Path("archive.jsonl").write_text(json.dumps({"body": "hello", "queue": queue_arn(queue)}) + "\n", encoding="utf-8")
    run(world, "dlq", "import", "archive.jsonl", "--yes")


def extend_it(world: World, queue: str) -> None:
    """Let a queue keep its messages longer."""
    world.sqs("SetQueueAttributes", {"QueueUrl": world.dlq, "Attributes": {"MessageRetentionPeriod": "86400"}})
    run(world, "dlq", "extend", queue, "--yes")


def show_it(world: World, queue: str) -> None:
    """Look at messages in every way there is."""
    [dead] = world.kill('{"message": "hello"}')
    run(world, "dlq", "show", dead, queue)
    in_turn("dlq list QUEUE", "dlq groups QUEUE", "dlq export QUEUE")(world, queue)


def read_logs(world: World, queue: str) -> None:
    """Follow the trail to the logs and read them in every way that the door has."""
    kit = world.connect()
    trail = follow(kit, locate(kit, queue), ())
    logs, groups = Logs(kit.ask, kit.clock), [LogGroup(name=name) for name in trail.log_groups]
    now_ms = round(kit.clock.wall() * 1_000)
    scan = Scan()
    logs.describe(groups[0].name)
    list(logs.find(groups, ["hello"], since_ms=0, until_ms=now_ms, scan=scan))
    list(logs.recent(groups, ["hello"], since_ms=now_ms - 1, until_ms=now_ms, scan=scan))
    logs.around(groups[0].name, "stream", since_ms=0, until_ms=1)


def move_it(world: World, queue: str) -> None:
    """Let SQS move everything, and cancel a task that was left to itself."""
    in_turn(f"dlq redrive {queue} --engine native --yes")(world, queue)
    world.kill(*("hello",) * 50)
    run(world, "dlq", "redrive", queue, "--engine", "native", "--yes", "--rate", "1", "--detach")
    run(world, "dlq", "move-tasks", queue, "--cancel", "--yes")


STORIES: Mapping[str, Story] = {
    "stack": in_turn("dlq list"),
    "queues": watch_it,
    "list": show_it,
    "reasons": read_logs,
    "redrive": in_turn("dlq redrive QUEUE --dry-run", "dlq redrive QUEUE --yes"),
    "forecast": in_turn("dlq redrive QUEUE --dry-run"),
    "native": move_it,
    "purge": in_turn("dlq purge QUEUE --dry-run", "dlq purge QUEUE --confirm orders-dlq"),
    "import": import_it,
    "extend": extend_it,
    "pause": in_turn("consumer pause QUEUE --yes", "consumer resume QUEUE --yes"),
    "test": in_turn("send-test-batch orders", "send-test-batch orders --wait"),
    "doctor": in_turn("doctor QUEUE"),
}
"""What is done of each verb of the table."""
BY_THE_SIDE = ("stack", "reasons")
"""What any look may ask as well: whether the queue is the stack's, and why messages died."""
ALSO: Mapping[str, tuple[str, ...]] = {
    "stack": ("list",),
    "reasons": ("list",),
    "queues": ("list",),
    "redrive": ("forecast",),
    "forecast": ("redrive",),
}
"""Verbs whose stories are told by the commands of another."""
SELDOM = {Need(action="logs:StopQuery", on=Kind.ANYTHING)} | {
    Need(action=each, on=Kind.TARGET_KEY) for each in ("kms:DescribeKey", "kms:GetKeyPolicy")
}
"""What is seldom asked: a query is stopped when nobody waits for it any more, a key is looked up by its alias."""
NAMED_AS_SOURCE = {
    Need(action=action, on=Kind.SOURCE) for action in ("sqs:GetQueueUrl", "sqs:ListDeadLetterSourceQueues")
}
"""What is asked of a source queue when it is named instead of its DLQ; tested on its own."""
BY_NAME = {Need(action="sqs:GetQueueUrl", on=Kind.TARGET)}
"""What is asked of a target that is named by --to; tested on its own."""
OF_EVERY_QUEUE = {("sqs:GetQueueAttributes", OTHER), ("sqs:ListDeadLetterSourceQueues", OTHER)}
"""What the overview asks of all queues of the account; those that it may not read are left out, and counted."""


def on(needs: Iterable[Need], resources: Mapping[Kind, str] = RESOURCES) -> set[tuple[str, str]]:
    """Return the actions on resources that needs stand for."""
    return {(each.action, resources[each.on]) for each in needs if each.on is not Kind.IDENTITY}


def known(verb: str) -> set[tuple[str, str]]:
    """Return what the commands of a verb's story may ask for by the table."""
    found = on(need for name in (verb, *ALSO.get(verb, ()), *BY_THE_SIDE) for need in VERBS[name].needs)
    if verb == "queues":
        found |= OF_EVERY_QUEUE
    if verb == "doctor":  # it tries what only reads, to tell who may do what
        found |= on(need for name in EXAMINED for need in VERBS[name].needs if need.action in READABLE)
    return found


def asked(account: Account) -> set[tuple[str, str]]:
    """Return what was asked for, resources as a policy names them; permissions of IAM are another matter."""
    named = {
        (action, GROUP if resource.startswith(GROUP[:-1]) else STACK if ":stack/" in resource else resource)
        for action, resource in account.asked
    }
    return {each for each in named if not each[0].startswith("iam:")}


def test_every_verb_of_the_table_is_told(world: World) -> None:
    """A verb that is added to the table is added here."""
    assert STORIES.keys() == VERBS.keys()


@pytest.mark.parametrize("verb", STORIES)
def test_a_verb_asks_for_nothing_that_the_table_does_not_have(world: World, account: Account, verb: str) -> None:
    """Every request of its commands is an action in the table, on the kind of resource that stands there."""
    STORIES[verb](world, "orders-dlq")
    assert asked(account) - known(verb) == set()


@pytest.mark.parametrize("verb", STORIES)
def test_the_table_has_nothing_that_a_verb_does_not_ask_for(world: World, account: Account, verb: str) -> None:
    """An action that no command asks for would be granted for nothing."""
    STORIES[verb](world, "orders-dlq")
    needless = on(set(VERBS[verb].needs) - SELDOM - NAMED_AS_SOURCE - BY_NAME) - asked(account)
    assert needless == set()


def test_a_source_queue_that_is_named_is_asked_the_same(world: World, account: Account) -> None:
    """That is why the address of the source queues is in the table."""
    STORIES["list"](world, "orders")
    assert on(NAMED_AS_SOURCE) <= asked(account)
    assert asked(account) <= on(need for name in ("list", *BY_THE_SIDE) for need in VERBS[name].needs)


@pytest.mark.parametrize("verb", ["redrive", "import"])
def test_sending_elsewhere_asks_that_queue_and_no_source(world: World, account: Account, verb: str) -> None:
    """With --to the target takes the place of the sources, and of the DLQ for an import."""
    world.kill('{"message": "hello"}')
    Path("archive.jsonl").write_text(json.dumps({"body": "hello"}) + "\n", encoding="utf-8")
    commands = {
        "redrive": "dlq redrive orders-dlq --to elsewhere --yes",
        "import": "dlq import archive.jsonl --to elsewhere --yes",
    }
    run(world, *commands[verb].split(), "--dry-run")
    run(world, *commands[verb].split())
    needs = VERBS[verb].needs
    assert asked(account) <= on((*needs, *VERBS["stack"].needs, *VERBS["reasons"].needs), ELSEWHERE)
    assert on(set(needs) - NAMED_AS_SOURCE, ELSEWHERE) <= asked(account)


TRIED = {
    ("lambda:GetEventSourceMapping", MAPPING),
    ("cloudformation:DescribeStackResources", arn("cloudformation", "stack/orders-stack/0123-4567")),
}
"""What the doctor tries for the sake of telling, and needs for nothing else."""
PURPOSES = {
    Purpose.INSPECT: ("stack", "queues", "list", "reasons"),
    Purpose.REDRIVE: ("redrive", "list"),
    Purpose.NATIVE: ("native",),
    Purpose.PURGE: ("purge", "list"),
    Purpose.IMPORT: ("import", "list"),
    Purpose.EXTEND: ("extend",),
    Purpose.PAUSE: ("pause",),
    Purpose.TEST: ("test",),
    Purpose.DOCTOR: ("doctor",),
    Purpose.ALL: tuple(STORIES),
}


@pytest.mark.parametrize("purpose", PURPOSES)
def test_the_printed_policy_is_enough(world: World, account: Account, purpose: Purpose) -> None:
    """With the policy of its purpose and no other, every command runs, and none of its requests is refused."""
    account.policies.identity = [iam_policy(world.connect(), "orders-dlq", purposes=[purpose]).document]
    account.asked.clear()
    for verb in PURPOSES[purpose]:
        STORIES[verb](world, "orders-dlq")
    refused = {each for each in account.asked if account.decide(*each) != ALLOWED}
    assert refused - OF_EVERY_QUEUE - TRIED == set()


def test_the_policy_of_a_redrive_elsewhere_is_enough(world: World, account: Account) -> None:
    """With --to the policy names that queue and its key."""
    document = iam_policy(world.connect(), "orders-dlq", purposes=[Purpose.REDRIVE], to="elsewhere").document
    account.policies.identity = [document]
    world.kill('{"message": "hello"}')
    run(world, "dlq", "redrive", "orders-dlq", "--to", "elsewhere", "--yes")
    assert account.decide("sqs:SendMessage", SOURCE) != ALLOWED


REFUSED = ("dlq redrive orders-dlq --yes", "dlq purge orders-dlq --confirm orders-dlq", "send-test-batch orders")
"""Commands that the policy for looking does not allow."""


def test_what_inspects_changes_nothing(world: World, account: Account) -> None:
    """Whoever has the policy for looking cannot send, delete, purge or change a setting."""
    account.policies.identity = [iam_policy(world.connect(), "orders-dlq", purposes=[Purpose.INSPECT]).document]
    for command in REFUSED:
        world.kill('{"message": "hello"}')
        ended = world.run(*command.split())
        assert (ended.status, "denied" in ended.out + ended.err) == (1, True)
    changing = ("sqs:SendMessage", "sqs:DeleteMessage", "sqs:PurgeQueue", "sqs:SetQueueAttributes", "sqs:DeleteQueue")
    assert {account.decide(action, queue) for action in changing for queue in (DLQ, SOURCE)} & {ALLOWED} == set()
