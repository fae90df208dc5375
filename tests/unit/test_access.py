"""What the caller may do: tried, simulated, or said to be unknown; never told otherwise than AWS decides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opstool.doors.toolkit import Toolkit
from opstool.engine.access.examine import EXAMINED, examine
from opstool.engine.access.simulate import simulate
from opstool.words.check import Check, CheckStatus
from opstool.words.errors import AccessError
from opstool.words.iam.access import Caller, CallerKind, Permission, Verdict
from opstool.words.iam.permissions import VERBS
from opstool.words.queue import Queue
from tests.cli.world import LOG_GROUP, World
from tests.permissions.account import (
    EVERYTHING,
    FUNCTION,
    ROLE,
    SESSION,
    USER,
    Account,
    Policies,
    furnish,
    queue_arn,
    simulated,
)
from tests.permissions.language import ALLOWED, EXPLICIT, IMPLICIT, Attempt, Document, allow, deny, evaluate
from tests.permissions.requests import ACCOUNT, arn

DLQ, SOURCE = queue_arn("orders-dlq"), queue_arn("orders")
READING = allow("*:Get*", "*:List*", "*:Describe*", "logs:FilterLogEvents", "iam:SimulatePrincipalPolicy")
ONLY_TLS = deny("sqs:*", on=DLQ, Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})
CHANGES = ("Receive", "Send", "Delete", "Change", "Set", "Start", "Stop", "Update", "Purge", "Cancel", "Put", "Create")


@pytest.fixture
def world(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a source queue with a DLQ."""
    return World(state_dir=tmp_path / "state", patch=monkeypatch)


@pytest.fixture
def account(world: World) -> Account:
    """Return the account of that world, with a role that may do everything."""
    return furnish(world)


def look(world: World, verbs: Sequence[str] = EXAMINED) -> dict[str, Check]:
    """Examine the caller's permissions; return the checks by verb."""
    kit: Toolkit = world.connect(stack_name="orders-stack")
    queues = [Queue(url=world.dlq, arn=DLQ), Queue(url=world.source, arn=SOURCE)]
    checks = examine(kit, queues[0], queues[1:], verbs=verbs)
    return {each.code.removeprefix("permission_"): each for each in checks}


def statement_of(check: Check) -> Any:
    """Return the statement that a check's fix proposes."""
    assert check.fix
    return json.loads("\n".join(check.fix.template))


# -- who calls


