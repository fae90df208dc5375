"""A redrive by SQS's own move task: what is refused before it starts, how it ends, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from opstool.doors.toolkit import Toolkit
from opstool.engine.native.run import NativeRun
from opstool.fake import Behaviour, Faults, no_answer
from opstool.fake.faults import FailCalls
from opstool.verbs import history, movetasks, native
from opstool.words.awserrors import error_for
from opstool.words.errors import InterruptedRunError, OpstoolError, RefusedError, ServiceError, UsageError
from opstool.words.movetask import FAILED, MoveTask, failing
from opstool.words.report import Counts, Report, Status, Tally
from tests.world import World, make_queue, make_world

START = "StartMessageMoveTask"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return an account with a DLQ."""
    return make_world(tmp_path)


def run(kit: Toolkit, world: World, **options: Any) -> Report:
    """Plan and carry out."""
    with native.prepare(kit, world.dlq.name, **options) as prepared:
        return prepared.execute(note="ticket 4711")


def refusal(world: World, **options: Any) -> RefusedError:
    """Return why it is refused."""
    with pytest.raises(RefusedError) as caught:
        native.prepare(world.kit(), world.dlq.name, **options)
    assert world.fake.requests["StartMessageMoveTask"] == 0
    assert world.visible(world.dlq) == len(world.stored(world.dlq)), "nothing stays hidden"
    return caught.value


# -- to its end


def test_everything_goes_back_and_is_counted(world: World) -> None:
    """The report counts what SQS says has moved, and the engine stands in it."""
    world.die(map(str, range(120)))
    kit = world.kit()
    report = run(kit, world, rate=20)
    assert (report.status, report.engine, report.failures) == (Status.DONE, "native", ())
    assert report.counts == Counts(received=120, succeeded=120)
    assert len(world.bodies(world.source)) == 120
    assert 0 < report.requests <= kit.sqs.requests


def test_the_progress_grows_from_what_sqs_tells(world: World) -> None:
    """The bar is fed at every look, and knows how many are expected."""
    world.die(map(str, range(100)))
    kit, seen = world.kit(), []

    @contextmanager
    def watch(_doing: str, tally: Tally, expected: int | None) -> Any:
        end = world.clock.every(1, lambda: seen.append((tally.counts().succeeded, expected)))
        yield
        end()

    kit.watch = watch
    run(kit, world, rate=10)
    moved = [each for each, _ in seen]
    assert moved == sorted(moved)
    assert len(set(moved)) > 3
    assert {expected for _, expected in seen} == {100}


