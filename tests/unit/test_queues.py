"""The overview of an account: roles, filters, large accounts, and queues that vanish, refuse or are throttled."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from opstool.fake import FailCalls, Faults, no_connection, server_error, throttled
from opstool.verbs.queues import DlqSummary, list_dlqs
from opstool.words.awserrors import error_for
from opstool.words.errors import AccessError, NotFoundError, ServiceError
from opstool.words.queuerole import Role
from tests.world import World, make_queue

DESCRIBE, TASKS = "GetQueueAttributes", "ListMessageMoveTasks"


class Answering(Faults):
    """Lets a function look at each request, which may raise; counts how many are under way at once."""

    def __init__(self, look: Callable[[str, str], None] = lambda _operation, _name: None, *, together: int = 0) -> None:
        self._look = look
        self._together = threading.Barrier(together) if together else None
        self._lock = threading.Lock()
        self._under_way = 0
        self.most = 0
        self.names: Counter[str] = Counter()

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        """Wait for the others once, then look."""
        if operation != DESCRIBE:
            return
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            first = sum(self.names.values()) < (self._together.parties if self._together else 0)
            name = request["QueueUrl"].rsplit("/", 1)[-1]
            self.names[name] += 1
        try:
            if self._together and first:
                self._together.wait(timeout=10)
            self._look(operation, name)
        except Exception:
            self._leave()
            raise

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Note that one request less is under way."""
        if operation == DESCRIBE:
            self._leave()
        return response

    def _leave(self) -> None:
        with self._lock:
            self._under_way -= 1


def named(found: tuple[DlqSummary, ...]) -> dict[str, list[str]]:
    """Return the names of the sources by the name of the queue."""
    return {each.queue.name: sorted(source.queue.name for source in each.sources) for each in found}


def roles(world: World, **options: Any) -> dict[str, str]:
    """Return the role of every queue by name."""
    return {each.queue.name: each.role.value for each in list_dlqs(world.kit(), roles=set(Role), **options).queues}


def refusing(code: str, *names: str) -> Callable[[str, str], None]:
    """Return a look that refuses the queues with these names."""

    def look(operation: str, name: str) -> None:
        if name in names:
            raise error_for(operation, code, "no", 403)

    return look


def test_a_large_account_is_seen_whole_and_with_bounded_concurrency(world: World) -> None:
    """2,500 queues in three pages: every DLQ with its sources, 16 requests at once and never more."""
    for number in range(830):
        dlq = make_queue(world.fake, f"q{number:04}-dlq")
        make_queue(world.fake, f"q{number:04}", dlq=dlq)
        make_queue(world.fake, f"q{number:04}-plain")
    for number in range(8):
        make_queue(world.fake, f"shared-{number}", dlq=world.dlq)
    world.fake.faults = answering = Answering(together=16)

    overview = list_dlqs(world.kit())

    expected = {f"q{number:04}-dlq": [f"q{number:04}"] for number in range(830)}
    expected["orders-dlq"] = ["orders", *(f"shared-{number}" for number in range(8))]
    assert named(overview.queues) == expected
    assert overview.counts == {Role.DLQ: 831, Role.SOURCE: 839, Role.NO_DLQ: 830}
    assert (answering.most, set(answering.names.values()), len(answering.names)) == (16, {1}, 2_500)


def test_the_deepest_is_first(world: World) -> None:
    """And the name decides between equals."""
    for name, depth in (("b-dlq", 2), ("c-dlq", 0), ("a-dlq", 0)):
        dlq = make_queue(world.fake, name)
        make_queue(world.fake, f"{name}-source", dlq=dlq)
        world.send(dlq, ["x"] * depth)
    assert [each.queue.name for each in list_dlqs(world.kit()).queues] == ["b-dlq", "a-dlq", "c-dlq", "orders-dlq"]


@pytest.mark.parametrize(
    ("name", "attributes", "role"),
    [
        ("payments-dlq", {}, "orphan"),
        ("paymentsdlq", {}, "orphan"),
        ("payments-dlq-prod", {}, "orphan"),
        ("stack-PaymentsDLQ-1A2B3C4D5E6F", {}, "orphan"),
        ("PaymentsDlq", {}, "orphan"),
        ("payments_dead_letter_queue", {}, "orphan"),
        ("DeadLetters", {}, "orphan"),
        ("payments", {}, "no_dlq"),
        ("headlqueue", {}, "no_dlq"),
        ("mudlqs-ready", {}, "no_dlq"),
        ("set-aside", {"RedriveAllowPolicy": '{"redrivePermission": "allowAll"}'}, "orphan"),
        ("no-place", {"RedriveAllowPolicy": '{"redrivePermission": "denyAll"}'}, "no_dlq"),
    ],
)
def test_a_queue_that_nobody_points_to_is_an_orphan_when_it_looks_like_a_dlq(
    world: World, name: str, attributes: dict[str, str], role: str
) -> None:
    """By a word of its name, or because it has a redrive allow policy; else it is a queue without a DLQ."""
    make_queue(world.fake, name, dlq=None, **attributes)
    assert roles(world) == {name: role, "orders": "source", "orders-dlq": "dlq"}