@pytest.mark.parametrize(
    ("text", "kind", "role"),
    [
        (USER, CallerKind.USER, None),
        (SESSION, CallerKind.ROLE, "OnCall"),
        (f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/OnCall/a:b", CallerKind.ROLE, "OnCall"),
        (f"arn:aws:sts::{ACCOUNT}:federated-user/somebody", CallerKind.FEDERATED, None),
        (f"arn:aws:iam::{ACCOUNT}:root", CallerKind.ROOT, None),
        ("unknown", CallerKind.OTHER, None),
    ],
    ids=["user with a path", "role", "role in another partition", "federated user", "root", "nobody knows"],
)
def test_the_caller_is_known_by_its_arn(text: str, kind: CallerKind, role: str | None) -> None:
    """Each kind of identity has a form of ARN of its own."""
    caller = Caller(arn=text)
    assert (caller.kind, caller.role_name) == (kind, role)


def test_a_role_keeps_its_partition() -> None:
    """A session's ARN becomes the ARN of its role in the same partition."""
    caller = Caller(arn=f"arn:aws-us-gov:sts::{ACCOUNT}:assumed-role/OnCall/me")
    assert caller.role_arn_without_path == f"arn:aws-us-gov:iam::{ACCOUNT}:role/OnCall"


# -- the whole examination


@pytest.mark.parametrize("caller", [SESSION, USER])
def test_whoever_may_do_everything_passes_every_check(world: World, caller: str) -> None:
    """A role and a user with full rights."""
    furnish(world, caller=caller)
    assert {each.status for each in look(world).values()} == {CheckStatus.PASSED}


def test_examining_changes_nothing_and_receives_nothing(world: World, account: Account) -> None:
    """Only readings are made, whatever is found."""
    for identity in ([EVERYTHING], [READING], []):
        account.policies.identity = identity
        look(world)
    names = [each.split(":")[1] for each in account.operations if each != "iam:SimulatePrincipalPolicy"]
    assert not [each for each in names if each.startswith(CHANGES)]


def test_what_is_missing_is_named_with_its_resource(world: World, account: Account) -> None:
    """Somebody who may look but not delete can neither redrive nor purge, and is told which action on which queue."""
    account.policies.identity = [READING, allow("sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "logs:*", on="*")]
    checks = look(world)
    assert checks["list"].status is CheckStatus.PASSED
    assert checks["reasons"].status is CheckStatus.PASSED
    assert checks["purge"].status is CheckStatus.FAILED
    assert checks["purge"].found == f"sqs:DeleteMessage on {DLQ} (no policy allows it)"
    assert checks["redrive"].wanted == f"sqs:DeleteMessage on {DLQ}; sqs:SendMessage on {SOURCE}"
    assert statement_of(checks["purge"]) == {"Effect": "Allow", "Action": ["sqs:DeleteMessage"], "Resource": [DLQ]}
    assert len(statement_of(checks["redrive"])) == 2


def test_adding_the_statements_of_the_fixes_mends_every_check(world: World, account: Account) -> None:
    """What the fixes propose is enough: after a few rounds of pasting, everything passes."""
    account.policies.identity = [allow("iam:SimulatePrincipalPolicy", "iam:GetRole")]
    for _ in range(5):
        failed = [each for each in look(world).values() if each.status is CheckStatus.FAILED]
        for each in failed:
            found = statement_of(each)
            account.policies.identity.append({"Statement": found})
    assert {each.status for each in look(world).values()} == {CheckStatus.PASSED}


def test_without_simulation_the_rest_is_still_tried(world: World, account: Account) -> None:
    """Most accounts deny the simulator: what reads is known all the same, and of the rest it is said why not."""
    account.policies.identity = [deny("iam:*"), deny("lambda:ListEventSourceMappings"), EVERYTHING]
    checks = look(world)
    assert checks["list"].status is CheckStatus.UNKNOWN
    assert f"sqs:ReceiveMessage on {DLQ}" in checks["list"].found
    assert "iam:SimulatePrincipalPolicy is not allowed" in checks["list"].found
    assert checks["pause"].status is CheckStatus.FAILED
    assert "lambda:ListEventSourceMappings on *" in checks["pause"].found
    assert checks["doctor"].status is CheckStatus.FAILED


def test_a_doctor_needs_no_simulator(world: World, account: Account) -> None:
    """Everything that the doctor reads can be tried, so its own check never depends on IAM."""
    account.policies.identity = [deny("iam:*"), READING]
    assert look(world)["doctor"].status is CheckStatus.PASSED


def test_an_explicit_deny_has_no_statement_to_add(world: World, account: Account) -> None:
    """Allowing more does not help against a Deny, a boundary or the organization."""
    account.policies.identity = [EVERYTHING, deny("sqs:DeleteMessage"), deny("sqs:GetQueueUrl")]
    check = look(world)["purge"]
    assert check.status is CheckStatus.FAILED
    assert f"sqs:DeleteMessage on {DLQ} (a policy denies it)" in check.found
    assert "with an explicit deny" in check.found
    assert check.fix is None


@pytest.mark.parametrize(
    ("kind", "words"), [("organization", "service control policy"), ("boundary", "permissions boundary")]
)
def test_it_is_said_which_policy_does_not_allow_it(world: World, account: Account, kind: str, words: str) -> None:
    """The organization's policies and the permissions boundary are told from the identity's own."""
    setattr(account.policies, kind, [READING, allow("sqs:ReceiveMessage", "sqs:ChangeMessageVisibility")])
    check = look(world)["purge"]
    assert (check.status, check.fix) == (CheckStatus.FAILED, None)
    assert words in check.found


def test_what_depends_on_an_unknown_condition_is_unknown(world: World, account: Account) -> None:
    """A condition whose key nobody knows here leaves the answer open, and is named."""
    only_with_mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    account.policies.identity = [READING, allow("sqs:*", Condition=only_with_mfa)]
    account.context["aws:MultiFactorAuthPresent"] = "true"
    check = look(world)["purge"]
    assert check.status is CheckStatus.UNKNOWN
    assert "depends on aws:MultiFactorAuthPresent" in check.found


def test_what_we_know_of_our_requests_is_told_to_the_simulator(world: World, account: Account) -> None:
    """A policy that wants TLS and the region leaves nothing open."""
    condition = {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    account.policies.identity = [READING, allow("sqs:*", Condition=condition)]
    assert look(world)["purge"].status is CheckStatus.PASSED


def test_an_answer_of_many_pages_is_read_to_its_end(world: World, account: Account) -> None:
    """IAM may give fewer results than were asked for, and a marker."""
    account.page_size = 1
    account.policies.identity = [READING, allow("sqs:ReceiveMessage", "sqs:ChangeMessageVisibility")]
    checks = look(world)
    assert checks["list"].status is CheckStatus.PASSED
    assert checks["purge"].wanted == f"sqs:DeleteMessage on {DLQ}"


def test_a_log_group_is_simulated_as_a_request_names_it(world: World, account: Account) -> None:
    """A policy names a log group with `:*`, and a request its streams: both forms of grant are understood."""
    account.policies.identity = [
        READING,
        allow("logs:*", on=arn("logs", f"log-group:{LOG_GROUP}:*")),
        allow("logs:*Quer*"),
    ]
    assert look(world)["reasons"].status is CheckStatus.PASSED
    account.policies.identity = [READING, allow("logs:*", on=arn("logs", f"log-group:{LOG_GROUP}"))]
    assert "logs:StartQuery on" in look(world)["reasons"].found


def test_root_may_do_everything(world: World) -> None:
    """IAM does not simulate the root user, and no policy of an identity binds it."""
    account = furnish(world, caller=f"arn:aws:iam::{ACCOUNT}:root")
    assert {each.status for each in look(world).values()} == {CheckStatus.PASSED}
    assert "iam:SimulatePrincipalPolicy" not in account.operations


def test_a_federated_user_cannot_be_simulated(world: World) -> None:
    """What changes something is unknown then, and what reads is still tried."""
    furnish(world, caller=f"arn:aws:sts::{ACCOUNT}:federated-user/somebody")
    checks = look(world)
    assert checks["doctor"].status is CheckStatus.PASSED
    assert checks["redrive"].status is CheckStatus.UNKNOWN
    assert "users and roles only" in checks["redrive"].found


def test_a_role_with_a_path_is_simulated_by_its_full_arn(world: World, account: Account) -> None:
    """The session's ARN has no path; GetRole knows it."""
    assert account.identity_arn == ROLE
    assert look(world)["redrive"].status is CheckStatus.PASSED
    assert "iam:GetRole" in account.operations


def test_a_path_that_nobody_may_read_leaves_a_role_unknown(world: World, account: Account) -> None:
    """Without GetRole a role that has a path is not found, and nothing is claimed of it."""
    account.policies.identity = [EVERYTHING, deny("iam:GetRole")]
    check = look(world)["redrive"]
    assert check.status is CheckStatus.UNKNOWN
    assert "NoSuchEntity" in check.found


# -- the queue's own policy


def test_a_role_is_not_told_that_it_may_where_the_queue_may_deny(world: World, account: Account) -> None:
    """The simulator leaves a queue's policy out for roles, so a Deny in it leaves the answer open."""
    set_queue_policy(world, account, deny("sqs:DeleteMessage", on=DLQ, Principal="*"))
    check = look(world)["purge"]
    assert check.status is CheckStatus.UNKNOWN
    assert "the queue's policy has a Deny" in check.found


def test_a_role_is_not_told_that_it_may_not_where_the_queue_may_allow(world: World, account: Account) -> None:
    """An Allow in the queue's policy is enough in the same account."""
    account.policies.identity = [READING]
    set_queue_policy(world, account, allow("sqs:*", on=DLQ, Principal={"AWS": ROLE}))
    check = look(world)["purge"]
    assert check.status is CheckStatus.UNKNOWN
    assert "the queue's policy may" in check.found


def test_a_queue_that_only_wants_tls_leaves_nothing_open(world: World, account: Account) -> None:
    """The commonest queue policy of all, and our template's, is no reason to doubt."""
    set_queue_policy(world, account, ONLY_TLS)
    assert look(world)["purge"].status is CheckStatus.PASSED


@pytest.mark.parametrize(
    ("policy", "identity", "status"),
    [
        (deny("sqs:DeleteMessage", on=DLQ, Principal="*"), EVERYTHING, CheckStatus.FAILED),
        (allow("sqs:*", on=DLQ, Principal={"AWS": USER}), READING, CheckStatus.PASSED),
        (ONLY_TLS, EVERYTHING, CheckStatus.PASSED),
    ],
    ids=["denied by the queue", "allowed by the queue", "only over TLS"],
)
def test_for_a_user_the_queue_policy_is_simulated(
    world: World, policy: Document, identity: Document, status: CheckStatus
) -> None:
    """For users the simulator takes it, so that the answer is certain."""
    account = furnish(world, caller=USER)
    account.policies.identity = [identity]
    set_queue_policy(world, account, policy)
    assert look(world)["purge"].status is status


def set_queue_policy(world: World, account: Account, policy: Document) -> None:
    """Give the dead-letter queue a policy that counts, and that can be read."""
    account.policies.queues[DLQ] = policy
    world.sqs("SetQueueAttributes", {"QueueUrl": world.dlq, "Attributes": {"Policy": json.dumps(policy)}})


def test_a_queue_in_another_account_is_unknown_to_the_simulator(world: World, account: Account) -> None:
    """Both accounts have to allow it, and only one can be asked."""
    elsewhere = Permission(action="sqs:SendMessage", resource="arn:aws:sqs:us-east-1:999999999999:theirs")
    found = simulate(account_access(account), Caller(arn=SESSION), [elsewhere], queue_policies={}, region="us-east-1")
    assert found[elsewhere].verdict is Verdict.UNKNOWN
    assert "another account" in found[elsewhere].reason


# -- keys


def test_a_key_may_allow_by_its_own_policy(world: World, account: Account) -> None:
    """What the caller's policies leave out of a key, the key's own policy may allow: unknown, not denied."""
    key = arn("kms", "key/1")
    world.sqs("SetQueueAttributes", {"QueueUrl": world.dlq, "Attributes": {"KmsMasterKeyId": key}})
    account.policies.identity = [READING, allow("sqs:*")]
    check = look(world)["list"]
    assert check.status is CheckStatus.UNKNOWN
    assert f"kms:Decrypt on {key}" in check.found
    account.policies.identity = [READING, allow("sqs:*", "kms:*")]
    assert look(world)["list"].status is CheckStatus.PASSED


# -- what is not there


def test_resources_that_could_not_be_read_are_unknown_and_never_simulated(world: World, account: Account) -> None:
    """Nobody is told about a pattern as if it were a function."""
    account.policies.identity = [EVERYTHING, deny("lambda:ListEventSourceMappings")]
    check = look(world)["reasons"]
    assert check.status is CheckStatus.FAILED
    assert check.wanted == "lambda:ListEventSourceMappings on *"
    account.policies.identity = [EVERYTHING, deny("lambda:GetFunctionConfiguration")]
    look(world)
    assert [each for each in account.simulated if each.endswith((":function:*", "log-group:*", "mapping:*"))] == []


def test_a_log_group_that_does_not_exist_is_simulated_instead(world: World, account: Account) -> None:
    """A reading that ends with not-found tells nothing of the permission."""
    account.functions.add_function("orders-consumer", LoggingConfig={"LogGroup": "/gone"})
    assert look(world)["reasons"].status is CheckStatus.PASSED
    account.policies.identity = [EVERYTHING, deny("logs:FilterLogEvents")]
    assert (
        "logs:FilterLogEvents on arn:aws:logs:us-east-1:123456789012:log-group:/gone:*" in look(world)["reasons"].found
    )


def test_credentials_that_are_missing_are_an_error(world: World, account: Account) -> None:
    """That is about every action, and not for the doctor to count one by one."""

    def nobody(*_: Any) -> dict[str, Any]:
        raise AccessError("no usable credentials", code="no_credentials")

    kit = world.connect()
    kit.ask = nobody
    with pytest.raises(AccessError, match="no usable credentials"):
        examine(kit, Queue(url=world.dlq, arn=DLQ), [])


def test_many_missing_permissions_are_counted_not_listed(world: World, account: Account) -> None:
    """A check stays readable; its statement has them all."""
    account.policies.identity = [allow("iam:*")]
    names = [f"orders-{number}" for number in range(12)]
    sources = [Queue(url=world.make_queue(name), arn=queue_arn(name)) for name in names]
    [check] = examine(world.connect(), Queue(url=world.dlq, arn=DLQ), sources, verbs=["redrive"])
    assert "and " in check.found
    assert check.found.count(" on ") == 10
    assert len(check.wanted.split("; ")) > 30


def test_every_examined_verb_is_a_verb_of_the_table() -> None:
    """The codes of the checks are the names of the table."""
    assert set(EXAMINED) <= set(VERBS)


# -- never otherwise than AWS decides

ACTIONS = sorted({need.action for verb in VERBS.values() for need in verb.needs} - {"iam:GetRole"})
RESOURCES = ["*", DLQ, SOURCE, queue_arn("*"), arn("logs", f"log-group:{LOG_GROUP}:*"), f"{FUNCTION}:live"]
CONDITIONS: list[dict[str, Any]] = [
    {},
    {},
    {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "orders"}}},
    {"Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}},
]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Return a small policy that allows or denies some of what opstool asks for."""
    make = draw(st.sampled_from([allow, allow, allow, deny]))
    actions = draw(
        st.lists(st.sampled_from([*ACTIONS, "sqs:*", "*", "logs:*", "sqs:*Message"]), min_size=1, max_size=4)
    )
    document: Document = make(*actions, on=draw(st.sampled_from(RESOURCES)), **draw(st.sampled_from(CONDITIONS)))
    return document


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    identity=st.lists(documents(), max_size=6),
    organization=st.lists(documents(), max_size=2),
    boundary=st.lists(documents(), max_size=2),
    queue=st.none() | documents(),
    caller=st.sampled_from([SESSION, USER]),
    may_simulate=st.booleans(),
    tags=st.sampled_from([{}, {"aws:PrincipalTag/team": "orders"}]),
)
def test_what_is_said_to_be_allowed_or_denied_is(  # noqa: PLR0913, PLR0917 - one parameter for each kind of policy
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    identity: list[Document],
    organization: list[Document],
    boundary: list[Document],
    queue: Document | None,
    caller: str,
    may_simulate: bool,
    tags: dict[str, str],
) -> None:
    """For any policies: a check that passes needs nothing that AWS denies, and one that fails names what it denies."""
    world = World(state_dir=tmp_path_factory.getbasetemp(), patch=monkeypatch)
    account = furnish(world, caller=caller)
    if queue:
        named = {**queue["Statement"][0], "Principal": "*"}
        set_queue_policy(world, account, {"Statement": [named]})
    account.policies.identity = [*identity, allow("iam:*") if may_simulate else deny("iam:*")]
    account.policies.organization = [EVERYTHING, *organization]
    account.policies.boundary = [EVERYTHING, *boundary]
    account.context |= tags
    for check in look(world).values():
        if check.status is CheckStatus.FAILED:
            named_denied = [tuple(each.split(" on ")) for each in check.wanted.split("; ")]
            assert [each for each in named_denied if account.decide(*each) == ALLOWED] == []
        if check.status is CheckStatus.PASSED:
            needs = VERBS[check.code.removeprefix("permission_")].needs
            on_queues = {"the dead-letter queue": DLQ, "its source queues": SOURCE, "anything": "*"}
            asked = [(need.action, on_queues[need.on.value]) for need in needs if need.on.value in on_queues]
            assert [each for each in asked if account.decide(*each) != ALLOWED] == []


# -- the fake is honest


@pytest.mark.parametrize(
    ("policies", "decision"),
    [
        ([], IMPLICIT),
        ([allow("sqs:Receive*", on=DLQ)], ALLOWED),
        ([allow("SQS:receivemessage", on="arn:aws:sqs:*:*:orders-???")], ALLOWED),
        ([allow("sqs:*", on=SOURCE)], IMPLICIT),
        ([EVERYTHING, deny("sqs:ReceiveMessage", on=DLQ)], EXPLICIT),
        ([EVERYTHING, deny("sqs:*", Condition={"Bool": {"aws:SecureTransport": "false"}})], ALLOWED),
        ([allow("sqs:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "x"}})], IMPLICIT),
        ([EVERYTHING, deny("sqs:*", Condition={"StringNotEquals": {"aws:SourceVpc": "vpc-1"}})], EXPLICIT),
        ([EVERYTHING, deny("sqs:*", Condition={"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}})], EXPLICIT),
        ([allow("sqs:*", Principal={"AWS": ROLE})], IMPLICIT),
    ],
    ids=[
        "nothing",
        "wildcard in the action",
        "letter case, and wildcards in the resource",
        "another resource",
        "a deny wins",
        "a condition that does not hold",
        "a key that is missing",
        "a key that is missing, negated",
        "a key that is missing, if it exists",
        "somebody else is meant",
    ],
)
def test_the_policy_language_of_these_tests_is_iam_s(policies: list[Document], decision: str) -> None:
    """The fake evaluates as IAM documents it."""
    context = {"aws:SecureTransport": "true"}
    assert evaluate(policies, Attempt(action="sqs:ReceiveMessage", resource=DLQ, context=context)) == decision


def test_the_simulator_of_these_tests_knows_only_what_it_is_given() -> None:
    """Keys that policies ask for and the request does not give are named."""
    policies = Policies(identity=[allow("sqs:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "x"}})])
    request = {"PolicySourceArn": ROLE, "ActionNames": ["sqs:SendMessage"], "ResourceArns": [DLQ]}
    [result] = simulated(request, policies, frozenset())["EvaluationResults"]
    assert result["ResourceSpecificResults"][0]["MissingContextValues"] == ["aws:PrincipalTag/team"]


def account_access(account: Account) -> Any:
    """Return the door to an account's IAM."""
    from opstool.doors.access import Access  # noqa: PLC0415 - only here

    return Access(account.ask)
