"""`opstool iam-policy`: a bare policy on stdout, and on stderr what it could not know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.test_golden import check
from tests.cli.world import ACCOUNT, LOG_GROUP, REGION, Ended, World
from tests.permissions.account import FUNCTION, MAPPING, Account, furnish, queue_arn
from tests.permissions.language import deny, everything_but
from tests.permissions.requests import arn

DLQ, SOURCE = queue_arn("orders-dlq"), queue_arn("orders")


@pytest.fixture
def account(world: World) -> Account:
    """Return the account of that world, in which everything may be read."""
    return furnish(world)


def grants(ended: Ended) -> dict[str, set[str]]:
    """Return the resources of each action in the policy on stdout."""
    assert ended.status == 0, ended.err
    document = json.loads(ended.out)
    assert set(document) == {"Version", "Statement"}
    found: dict[str, set[str]] = {}
    for statement in document["Statement"]:
        for action in statement["Action"]:
            assert action not in found
            found[action] = set(statement["Resource"])
    return found


@pytest.mark.parametrize("form", ["text", "json", "jsonl"])
def test_stdout_is_a_bare_policy(world: World, account: Account, form: str) -> None:
    """No envelope and nothing around it, so that it can be piped into the AWS CLI; one line for programs."""
    ended = world.run("iam-policy", "orders-dlq", "--for", "all", "--output", form)
    assert json.loads(ended.out)["Version"] == "2012-10-17"
    assert ended.err == ""
    assert (len(ended.out.splitlines()) == 1) is (form != "text")


def test_the_policy_word_for_word(world: World, account: Account) -> None:
    """As it is laid out for a person: each statement with the actions that go together."""
    check("iam-policy-inspect", world, world.run("iam-policy", "orders-dlq", "--for", "inspect"))


def test_resources_are_those_that_were_found(world: World, account: Account) -> None:
    """The queue, its sources, their consumers and logs: by name and not by pattern."""
    found = grants(world.run("iam-policy", "orders-dlq", "--for", "redrive", "--for", "pause"))
    assert found["sqs:ReceiveMessage"] == {DLQ}
    assert found["sqs:DeleteMessage"] == {DLQ}
    assert found["sqs:SendMessage"] == {SOURCE}
    assert found["sqs:GetQueueAttributes"] == {DLQ, SOURCE}
    assert found["lambda:GetFunctionConfiguration"] == {f"{FUNCTION}:live"}
    assert found["lambda:UpdateEventSourceMapping"] == {MAPPING}
    assert found["logs:StartQuery"] == {arn("logs", f"log-group:{LOG_GROUP}:*")}
    assert found["cloudformation:DescribeStacks"] == {arn("cloudformation", "stack/orders-stack/*")}
    assert found["sqs:ListQueues"] == {"*"}
    assert "kms:Decrypt" not in found
    assert "sqs:PurgeQueue" not in found


def test_a_source_queue_stands_for_its_dead_letter_queue(world: World, account: Account) -> None:
    """As everywhere else, its redrive policy is followed."""
    by_source = world.run("iam-policy", "orders", "--for", "purge").out
    assert by_source == world.run("iam-policy", "orders-dlq", "--for", "purge").out


def test_without_a_queue_it_is_the_stack_s(world: World, account: Account) -> None:
    """The DLQ output of the stack is taken."""
    assert grants(world.run("iam-policy", "--for", "purge"))["sqs:DeleteMessage"] == {DLQ}


def test_a_queue_of_no_stack_needs_no_stack(world: World, account: Account) -> None:
    """The stack of this folder is another one's."""
    world.make_queue("others-dlq")
    world.make_queue("others", RedrivePolicy=world.policy("others-dlq", 3))
    assert "cloudformation:DescribeStacks" not in grants(world.run("iam-policy", "others-dlq", "--for", "redrive"))


def test_a_fifo_queue_needs_the_same(world: World, account: Account) -> None:
    """Order and deduplication have no permission of their own."""
    world.make_queue("events-dlq.fifo", FifoQueue="true")
    world.make_queue("events.fifo", FifoQueue="true", RedrivePolicy=world.policy("events-dlq.fifo", 3))
    found = grants(world.run("iam-policy", "events-dlq.fifo", "--for", "redrive"))
    assert found["sqs:SendMessage"] == {queue_arn("events.fifo")}
    assert found["sqs:DeleteMessage"] == {queue_arn("events-dlq.fifo")}


def test_with_to_only_that_queue_may_be_sent_to(world: World, account: Account) -> None:
    """A redrive elsewhere needs no right to send to the sources."""
    world.make_queue("elsewhere")
    found = grants(world.run("iam-policy", "orders-dlq", "--for", "redrive", "--to", "elsewhere"))
    assert found["sqs:SendMessage"] == {queue_arn("elsewhere")}
    assert found["sqs:GetQueueUrl"] == {DLQ, SOURCE, queue_arn("elsewhere")}