def test_a_queue_with_a_redrive_policy_is_no_orphan_whatever_its_name(world: World) -> None:
    """It is somebody's source."""
    make_queue(world.fake, "late-dlq", dlq=world.dlq)
    assert roles(world)["late-dlq"] == "source"


def test_a_source_whose_dlq_is_gone_has_none(world: World) -> None:
    """It is counted with those that have no dead-letter queue, and named as one that leads nowhere."""
    world.ask("DeleteQueue", world.dlq)
    [found] = list_dlqs(world.kit(), roles=[Role.NO_DLQ]).queues
    assert (found.queue, found.redrive_target_missing) == (world.source, True)
    assert list_dlqs(world.kit()).targets_missing == 1


@pytest.mark.parametrize(
    ("target", "missing"),
    [
        ("arn:aws:sqs:us-east-1:999999999999:orders-dlq", None),
        ("arn:aws:sqs:eu-west-1:123456789012:orders-dlq", None),
        ("arn:aws:sns:us-east-1:123456789012:orders-dlq", None),
        ("nonsense", None),
    ],
    ids=["another account", "another region", "another service", "no ARN"],
)
def test_a_target_elsewhere_is_neither_there_nor_missing(world: World, target: str, missing: bool | None) -> None:
    """What cannot be seen from here is not called gone, and a DLQ of the same name here is not its target."""

    class Elsewhere(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == DESCRIBE and request["QueueUrl"].endswith("/orders"):
                policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 3})
                return {**response, "Attributes": {**response["Attributes"], "RedrivePolicy": policy}}
            return response

    world.fake.faults = Elsewhere()
    found = {each.queue.name: each for each in list_dlqs(world.kit(), roles=set(Role)).queues}
    assert (found["orders"].role, found["orders"].redrive_target_missing) == (Role.SOURCE, missing)
    assert found["orders-dlq"].role is Role.ORPHAN