def test_the_count_is_read_until_it_stands_still(world: World) -> None:
    """It lags behind a task that was cancelled by somebody else; that is partial, and nobody's failure of ours."""
    world.die(map(str, range(100)))
    kit = world.kit()
    handles: list[str] = []

    class Colleague(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == "StartMessageMoveTask":
                handles.append(response["TaskHandle"])
            return response

    def cancel() -> None:
        if handles:
            world.fake("CancelMessageMoveTask", {"TaskHandle": handles.pop()})

    world.fake.faults = Colleague()
    world.clock.every(5, cancel)
    report = run(kit, world, rate=10)
    assert report.counts.succeeded == len(world.bodies(world.source)) > 0
    assert (report.status, [each.code for each in report.failures]) == (Status.PARTIAL, ["move_task_cancelled"])


def test_to_one_queue(world: World) -> None:
    """With a target no message needs a source of its own."""
    target = make_queue(world.fake, "elsewhere", dlq=world.dlq)
    world.die(["a"])
    world.send(world.dlq, ["by hand"])
    report = run(world.kit(), world, to="elsewhere")
    assert (report.status, report.target, report.counts.succeeded) == (Status.DONE, "elsewhere", 2)
    assert sorted(world.bodies(target)) == ["a", "by hand"]


# -- stopped


def test_a_stop_cancels_it_and_tells_what_has_moved(world: World) -> None:
    """The rest stays where it is, and nothing goes on behind one's back."""
    world.die(map(str, range(100)))
    kit = world.kit()
    world.clock.every(6, kit.stop.set)
    report = run(kit, world, rate=10)
    moved = len(world.bodies(world.source))
    assert (report.status, report.error_code) == (Status.INTERRUPTED, None)
    assert 0 < moved < 100
    assert report.counts == Counts(received=moved, succeeded=moved)
    assert any("does not come back" in note for note in report.notes)
    world.clock.advance(100)
    assert kit.sqs.move_tasks.last(world.dlq)[0].status == "CANCELLED"
    assert len(world.bodies(world.source)) == moved


def test_a_stop_before_the_start_starts_nothing(world: World) -> None:
    """Whoever says no after the plan."""
    world.die(["a"])
    kit = world.kit()
    with native.prepare(kit, world.dlq.name) as prepared:
        kit.stop.set()
        with pytest.raises(InterruptedRunError):
            prepared.execute()
    assert world.fake.requests["StartMessageMoveTask"] == 0
    assert history.runs(world.kit()) == []


def test_a_cancel_that_gets_no_answer_is_asked_again(world: World) -> None:
    """The line may cut just then."""
    world.die(map(str, range(100)))
    kit = world.kit()
    world.fake.faults = FailCalls("CancelMessageMoveTask", no_answer("CancelMessageMoveTask"), calls={1, 2})
    world.clock.every(6, kit.stop.set)
    report = run(kit, world, rate=10)
    assert report.status is Status.INTERRUPTED
    assert kit.sqs.move_tasks.last(world.dlq)[0].status == "CANCELLED"


def test_what_cannot_be_cancelled_goes_on_and_that_is_said(world: World) -> None:
    """An error, with the way to come back."""
    world.die(map(str, range(500)))
    kit = world.kit()
    denied = error_for("CancelMessageMoveTask", "AccessDenied", "no policy allows it", 403)
    world.fake.faults = FailCalls("CancelMessageMoveTask", denied)
    world.clock.every(6, kit.stop.set)
    report = run(kit, world, rate=1)
    assert report.error_code == "access_denied"
    assert any("goes on" in note and "dlq move-tasks orders-dlq" in note for note in report.notes)


def test_looks_that_fail_for_a_while_do_not_end_it(world: World) -> None:
    """SQS throttles, and the task goes on all the same."""
    world.die(map(str, range(100)))
    throttled = error_for("ListMessageMoveTasks", "ThrottlingException", "", 400)
    kit = world.kit()
    with native.prepare(kit, world.dlq.name, rate=10) as prepared:
        world.fake.faults = _after_the_start("ListMessageMoveTasks", throttled, times=10)
        report = prepared.execute()
    assert (report.status, report.counts.succeeded) == (Status.DONE, 100)


def test_looks_that_fail_for_ever_end_it_with_an_error(world: World) -> None:
    """After a minute; the task is not cancelled."""
    world.die(map(str, range(100)))
    throttled = error_for("ListMessageMoveTasks", "ThrottlingException", "", 400)
    with native.prepare(world.kit(), world.dlq.name, rate=1) as prepared:
        world.fake.faults = _after_the_start("ListMessageMoveTasks", throttled, times=1_000)
        report = prepared.execute()
    assert report.error_code == "throttled"
    assert any("goes on" in note for note in report.notes)
    assert world.fake.requests["CancelMessageMoveTask"] == 0


class _after_the_start(Faults):  # noqa: N801 - read as a sentence
    """Let an operation fail so often, once the task is started."""

    def __init__(self, operation: str, error: OpstoolError, *, times: int) -> None:
        self._operation, self._error, self._left = operation, error, times
        self._started = False

    def before(self, operation: str, request: Mapping[str, Any]) -> None:
        self._started = self._started or operation == "StartMessageMoveTask"
        if self._started and operation == self._operation and self._left:
            self._left -= 1
            raise self._error


# -- detached


def test_detached_it_goes_on_without_us(world: World) -> None:
    """The report says so, and nothing is claimed to have moved."""
    world.die(map(str, range(100)))
    report = run(world.kit(), world, rate=10, detach=True)
    assert (report.status, report.counts) == (Status.DETACHED, Counts())
    assert any("dlq move-tasks orders-dlq" in note for note in report.notes)
    world.clock.advance(60)
    assert world.kit().sqs.move_tasks.last(world.dlq)[0].moved == 100


def test_what_was_detached_can_be_followed_and_cancelled(world: World) -> None:
    """By anybody: SQS remembers it."""
    world.die(map(str, range(200)))
    run(world.kit(), world, rate=10, detach=True)
    kit = world.kit()
    found = movetasks.list_move_tasks(kit, world.source.name)
    assert found.dlq.followed_from == world.source
    kit.stop.set()
    still = movetasks.follow(kit, found)
    assert still
    assert still.is_active, "a stop ends the looking only"
    kit.stop.clear()
    world.clock.advance(3)
    cancellation = movetasks.prepare_cancel(kit, movetasks.list_move_tasks(kit, world.dlq.name))
    assert cancellation
    ended = cancellation.execute(note="enough")
    assert (ended.status, ended.moved) == ("CANCELLED", len(world.bodies(world.source)))
    [record, _] = history.runs(kit)
    assert (record.verb, record.status, record.note) == (movetasks.VERB, "done", "enough")
    assert movetasks.prepare_cancel(kit, movetasks.list_move_tasks(kit, world.dlq.name)) is None
    assert movetasks.follow(kit, movetasks.list_move_tasks(kit, world.dlq.name)) is None


def test_a_follower_sees_the_end(world: World) -> None:
    """Without having started it."""
    world.die(map(str, range(50)))
    run(world.kit(), world, rate=10, detach=True)
    kit = world.kit()
    ended = movetasks.follow(kit, movetasks.list_move_tasks(kit, world.dlq.name))
    assert ended
    assert (ended.status, ended.moved) == ("COMPLETED", 50)


# -- failed


def test_a_failure_after_some_have_moved_is_partial_and_in_words(world: World) -> None:
    """A message without a source that the sample did not show."""
    world.die(map(str, range(100)))
    with native.prepare(world.kit(), world.dlq.name, rate=10) as prepared:
        world.clock.advance(1)
        world.send(world.dlq, ["by hand"])
        report = prepared.execute()
    moved = len(world.bodies(world.source))
    [failure] = report.failures
    if moved:
        assert (report.status, report.error_code) == (Status.PARTIAL, None)
    assert report.counts.succeeded == moved
    assert failure.code == "no_certain_target"
    assert "--to QUEUE" in failure.message


def test_a_failure_before_anything_moved_is_an_error(tmp_path: Path) -> None:
    """A permission that was not known to be missing."""
    world = make_world(tmp_path, behaviour=Behaviour(move_tasks_fail_of="AccessDenied"))
    world.die(["a"])
    report = run(world.kit(), world)
    assert (report.status, report.error_code, report.counts) == (Status.PARTIAL, "access_denied", Counts())
    assert "--for native" in report.failures[0].message


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("CouldNotDetermineMessageSource", "no_certain_target"),
        ("AccessDenied", "access_denied"),
        ("AWS.SimpleQueueService.NonExistentQueue", "queue_not_found"),
        ("KmsDisabled", "kms_key_unusable"),
        ("Something.New", "move_task_failed"),
        (None, "move_task_failed"),
    ],
)
def test_every_failure_has_words_and_a_stable_code(reason: str | None, code: str) -> None:
    """One that is not known is told as SQS tells it."""
    failure = failing(reason)
    assert failure.code == code
    assert code != "move_task_failed" or (reason or "does not say") in failure.message
    assert MoveTask(status=FAILED, failure_reason=reason).failure == failure
    assert MoveTask(status="RUNNING", failure_reason=reason).failure is None