def test_an_import_sends_into_the_dead_letter_queue(world: World, account: Account) -> None:
    """That is where an archive came from; together with a redrive, both may be sent to."""
    assert grants(world.run("iam-policy", "orders-dlq", "--for", "import"))["sqs:SendMessage"] == {DLQ}
    both = grants(world.run("iam-policy", "orders-dlq", "--for", "import", "--for", "redrive"))
    assert both["sqs:SendMessage"] == {DLQ, SOURCE}


@pytest.mark.parametrize(
    ("key", "named"),
    [
        (arn("kms", "key/1234"), arn("kms", "key/1234")),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab")),
        ("alias/orders", arn("kms", "key/aliased")),
        (arn("kms", "alias/orders"), arn("kms", "key/aliased")),
    ],
    ids=["ARN", "id", "alias", "ARN of an alias"],
)
def test_a_key_of_its_own_is_named_by_its_arn(world: World, account: Account, key: str, named: str) -> None:
    """A policy cannot name a key by its alias, so an alias is looked up."""
    account.aliases |= {
        "alias/orders": arn("kms", "key/aliased"),
        arn("kms", "alias/orders"): arn("kms", "key/aliased"),
    }
    world.sqs("SetQueueAttributes", {"QueueUrl": world.dlq, "Attributes": {"KmsMasterKeyId": key}})
    found = grants(world.run("iam-policy", "orders-dlq", "--for", "redrive"))
    assert found["kms:Decrypt"] == {named}
    assert "kms:GenerateDataKey" not in found
    sending = grants(world.run("iam-policy", "orders-dlq", "--for", "import"))
    assert sending["kms:GenerateDataKey"] == {named}


def test_the_key_of_a_source_queue_is_for_sending(world: World, account: Account) -> None:
    """Who sends to an encrypted queue generates a data key, and decrypts it."""
    key = arn("kms", "key/1")
    world.sqs("SetQueueAttributes", {"QueueUrl": world.source, "Attributes": {"KmsMasterKeyId": key}})
    found = grants(world.run("iam-policy", "orders-dlq", "--for", "redrive"))
    assert (found["kms:GenerateDataKey"], found["kms:Decrypt"]) == ({key}, {key})
    assert "kms:Decrypt" not in grants(world.run("iam-policy", "orders-dlq", "--for", "purge"))


def test_the_key_that_aws_manages_needs_nothing(world: World, account: Account) -> None:
    """Its policy lets in whoever may use SQS."""
    world.sqs("SetQueueAttributes", {"QueueUrl": world.dlq, "Attributes": {"KmsMasterKeyId": "alias/aws/sqs"}})
    assert not [action for action in grants(world.run("iam-policy", "orders-dlq", "--for", "all")) if "kms:" in action]


# -- what may not be read


@pytest.mark.parametrize(
    ("denied", "action", "pattern", "words"),
    [
        ("sqs:ListDeadLetterSourceQueues", "sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:*", "source queues"),
        ("lambda:ListEventSourceMappings", "lambda:UpdateEventSourceMapping", "event-source-mapping:*", "who consumes"),
        ("lambda:ListEventSourceMappings", "lambda:GetFunctionConfiguration", "function:*", "who consumes"),
        ("lambda:GetFunctionConfiguration", "logs:StartQuery", "log-group:*", "the log group of"),
    ],
    ids=["sources", "mappings", "functions", "log groups"],
)
def test_what_may_not_be_read_is_a_pattern_with_a_note(
    world: World, account: Account, denied: str, action: str, pattern: str, words: str
) -> None:
    """The policy is still one that works; the note says where it is wider than need be."""
    account.policies.identity = everything_but(denied)
    ended = world.run("iam-policy", "orders-dlq", "--for", "redrive", "--for", "pause")
    [resource] = [each for each in grants(ended)[action] if each.endswith("*")]
    assert resource.endswith(pattern)
    assert resource.startswith("arn:aws:")
    assert f":{REGION}:{ACCOUNT}:" in resource
    assert words in ended.err
    assert denied.split(":")[1] in ended.err


def test_an_alias_that_may_not_be_read_is_every_key(world: World, account: Account) -> None:
    """There is a key, and nobody knows which: the widest pattern, with a note."""
    account.aliases["alias/orders"] = arn("kms", "key/aliased")
    world.sqs("SetQueueAttributes", {"QueueUrl": world.dlq, "Attributes": {"KmsMasterKeyId": "alias/orders"}})
    account.policies.identity = everything_but("kms:DescribeKey")
    ended = world.run("iam-policy", "orders-dlq", "--for", "purge")
    assert grants(ended)["kms:Decrypt"] == {arn("kms", "key/*")}
    assert "alias/orders" in ended.err


def test_a_key_that_nobody_knows_of_opens_none(world: World, account: Account) -> None:
    """Where the source's settings may not be read, KMS is a note and no pattern for every key of the account."""
    account.policies.identity = everything_but("sqs:GetQueueAttributes", on=[SOURCE])
    ended = world.run("iam-policy", "orders-dlq", "--for", "redrive")
    assert not [action for action in grants(ended) if "kms:" in action]
    assert "kms:GenerateDataKey" in ended.err


