"""The table of permissions, the policy that is made of it, and its documentation."""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session
import pytest

from opstool.doors.access import READABLE
from opstool.words.iam.iampolicy import Resources, length, log_group_arn, policy_document, wildcard
from opstool.words.iam.permissions import (
    NOT_NARROWED,
    REFERENCES,
    VERBS,
    Kind,
    Purpose,
    action_of,
    needs_for,
    verbs_for,
)
from opstool.words.queue import Queue

DOCUMENT = Path(__file__).parents[2] / "docs" / "permissions.md"
QUEUE = Queue(url="", arn="arn:aws-cn:sqs:cn-north-1:123456789012:orders-dlq")
NEEDS = [need for verb in VERBS.values() for need in verb.needs]
ACTIONS = sorted({need.action for need in NEEDS})
CHANGING = ("Send", "Delete", "Purge", "Start", "Set", "Update", "Put", "Create", "Cancel")


# -- the table


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("sqs", "SendMessageBatch", "sqs:SendMessage"),
        ("sqs", "DeleteMessageBatch", "sqs:DeleteMessage"),
        ("sqs", "ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"),
        ("sqs", "ReceiveMessage", "sqs:ReceiveMessage"),
        ("logs", "StartQuery", "logs:StartQuery"),
        ("sts", "GetCallerIdentity", None),
    ],
)
def test_an_operation_has_its_action(service: str, operation: str, action: str | None) -> None:
    """Batches have no action of their own, and who one is may be asked by everybody."""
    assert action_of(service, operation) == action


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_an_operation_of_its_service(action: str) -> None:
    """IAM takes a policy with a misspelt action, and allows nothing by it."""
    service, _, operation = action.partition(":")
    assert service in REFERENCES
    assert operation in botocore.session.Session().get_service_model(service).operation_names


def test_what_cannot_be_narrowed_has_a_reason() -> None:
    """Whatever is granted on everything says why, and nothing else does."""
    assert {need.action for need in NEEDS if need.on is Kind.ANYTHING} == NOT_NARROWED.keys()


def test_no_action_is_granted_both_on_everything_and_on_something() -> None:
    """An action either takes a resource or does not."""
    assert {need.action for need in NEEDS if need.on is not Kind.ANYTHING} & NOT_NARROWED.keys() == set()


def test_what_is_readable_is_in_the_table() -> None:
    """Nothing is tried that no verb needs."""
    assert set(ACTIONS) >= READABLE


def test_nothing_that_changes_something_is_tried() -> None:
    """Only readings have a harmless call."""
    names = [each.split(":")[1] for each in READABLE]
    assert [each for each in names if each.startswith((*CHANGING, "Receive", "Change"))] == []


def test_inspecting_needs_nothing_that_changes() -> None:
    """But for queries of the logs, which are started and stopped."""
    actions = {need.action for need in needs_for([Purpose.INSPECT])} - {"logs:StartQuery"}
    assert [each for each in actions if each.split(":")[1].startswith(CHANGING)] == []


def test_nobody_purges_or_deletes_a_queue() -> None:
    """Messages are deleted one by one, after they are safe."""
    assert {"sqs:PurgeQueue", "sqs:DeleteQueue"} & set(ACTIONS) == set()


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.ALL])
def test_all_contains_every_purpose(purpose: Purpose) -> None:
    """Whoever has everything needs no second policy."""
    assert set(needs_for([purpose])) <= set(needs_for([Purpose.ALL]))
    assert {each.name for each in verbs_for(Purpose.INSPECT)} <= {each.name for each in verbs_for(purpose)}


# -- the policy


def everywhere() -> Resources:
    """Return one resource of each kind."""
    return Resources(by_kind={kind: (f"arn:aws:x:::{kind.name}",) for kind in Kind if kind is not Kind.ANYTHING})


@pytest.mark.parametrize("purpose", Purpose)
def test_a_policy_is_a_bare_document_that_iam_takes(purpose: Purpose) -> None:
    """Version, and statements that only allow, with names of letters and digits that no two share."""
    document = policy_document([purpose], everywhere())
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    for statement in document["Statement"]:
        assert set(statement) == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        assert not [each for each in statement["Action"] if "*" in each]
    names = [each["Sid"] for each in document["Statement"]]
    assert len(names) == len(set(names))