# -- the start


def test_a_start_whose_answer_is_lost_is_looked_for(world: World) -> None:
    """It was carried out: the task is followed, and the report says what was assumed."""
    world.die(["a", "b"])
    world.fake.faults = FailCalls(START, no_answer(START), phase="after")
    report = run(world.kit(), world)
    assert (report.status, report.counts.succeeded) == (Status.DONE, 2)
    assert any("answer to the start was lost" in note for note in report.notes)


def test_a_start_that_was_never_carried_out_is_an_error(world: World) -> None:
    """Nothing has moved; the run stands in the journal as what it was."""
    world.die(["a"])
    world.fake.faults = FailCalls(START, no_answer(START))
    with pytest.raises(ServiceError):
        run(world.kit(), world)
    [record] = history.runs(world.kit())
    assert record.report
    assert (record.status, record.report["failures"][0]["code"]) == ("partial", "no_answer")


def test_a_task_that_a_colleague_has_started_meanwhile_is_not_ours(world: World) -> None:
    """Between the plan and the yes."""
    world.die(map(str, range(50)))
    with native.prepare(world.kit(), world.dlq.name) as prepared:
        world.fake("StartMessageMoveTask", {"SourceArn": world.dlq.arn, "MaxNumberOfMessagesPerSecond": 1})
        with pytest.raises(RefusedError, match="under way"):
            prepared.execute()
    assert history.runs(world.kit()) == []


