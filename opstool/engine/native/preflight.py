"""What is looked at before SQS is asked for a move task: it tells most of what is wrong only after it has started.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opstool.doors.toolkit import Toolkit
from opstool.engine.access.examine import examine_move_task, named
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.hold import Hold
from opstool.engine.survey import peek
from opstool.words.awserrors import UNKNOWN_OPERATION
from opstool.words.errors import NotFoundError, OpstoolError, RefusedError, ServiceError
from opstool.words.iam.access import Permission, Verdict
from opstool.words.message import Message
from opstool.words.movetask import MoveTask
from opstool.words.queue import Queue

NEEDS_CLIENT_ENGINE = "needs_client_engine"
_MOST_TOLD = 10
"""Source queues of which the plan tells something, one request each."""
_DONE = ("sqs:GetQueueAttributes", "sqs:ListMessageMoveTasks", "sqs:ReceiveMessage")
"""What was just done to the dead-letter queue, so that it is certainly allowed."""


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What was found: a few messages, and sentences for the plan."""

    samples: tuple[Message, ...]
    notes: tuple[str, ...]


def preflight(kit: Toolkit, dlq: DeadLetterQueue, hold: Hold, *, to: Queue | None) -> Preflight:
    """Return what was found where a task may be started; raise RefusedError where it would fail, or be refused.

    One batch of messages is received and released at once: the task takes only what is visible.
    """
    command = f"opstool dlq redrive {dlq.queue.name}"
    refuse_target(dlq, to, command)
    refuse_active(kit, dlq.queue)
    try:
        samples = tuple(lease.content for lease in peek(hold))
    finally:
        hold.leases.close()
    if to is None:
        _refuse_sourceless(samples, command)
        _refuse_gone_sources(kit, dlq, samples, command)
    return Preflight(samples=samples, notes=(*_permission_notes(kit, dlq, to), *_target_notes(kit, dlq, to)))


def refuse_target(dlq: DeadLetterQueue, to: Queue | None, command: str) -> None:
    """Raise RefusedError where SQS would take no task from this queue, or none to that target."""
    queue = dlq.queue
    if not dlq.is_dlq:
        raise RefusedError(
            f'queue "{queue.name}" is no SQS queue\'s dead-letter queue: a move task takes nothing else',
            code="not_a_dlq",
            hint=f"{command} --not-a-dlq --to QUEUE",
        )
    if to is None:
        return
    if to.arn == queue.arn:
        raise RefusedError(f'"{to.name}" is the queue itself', code="target_is_queue")
    if to.is_fifo != queue.is_fifo:
        kinds = {True: "a FIFO queue", False: "a standard queue"}
        raise RefusedError(
            f'"{to.name}" is {kinds[to.is_fifo]} and "{queue.name}" {kinds[queue.is_fifo]}: a move task needs the same',
            code=NEEDS_CLIENT_ENGINE,
            hint=f"{command} --to {to.name}",
        )
    if (to.account, to.region) != (queue.account, queue.region):
        raise RefusedError(
            f"`{to.arn}` is in another account or region: that a move task goes there is not documented",
            code=NEEDS_CLIENT_ENGINE,
            hint=f"{command} --to {to.arn}",
        )


def refuse_active(kit: Toolkit, queue: Queue) -> tuple[MoveTask, ...]:
    """Return the last tasks of a queue; raise RefusedError when one is under way, or none can ever be."""
    try:
        tasks = tuple(kit.sqs.move_tasks.last(queue))
    except ServiceError as error:
        if error.code != UNKNOWN_OPERATION:
            raise
        raise RefusedError(
            "this endpoint has no move tasks",
            code=NEEDS_CLIENT_ENGINE,
            hint=f"opstool dlq redrive {queue.name}",
        ) from error
    if any(each.is_active for each in tasks):
        raise RefusedError(
            f'a move task of "{queue.name}" is under way, and SQS takes one at a time',
            code="move_task_active",
            hint=f"opstool dlq move-tasks {queue.name} tells how far it is, --cancel ends it",
        )
    return tasks


def _refuse_sourceless(samples: Sequence[Message], command: str) -> None:
    """Raise RefusedError when one of the messages seen did not die in an SQS queue: the task would fail of it."""
    without = [each.message_id for each in samples if each.source_arn is None]
    if without:
        raise RefusedError(
            f"message `{without[0]}` did not die in an SQS queue (sent here by hand, by Lambda or by SNS): a move task"
            " does not know where it belongs, and fails",
            code="no_certain_target",
            hint=f"{command} --engine native --to QUEUE sends everything to one queue",
        )


def _refuse_gone_sources(kit: Toolkit, dlq: DeadLetterQueue, samples: Sequence[Message], command: str) -> None:
    """Raise RefusedError when a message seen died in a queue that is no more: the task would fail of that too."""
    known = {each.queue.arn for each in dlq.sources}
    for arn in sorted({each.source_arn for each in samples if each.source_arn} - known):
        try:
            kit.sqs.resolve(arn)
        except NotFoundError as error:
            raise RefusedError(
                f"messages seen died in `{arn}`, which does not exist any more: a move task would fail",
                code="source_gone",
                hint=f"{command} --engine native --to QUEUE sends everything to one queue",
            ) from error


def _permission_notes(kit: Toolkit, dlq: DeadLetterQueue, to: Queue | None) -> Iterator[str]:
    """Yield what is not known of the caller's permissions; raise RefusedError when something is known to be denied."""
    found = examine_move_task(kit, dlq.queue, [each.queue for each in dlq.sources], to=to)
    denied = [each for each in found if found[each].verdict is Verdict.DENIED]
    if denied:
        raise RefusedError(
            f"the move task would fail: {named(denied, found)}",
            code="permission_missing",
            hint=f"opstool iam-policy {dlq.queue.name} --for native prints the policy that is needed",
        )
    done = {Permission(action=each, resource=dlq.queue.arn) for each in _DONE}
    unknown = [each for each in found if found[each].verdict is Verdict.UNKNOWN and each not in done]
    if unknown:
        yield f"not known whether you may, and without it the task fails once it has started: {_spelled(unknown)}"
        yield f"the reason: {'; '.join(dict.fromkeys(found[each].reason for each in unknown))}"


def _spelled(permissions: Sequence[Permission]) -> str:
    """Return the permissions by what they are on, for people who know their queues by name."""
    by_actions: dict[tuple[str, ...], list[str]] = {}
    for resource in dict.fromkeys(each.resource for each in permissions):
        actions = tuple(each.action for each in permissions if each.resource == resource)
        by_actions.setdefault(actions, []).append(resource.rsplit(":", 1)[-1])
    texts = []
    for actions, names in by_actions.items():
        more = f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
        texts.append(f"{', '.join(actions)} on {', '.join(names[:_MOST_TOLD])}{more}")
    return "; ".join(texts)


def _target_notes(kit: Toolkit, dlq: DeadLetterQueue, to: Queue | None) -> Iterator[str]:
    """Yield what a target needs or lacks, of those whose settings may be read."""
    for queue in [to] if to else [each.queue for each in dlq.sources[:_MOST_TOLD]]:
        try:
            attributes = kit.sqs.attributes(queue)
        except OpstoolError:
            continue
        if attributes.kms_key_id:
            yield f'"{queue.name}" has the KMS key `{attributes.kms_key_id}`: the task needs it through your identity'
        if attributes.redrive_policy is None:
            yield f'what fails in "{queue.name}" again has no dead-letter queue to go to'
