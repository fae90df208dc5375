"""Find the dead-letter queue that is meant, and refuse what only looks like one."""

from __future__ import annotations

from dataclasses import dataclass

from opstool.doors.stack import DLQ_OUTPUT
from opstool.doors.toolkit import Toolkit
from opstool.words.errors import RefusedError
from opstool.words.queue import Queue, QueueAttributes, Source


@dataclass(frozen=True, kw_only=True)
class DeadLetterQueue:
    """A queue that verbs may read. `followed_from` is the source queue that was named instead of it, if one was."""

    queue: Queue
    attributes: QueueAttributes
    sources: tuple[Source, ...]
    followed_from: Queue | None = None

    @property
    def is_dlq(self) -> bool:
        """Tell whether anybody's redrive policy points to it."""
        return bool(self.sources)


def locate(kit: Toolkit, name: str | None) -> DeadLetterQueue:
    """Return the dead-letter queue with this name, URL or ARN, or of the stack when no name is given.

    A queue that is anyone's DLQ is taken literally; a source queue's redrive policy is followed. Raises NotFoundError,
    and RefusedError when the DLQ has a redrive policy of its own: every receive of ours would count there, and push
    messages onward.
    """
    queue = kit.sqs.resolve(name or kit.stack.output(DLQ_OUTPUT))
    found = _describe(kit, queue)
    policy = found.attributes.redrive_policy
    if policy and not found.is_dlq:
        found = _describe(kit, kit.sqs.resolve(policy.dlq_arn), followed_from=queue)
        policy = found.attributes.redrive_policy
    if policy:
        raise RefusedError(
            f'dead-letter queue "{found.queue.name}" has a redrive policy of its own: reading it moves messages on',
            code="dlq_has_redrive_policy",
            hint="remove that redrive policy first",
        )
    return found


def locate_to_change(kit: Toolkit, name: str | None, *, not_a_dlq: bool) -> DeadLetterQueue:
    """Return the dead-letter queue as `locate` does; refuse one that is nobody's, unless `not_a_dlq` insists."""
    found = locate(kit, name)
    if not found.is_dlq and not not_a_dlq:
        raise RefusedError(
            f'queue "{found.queue.name}" is not a dead-letter queue: no redrive policy points to it',
            code="not_a_dlq",
            hint="opstool dlq queues lists the dead-letter queues; --not-a-dlq takes it all the same",
        )
    return found


def _describe(kit: Toolkit, queue: Queue, followed_from: Queue | None = None) -> DeadLetterQueue:
    return DeadLetterQueue(
        queue=queue,
        attributes=kit.sqs.attributes(queue),
        sources=tuple(kit.sqs.sources(queue)),
        followed_from=followed_from,
    )