def test_an_earlier_task_is_not_taken_for_ours(world: World) -> None:
    """The list shows it first until SQS has written ours down."""
    world.die(["a"])
    run(world.kit(), world)
    world.clock.advance(60)
    world.die(["b", "c"])

    class Late(Faults):
        hidden = 3

        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == "ListMessageMoveTasks" and len(response["Results"]) > 1 and self.hidden:
                self.hidden -= 1
                return {**response, "Results": response["Results"][1:]}
            return response

    world.fake.faults = Late()
    assert run(world.kit(), world).counts.succeeded == 3, "the first message has died again"


# -- the journal


def test_history_has_it_and_nobody_resumes_it(world: World) -> None:
    """Its plan names the engine; to resume would be to redrive with the other engine."""
    world.die(map(str, range(100)))
    kit = world.kit()
    world.clock.every(6, kit.stop.set)
    run(kit, world, rate=10)
    [record] = history.runs(world.kit())
    assert (record.status, record.note, record.plan["options"]["engine"]) == ("interrupted", "ticket 4711", "native")
    assert record.report
    assert record.report["engine"] == "native"
    with pytest.raises(RefusedError) as caught:
        history.resume(world.kit(), record.run_id)
    assert caught.value.code == "not_resumable"


# -- the plan, and what is refused


def test_the_plan_says_what_it_drops_and_how_long_it_takes(world: World) -> None:
    """Approximately how many, and nothing stays hidden while a person thinks."""
    world.die(map(str, range(100)))
    with native.prepare(world.kit(), world.dlq.name, rate=7) as prepared:
        plan = prepared.plan
        assert isinstance(prepared, NativeRun)
        assert world.visible(world.dlq) == 100
    assert (plan.engine, plan.count, plan.exact, len(plan.samples)) == ("native", 100, False, 3)
    assert plan.facts["takes"] == "at least 15s at 7 messages a second"
    assert set(native.DROPPED) <= set(plan.notes)
    assert plan.document()["engine"] == "native"


def test_a_plan_that_cannot_end_in_time_says_so(world: World) -> None:
    """36 hours at one a second are 129,600 messages."""
    world.die(["a"])

    class Deep(Faults):
        def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
            if operation == "GetQueueAttributes" and len(response["Attributes"]) > 1:
                response["Attributes"]["ApproximateNumberOfMessages"] = "200000"
            return response

    world.fake.faults = Deep()
    with native.prepare(world.kit(), world.dlq.name, rate=1) as prepared:
        assert any("more than 36 hours" in note for note in prepared.plan.notes)


def test_what_sqs_would_refuse_is_refused_first(world: World) -> None:
    """No DLQ, the queue itself, another type, another place."""
    world.die(["a"])
    make_queue(world.fake, "other.fifo", FifoQueue="true")
    lonely = make_queue(world.fake, "lonely")
    assert refusal(world, to=world.dlq.name).code == "target_is_queue"
    assert refusal(world, to="other.fifo").code == "needs_client_engine"
    with pytest.raises(RefusedError) as caught:
        native.prepare(world.kit(), lonely.name)
    assert caught.value.code == "not_a_dlq"