def test_every_need_is_granted_and_nothing_else() -> None:
    """The statements add up to the needs."""
    document = policy_document([Purpose.ALL], everywhere())
    granted = [
        (action, where) for each in document["Statement"] for action in each["Action"] for where in each["Resource"]
    ]
    resources = everywhere()
    assert sorted(granted) == sorted({(need.action, arn) for need in NEEDS for arn in resources.of(need.on)})


def test_what_is_not_there_is_not_granted() -> None:
    """A queue without a key of its own needs nothing of KMS."""
    document = policy_document([Purpose.ALL], Resources(by_kind={Kind.DLQ: (QUEUE.arn,)}))
    assert {each["Sid"] for each in document["Statement"]} == {"DeadLetterQueue", "CannotBeNarrowed"}


def test_two_statements_never_have_the_same_name() -> None:
    """Even where a redrive goes to one of several source queues."""
    one, other = "arn:aws:sqs:r:1:one", "arn:aws:sqs:r:1:other"
    resources = Resources(by_kind={Kind.SOURCE: (one, other), Kind.TARGET: (one,), Kind.ORIGIN: (other,)})
    names = [each["Sid"] for each in policy_document([Purpose.ALL], resources)["Statement"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        (Kind.SOURCE, "arn:aws-cn:sqs:cn-north-1:123456789012:*"),
        (Kind.TARGET, "arn:aws-cn:sqs:cn-north-1:123456789012:*"),
        (Kind.FUNCTION, "arn:aws-cn:lambda:cn-north-1:123456789012:function:*"),
        (Kind.BARE_FUNCTION, "arn:aws-cn:lambda:cn-north-1:123456789012:function:*"),
        (Kind.MAPPING, "arn:aws-cn:lambda:cn-north-1:123456789012:event-source-mapping:*"),
        (Kind.LOG_GROUP, "arn:aws-cn:logs:cn-north-1:123456789012:log-group:*"),
        (Kind.DLQ_KEY, "arn:aws-cn:kms:cn-north-1:123456789012:key/*"),
    ],
)
def test_a_pattern_stays_in_the_account_region_and_partition(kind: Kind, pattern: str) -> None:
    """Even what stands for the unknown is no wider than its kind."""
    assert wildcard(kind, QUEUE) == pattern


def test_a_log_group_is_in_its_function_s_account() -> None:
    """A function may consume a queue of another account, and logs at home."""
    function = "arn:aws:lambda:eu-west-1:999999999999:function:f:live"
    assert log_group_arn(function, "/a/b") == "arn:aws:logs:eu-west-1:999999999999:log-group:/a/b:*"


def test_white_space_does_not_count_against_the_quota() -> None:
    """IAM counts characters without it."""
    assert length({"Version": "1"}) == len('{"Version":"1"}')


# -- the documentation


def rows(title: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:] if "---" not in line]


def test_the_documentation_has_every_verb() -> None:
    """A verb, and the commands that it stands for."""
    assert rows("The verbs") == [[f"`{verb.name}`", verb.commands] for verb in VERBS.values()]


def test_the_documentation_has_every_need() -> None:
    """The table of needs is the code's: verb, kind of resource, actions."""
    assert rows("What each verb needs") == [row for name in VERBS for row in _needs_by_kind(name)]


def _needs_by_kind(name: str) -> list[list[str]]:
    by_kind: dict[str, list[str]] = {}
    for need in VERBS[name].needs:
        by_kind.setdefault(need.on.value, []).append(f"`{need.action}`")
    return [[f"`{name}`", kind, ", ".join(actions)] for kind, actions in by_kind.items()]


def test_the_documentation_has_every_purpose() -> None:
    """What `--for` takes, and the verbs that it stands for."""
    expected = [[f"`{purpose}`", ", ".join(f"`{verb.name}`" for verb in verbs_for(purpose))] for purpose in Purpose]
    assert rows("What `--for` takes") == expected


def test_the_documentation_says_what_cannot_be_narrowed() -> None:
    """Each action that is granted on everything, with the reason."""
    assert rows("What cannot be narrowed") == [[f"`{action}`", reason] for action, reason in NOT_NARROWED.items()]


def test_the_documentation_names_its_sources() -> None:
    """The page of the Service Authorization Reference of each service."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [url for url in REFERENCES.values() if url not in text] == []