def test_a_target_that_may_not_be_read_is_not_called_missing(world: World) -> None:
    """Denied is not gone."""
    world.fake.faults = Answering(refusing("AccessDenied", "orders-dlq"))
    [found] = list_dlqs(world.kit(), roles=[Role.SOURCE]).queues
    assert (found.queue.name, found.redrive_target_missing) == ("orders", None)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["pay"], {"payments-dlq"}),
        (["PAY"], {"payments-dlq"}),
        (["orders", "pay"], {"orders-dlq", "payments-dlq", "shared-dlq"}),
        (["*-dlq"], {"orders-dlq", "payments-dlq", "shared-dlq"}),
        (["pay*"], {"payments-dlq"}),
        (["orders-?"], {"shared-dlq"}),
        (["orders-??"], set()),
        (["refunds"], {"payments-dlq"}),
        (["nothing"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_name_is_a_part_of_it_or_a_pattern(world: World, names: list[str], expected: set[str]) -> None:
    """It may be that of a source, which leads to its DLQ; sources are told whatever their names."""
    payments = make_queue(world.fake, "payments-dlq")
    make_queue(world.fake, "refunds", dlq=payments)
    shared = make_queue(world.fake, "shared-dlq")
    make_queue(world.fake, "orders-2", dlq=shared)
    make_queue(world.fake, "other", dlq=shared)
    found = named(list_dlqs(world.kit(), names=names).queues)
    assert set(found) == expected
    assert found.get("shared-dlq", ["orders-2", "other"]) == ["orders-2", "other"]


def test_a_prefix_reads_only_the_queues_that_begin_so_and_finds_their_sources_anywhere(world: World) -> None:
    """The account's other queues are not asked."""
    dlq = make_queue(world.fake, "zone-a-dlq")
    make_queue(world.fake, "first", dlq=dlq)
    make_queue(world.fake, "zone-a", dlq=dlq)
    make_queue(world.fake, "zone-b", dlq=world.dlq)
    make_queue(world.fake, "zone-c-dlq")
    world.fake.faults = answering = Answering()
    overview = list_dlqs(world.kit(), prefix="zone-", roles=set(Role))
    assert named(overview.queues)["zone-a-dlq"] == ["first", "zone-a"]
    assert {each.queue.name: (each.role.value, each.redrive_target_missing) for each in overview.queues} == {
        "zone-a-dlq": ("dlq", False),
        "zone-a": ("source", False),
        "zone-b": ("source", False),
        "zone-c-dlq": ("orphan", False),
    }
    assert "orders" not in answering.names


def test_a_queue_deleted_meanwhile_is_left_out(world: World) -> None:
    """It was listed, and is gone when it is asked."""
    make_queue(world.fake, "gone-dlq")

    def gone(_operation: str, name: str) -> None:
        if name == "gone-dlq":
            raise NotFoundError("gone", code="queue_not_found")

    world.fake.faults = Answering(gone)
    overview = list_dlqs(world.kit(), roles=set(Role))
    assert {each.queue.name for each in overview.queues} == {"orders", "orders-dlq"}
    assert (overview.denied, overview.unread) == (0, 0)


def test_denied_queues_are_counted(world: World) -> None:
    """The rest is shown."""
    for number in range(3):
        make_queue(world.fake, f"theirs-{number}")
    world.fake.faults = Answering(refusing("AccessDenied", "theirs-0", "theirs-2"))
    overview = list_dlqs(world.kit(), roles=set(Role))
    assert (len(overview.queues), overview.denied) == (3, 2)


def test_nothing_that_may_be_read_is_an_error(world: World) -> None:
    """Not an empty account."""
    world.fake.faults = Answering(refusing("AccessDenied", "orders", "orders-dlq"))
    with pytest.raises(AccessError):
        list_dlqs(world.kit())


def test_a_throttled_request_is_asked_again_after_a_while(world: World) -> None:
    """Four times at most, waiting longer each time."""
    times = iter(range(4))

    def busy(operation: str, name: str) -> None:
        if name == "orders" and next(times, None) is not None:
            raise throttled(operation)

    world.fake.faults = Answering(busy)
    began = world.clock.monotonic()
    overview = list_dlqs(world.kit())
    assert (named(overview.queues), overview.unread) == ({"orders-dlq": ["orders"]}, 0)
    assert world.clock.monotonic() - began == 7.5


def test_a_queue_that_stays_throttled_is_left_out_and_counted(world: World) -> None:
    """One queue must not cost the overview."""

    def busy(operation: str, name: str) -> None:
        if name == "busy-dlq":
            raise throttled(operation)

    make_queue(world.fake, "busy-dlq")
    world.fake.faults = answering = Answering(busy)
    overview = list_dlqs(world.kit(), roles=set(Role))
    assert (overview.unread, len(overview.queues), answering.names["busy-dlq"]) == (1, 2, 5)


def test_a_service_that_fails_ends_the_overview(world: World) -> None:
    """Not after every queue of the account has been tried in vain."""
    for number in range(300):
        make_queue(world.fake, f"more-{number}")

    def cut(operation: str, name: str) -> None:
        if name.startswith("more"):
            raise no_connection(operation)

    world.fake.faults = answering = Answering(cut)
    with pytest.raises(ServiceError, match="could not connect"):
        list_dlqs(world.kit())
    assert len(answering.names) < 100


def test_what_is_wrong_for_good_is_not_asked_again(world: World) -> None:
    """An error that stays ends the overview at once."""

    def broken(operation: str, name: str) -> None:
        if name == "orders":
            raise error_for(operation, "SomethingElse", "no")

    world.fake.faults = answering = Answering(broken)
    with pytest.raises(ServiceError, match="SomethingElse"):
        list_dlqs(world.kit())
    assert answering.names["orders"] == 1


def test_only_dead_letter_queues_are_looked_into_for_their_expiry(world: World) -> None:
    """A receive from a queue that has a consumer would take its messages from it."""
    orphan = make_queue(world.fake, "left-dlq")
    plain = make_queue(world.fake, "plain")
    for queue in (orphan, plain, world.source, world.dlq):
        world.send(queue, ["a"])
    overview = list_dlqs(world.kit(), roles=set(Role), expiry=True)
    found = {each.queue.name: each.soonest_expiry_ms for each in overview.queues}
    assert {name for name, expiry in found.items() if expiry} == {"left-dlq", "orders-dlq"}
    assert all(message.receive_count == 0 for queue in (plain, world.source) for message in world.stored(queue))


def test_a_server_that_fails_at_move_tasks_is_not_waited_for(world: World) -> None:
    """The column is empty there, and the overview as quick as elsewhere; a throttled question is worth a wait."""
    world.fake.faults = FailCalls(TASKS, server_error(TASKS))
    [found] = list_dlqs(world.kit()).queues
    assert (found.move_task, world.fake.requests[TASKS]) == (None, 1)
    world.fake.faults = FailCalls(TASKS, throttled(TASKS))
    list_dlqs(world.kit())
    assert world.fake.requests[TASKS] > 1 + 1