def test_a_task_under_way_refuses_another(world: World) -> None:
    """With the command that tells of it."""
    world.die(map(str, range(50)))
    world.fake("StartMessageMoveTask", {"SourceArn": world.dlq.arn, "MaxNumberOfMessagesPerSecond": 1})
    with pytest.raises(RefusedError) as caught:
        native.prepare(world.kit(), world.dlq.name)
    assert caught.value.code == "move_task_active"
    assert "dlq move-tasks orders-dlq" in str(caught.value.hint)


def test_a_message_without_a_source_refuses_all_without_a_target(world: World) -> None:
    """It would fail the task, after others have moved."""
    world.send(world.dlq, ["by hand"])
    error = refusal(world)
    assert (error.code, "--to QUEUE" in str(error.hint)) == ("no_certain_target", True)


def test_a_source_that_is_gone_refuses_all_without_a_target(world: World) -> None:
    """It would fail the task too."""
    other = make_queue(world.fake, "payments", dlq=world.dlq)
    world.die(["b"], source=other)
    world.fake("DeleteQueue", {"QueueUrl": other.url})
    assert refusal(world).code == "source_gone"


def test_an_endpoint_without_move_tasks_is_named_as_such(world: World) -> None:
    """Most emulators."""
    world.die(["a"])
    world.fake.faults = FailCalls(
        "ListMessageMoveTasks", error_for("ListMessageMoveTasks", "UnsupportedOperation", "no")
    )
    error = refusal(world)
    assert (error.code, error.hint) == ("needs_client_engine", "opstool dlq redrive orders-dlq")


@pytest.mark.parametrize("rate", [0, 501, 2.5, -1])
def test_a_rate_that_sqs_does_not_take_is_wrong_usage(rate: float) -> None:
    """A whole number from 1 to 500."""
    with pytest.raises(UsageError):
        native.check_rate(rate)


@pytest.mark.parametrize("rate", [None, 1, 500, 20.0])
def test_a_rate_that_sqs_takes(rate: float | None) -> None:
    """None lets SQS choose."""
    native.check_rate(rate)


def test_a_known_denial_is_refused_and_what_is_not_known_is_said(world: World) -> None:
    """IAM's simulator decides; whoever may not ask it is told what is not known."""
    world.die(["a"])
    kit = world.kit()
    with native.prepare(kit, world.dlq.name) as prepared:
        [note] = [each for each in prepared.plan.notes if each.startswith("not known whether you may")]
    assert "sqs:StartMessageMoveTask" in note
    assert "sqs:SendMessage on orders" in note

    def ask(_service: str, operation: str, request: dict[str, Any], /) -> dict[str, Any]:
        if operation == "GetCallerIdentity":
            return {"Arn": "arn:aws:iam::123456789012:user/somebody", "Account": "123456789012"}
        if operation == "SimulatePrincipalPolicy":
            return {"EvaluationResults": [_decision(action, request) for action in request["ActionNames"]]}
        raise ServiceError("no", code="other")

    kit.ask = ask
    with pytest.raises(RefusedError) as caught:
        native.prepare(kit, world.dlq.name)
    assert caught.value.code == "permission_missing"
    assert "sqs:DeleteMessage" in caught.value.message
    assert "sqs:SendMessage" not in caught.value.message


def _decision(action: str, request: Mapping[str, Any]) -> dict[str, Any]:
    decision = "implicitDeny" if action == "sqs:DeleteMessage" else "allowed"
    return {
        "EvalActionName": action,
        "EvalDecision": decision,
        "EvalResourceName": request["ResourceArns"][0],
        "ResourceSpecificResults": [
            {"EvalResourceName": arn, "EvalResourceDecision": decision} for arn in request["ResourceArns"]
        ],
    }
