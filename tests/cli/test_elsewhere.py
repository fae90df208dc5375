"""A redrive into another account, region or server: both sides in the plan, and the account that has to be typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from opstool.doors.place import Place, _naming
from opstool.doors.session import Connection
from opstool.doors.sqs import Sqs
from opstool.doors.toolkit import Toolkit
from opstool.fake import FakeSqs
from opstool.words.awserrors import error_for
from opstool.words.queue import Queue
from opstool.words.who import Who
from tests.cli.world import World

THERE, OTHER_ACCOUNT = ("--to", "orders-v2", "--to-profile", "prod"), "210987654321"
ENDPOINT = "https://sqs.eu-west-1.amazonaws.com"


@dataclass
class Elsewhere:
    """Another SQS, which the kits of a world reach."""

    world: World
    account: str = OTHER_ACCOUNT
    endpoint: str = ENDPOINT
    name: str = "orders-v2"
    refusal: Exception | None = None
    asked: list[Connection] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make its one queue, and let it be reached."""
        region = "eu-west-1" if self.endpoint == ENDPOINT else "us-east-1"
        self.sqs = FakeSqs(self.world.clock, account=self.account, region=region, seed=7)
        self.url = str(self.sqs("CreateQueue", {"QueueName": self.name})["QueueUrl"])
        self.region = region

        def on_connect(kit: Toolkit) -> None:
            kit.reach, kit.endpoint = self.reach, lambda: "https://sqs.us-east-1.amazonaws.com"

        self.world.on_connect = on_connect

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request, unless it is to be refused."""
        if self.refusal and operation == "SendMessageBatch":
            raise self.refusal
        return self.sqs(operation, request)

    def reach(self, connection: Connection) -> Place:
        """Return this place."""
        self.asked.append(connection)

        def who() -> Who:
            return Who(arn=f"arn:aws:iam::{self.account}:role/there", account=self.account)

        side = f"at the target (profile {connection.profile})"
        sqs = Sqs(_naming(self.call, side, who), self.world.clock)
        return Place(sqs=sqs, who=who, endpoint=lambda: self.endpoint, region=lambda: self.region, side=side)


def test_the_plan_tells_both_sides(world: World) -> None:
    """Queue and identity of each, as text and as JSON; a dry run needs no consent."""
    there = Elsewhere(world)
    world.kill("a")
    plan = world.run("dlq", "redrive", *THERE, "--dry-run", "--output", "json").document
    assert plan["facts"] == {
        "from arn": "arn:aws:sqs:us-east-1:123456789012:orders-dlq",
        "from as": "arn:aws:iam::123456789012:user/somebody (account 123456789012)",
        "to arn": f"arn:aws:sqs:eu-west-1:{OTHER_ACCOUNT}:orders-v2",
        "to as": f"arn:aws:iam::{OTHER_ACCOUNT}:role/there (account {OTHER_ACCOUNT})",
        "to in": f"eu-west-1, account {OTHER_ACCOUNT}, at {ENDPOINT}",
    }
    assert plan["target"] == f"orders-v2 in eu-west-1 (account {OTHER_ACCOUNT})"
    shown = world.run("dlq", "redrive", *THERE, "--dry-run").err
    assert all(f"  {name:8}  {text}" in shown for name, text in plan["facts"].items())
    assert there.asked[0] == Connection(profile="prod")


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["--yes"], 4),
        (["--confirm", "123456789012"], 4),
        (["--yes", "--confirm", ""], 4),
        (["--confirm", OTHER_ACCOUNT], 0),
    ],
    ids=str,
)
def test_only_the_account_consents_to_leaving_ones_own(world: World, argv: list[str], status: int) -> None:
    """Without a terminal --yes is not enough, and nothing is received before that is known."""
    there = Elsewhere(world)
    world.kill("a")
    before = world.receives()
    ended = world.run("dlq", "redrive", *THERE, *argv)
    assert ended.status == status, ended.err
    assert (there.sqs.requests["SendMessageBatch"], world.depth(world.dlq)) == ((1, 0) if status == 0 else (0, 1))
    if status:
        assert world.receives() == before
        assert f"--confirm {OTHER_ACCOUNT}" in ended.err


def test_consent_to_another_account_never_comes_from_the_environment(world: World) -> None:
    """Nor does the place."""
    there = Elsewhere(world)
    world.kill("a")
    for name, value in {"CONFIRM": OTHER_ACCOUNT, "TO_REGION": "x", "TO_ENDPOINT_URL": "http://x"}.items():
        world.patch.setenv(f"OPSTOOL_{name}", value)
    assert world.run("dlq", "redrive", *THERE, "--yes").status == 4
    assert there.asked[-1] == Connection(profile="prod")


@pytest.mark.parametrize(("answer", "status"), [(OTHER_ACCOUNT, 0), ("y", 4), ("123456789012", 4), ("", 4)])
@pytest.mark.parametrize("yes", [[], ["--yes"]], ids=["", "--yes"])
def test_a_person_types_the_account(world: World, yes: list[str], answer: str, status: int) -> None:
    """Whether they have said yes or not."""
    Elsewhere(world)
    world.kill("a")
    ended = world.run("dlq", "redrive", *THERE, *yes, stdin=f"{answer}\n", terminal=True)
    assert ended.status == status
    assert f"type the account of the target ({OTHER_ACCOUNT}) to redrive: " in ended.err


def test_in_the_same_account_a_yes_is_enough(world: World) -> None:
    """Another region is no other owner."""
    there = Elsewhere(world, account="123456789012")
    world.kill("a")
    assert world.run("dlq", "redrive", *THERE, "--yes").status == 0
    assert there.sqs.requests["SendMessageBatch"] == 1


def test_an_account_is_typed_for_a_queue_that_is_named_by_its_arn_too(world: World) -> None:
    """Another account's queue may be reached without any other option."""
    world.kill("a")
    theirs = f"arn:aws:sqs:us-east-1:{OTHER_ACCOUNT}:theirs"
    world.patch.setattr(Sqs, "resolve", resolving(Sqs.resolve, theirs))
    ended = world.run("dlq", "redrive", "--to", theirs, "--yes")
    assert (ended.status, world.depth(world.dlq)) == (4, 1)
    assert f"--confirm {OTHER_ACCOUNT}" in ended.err