def test_nothing_may_be_read_but_the_arn_is_known(world: World, account: Account) -> None:
    """Who has no permission at all gets the policy to ask for."""
    account.policies.identity = [deny("*")]
    ended = world.run("iam-policy", DLQ, "--for", "redrive")
    assert grants(ended)["sqs:DeleteMessage"] == {DLQ}
    assert "nothing was looked up" in ended.err
    by_name = world.run("iam-policy", "orders-dlq", "--for", "redrive")
    assert by_name.status == 1
    assert "name the queue by its ARN" in by_name.err


def test_many_functions_of_one_queue_are_all_named(world: World, account: Account) -> None:
    """A queue may have more than one consumer."""
    account.functions.add_mapping(SOURCE, "another", state="Disabled")
    found = grants(world.run("iam-policy", "orders-dlq", "--for", "inspect"))
    assert found["lambda:GetFunctionConfiguration"] == {f"{FUNCTION}:live", arn("lambda", "function:another")}
    assert len(found["logs:StartQuery"]) == 2


def test_a_queue_without_a_consumer_has_the_stack_s_log_group(world: World, account: Account) -> None:
    """As a look has, when no mapping leads to a log."""
    account.functions.remove(MAPPING.rsplit(":", 1)[-1])
    found = grants(world.run("iam-policy", "orders-dlq", "--for", "inspect"))
    assert found["logs:StartQuery"] == {arn("logs", f"log-group:{LOG_GROUP}:*")}
    assert "lambda:GetFunctionConfiguration" not in found


# -- without asking


def test_no_lookup_asks_nothing(world: World, account: Account) -> None:
    """Not even who one is; patterns stand for everything but the queue."""
    ended = world.run("iam-policy", "arn:aws-cn:sqs:cn-north-1:999999999999:dead", "--for", "redrive", "--no-lookup")
    found = grants(ended)
    assert found["sqs:DeleteMessage"] == {"arn:aws-cn:sqs:cn-north-1:999999999999:dead"}
    assert found["sqs:SendMessage"] == {"arn:aws-cn:sqs:cn-north-1:999999999999:*"}
    assert found["logs:StartQuery"] == {"arn:aws-cn:logs:cn-north-1:999999999999:log-group:*"}
    assert (account.asked, "nothing was looked up" in ended.err) == ({}, True)


def test_no_lookup_with_a_target_sends_there_alone(world: World) -> None:
    """Two ARNs are all that a redrive elsewhere needs."""
    target = "arn:aws:sqs:eu-west-1:999999999999:elsewhere"
    found = grants(world.run("iam-policy", DLQ, "--for", "redrive", "--to", target, "--no-lookup"))
    assert found["sqs:SendMessage"] == {target}


@pytest.mark.parametrize(
    "argv",
    [
        ["orders-dlq", "--for", "redrive", "--no-lookup"],
        ["arn:aws:s3:::bucket", "--for", "redrive", "--no-lookup"],
        ["arn:aws:sqs:::dead", "--for", "redrive", "--no-lookup"],
        ["--for", "redrive", "--no-lookup"],
        ["arn:aws:sqs:us-east-1:123456789012:*", "--for", "redrive", "--no-lookup"],
        ["arn:aws:sqs:us-east-1:*:orders-dlq", "--for", "redrive", "--no-lookup"],
        [DLQ, "--for", "redrive", "--no-lookup", "--to", "elsewhere"],
        [DLQ],
        [DLQ, "--for", "everything"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_a_usage_error(world: World, argv: list[str]) -> None:
    """Status 2, a hint, and nothing on stdout that a pipe could take for a policy."""
    ended = world.run("iam-policy", *argv)
    assert (ended.status, ended.out) == (2, "")
    assert "hint: " in ended.err


def test_a_policy_too_long_for_iam_is_said_to_be(world: World, account: Account) -> None:
    """A managed policy has 6,144 characters at most."""
    for number in range(100):
        world.make_queue(f"a-source-queue-with-a-long-name-{number}", RedrivePolicy=world.policy("orders-dlq", 3))
    ended = world.run("iam-policy", "orders-dlq", "--for", "redrive")
    assert "a managed policy may have 6,144" in ended.err
    assert len(grants(ended)["sqs:SendMessage"]) == 101


def test_quiet_leaves_the_policy(world: World, account: Account) -> None:
    """Notes are for people."""
    account.policies.identity = everything_but("lambda:ListEventSourceMappings")
    ended = world.run("-q", "iam-policy", "orders-dlq", "--for", "inspect")
    assert (ended.err, bool(grants(ended))) == ("", True)


def test_a_failure_is_an_error_document(world: World, account: Account) -> None:
    """Only a policy is bare; an error has its envelope."""
    document: dict[str, Any] = world.run("iam-policy", "nobody", "--for", "inspect", "--output", "json").document
    assert (document["type"], document["code"]) == ("error", "queue_not_found")