def resolving(resolve: Callable[..., Any], arn: str) -> Callable[..., Any]:
    """Return `Sqs.resolve` that knows one queue more."""
    return lambda sqs, name: Queue(url="https://theirs", arn=arn) if name == arn else resolve(sqs, name)


@pytest.mark.parametrize(
    "argv",
    [
        ["--to-profile", "prod"],
        ["--to-region", "eu-west-1"],
        ["--to-endpoint-url", "http://127.0.0.1:1"],
        ["--confirm", OTHER_ACCOUNT],
        ["--to", "x", "--to-profile", ""],
        ["--to", "x", "--to-endpoint-url", "localhost"],
        ["--to", "x", "--to-endpoint-url", "http://me:secret@localhost"],
    ],
    ids=" ".join,
)
def test_a_place_that_makes_no_sense_is_wrong_usage(world: World, argv: list[str]) -> None:
    """Without --to, empty, no address, or an address with a password; AWS is not asked."""
    ended = world.run("dlq", "redrive", "--yes", *argv)
    assert (ended.status, world.kits, "secret" in ended.err) == (2, [], False)


def test_a_target_that_does_not_exist_is_told_with_its_place(world: World) -> None:
    """And not with the place of the source."""
    Elsewhere(world)
    ended = world.run("dlq", "redrive", "--to", "nowhere", "--to-profile", "prod", "--confirm", OTHER_ACCOUNT)
    assert ended.status == 1
    assert f'target queue "nowhere" does not exist in eu-west-1 (account {OTHER_ACCOUNT})\n' in ended.err
    assert "--to-profile and --to-region" in ended.err


def test_a_target_that_lets_us_not_in_loses_nothing(world: World) -> None:
    """The message stays, status is 1, and the error names side, identity, and what has to let it in; then it works."""
    there = Elsewhere(world)
    there.refusal = error_for("SendMessageBatch", "AccessDenied", "no", 403)
    world.kill("a")
    ended = world.run("dlq", "redrive", *THERE, "--confirm", OTHER_ACCOUNT)
    assert (ended.status, world.depth(world.dlq)) == (1, 1)
    assert "at the target (profile prod)" in ended.out
    assert "the queue's policy and its KMS key" in ended.out
    assert f"arn:aws:iam::{OTHER_ACCOUNT}:role/there" in ended.out
    there.refusal = None
    run = world.run("history", "--output", "json").document["runs"][0]["run_id"]
    assert world.run("resume", run, "--yes").status == 0
    assert (there.sqs.requests["SendMessageBatch"], world.depth(world.dlq)) == (1, 0)


def test_the_report_counts_the_requests_of_both_sides(world: World) -> None:
    """And the journal knows the other side."""
    there = Elsewhere(world)
    world.kill(*map(str, range(10)))
    asked = sum(world.sqs.requests.values())
    report = world.run("dlq", "redrive", *THERE, "--confirm", OTHER_ACCOUNT, "--output", "json").document
    # Before the count begins the dead-letter queue and the target are looked up.
    assert report["requests"] > sum(world.sqs.requests.values()) - asked - 4
    assert report["requests"] >= there.sqs.requests["SendMessageBatch"] + world.receives()
    run = world.run("history", report["run_id"], "--output", "json").document["run"]
    assert (run["audit"]["to"]["who_account"], run["audit"]["to"]["region"]) == (OTHER_ACCOUNT, "eu-west-1")


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [
        ("https://sqs.us-east-1.amazonaws.com/", 4),
        ("https://vpce-1-2.sqs.us-east-1.vpce.amazonaws.com", 4),
        ("http://127.0.0.1:4566", 0),
    ],
    ids=["slash", "VPC endpoint", "emulator"],
)
def test_the_queue_itself_is_refused_however_it_is_spelled(world: World, endpoint: str, status: int) -> None:
    """One ARN of AWS is one queue; on another server it is another queue, and the plan says so."""
    Elsewhere(world, account="123456789012", endpoint=endpoint, name="orders-dlq")
    world.kill("a")
    ended = world.run("dlq", "redrive", "--to", "orders-dlq", "--to-endpoint-url", endpoint, "--yes")
    assert ended.status == status, ended.err
    assert ("is the queue itself" in ended.err) == (status == 4)
    assert ("the same ARN, on different servers" in ended.err) == (status == 0)
