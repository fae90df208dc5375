"""Examine the configuration around a dead-letter queue, and say what will make the next incident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from opstool.doors.stack import DLQ_OUTPUT
from opstool.doors.toolkit import Toolkit
from opstool.engine.access.examine import examine as examine_access
from opstool.engine.checks import examine
from opstool.engine.checks.reading import MOST_SOURCES, read_scene, unread
from opstool.engine.checks.scene import Expiry, Scene, Unread
from opstool.verbs import browse
from opstool.words.check import Check, CheckStatus, counts
from opstool.words.errors import InterruptedRunError, NotFoundError, OpstoolError
from opstool.words.queue import Queue, QueueAttributes

_LOOKED_AT = 100
"""Messages that are looked at for their expiry: as many as `dlq queues --expiry` looks at in each queue."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found. `followed_from` is the source queue that was named instead of the DLQ, if one was."""

    queue: Queue
    checks: tuple[Check, ...]
    sources: tuple[Queue, ...] = ()
    followed_from: Queue | None = None
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many checks ended in each way."""
        return counts(self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """Return the checks that failed."""
        return tuple(each for each in self.checks if each.status is CheckStatus.FAILED)


def diagnose(kit: Toolkit, name: str | None = None, *, expiry: bool = False) -> Diagnosis:
    """Return the checks of a dead-letter queue, of the one that a source queue names, or of the stack's.

    The last of them are the caller's own permissions, one check for each verb.

    No message is received, unless `expiry` asks to look at some, which adds 1 to their receive counts. What may not
    be read makes the checks that need it unknown. Raises NotFoundError or AccessError when the queue itself cannot be
    described, InterruptedRunError when the work was stopped meanwhile.
    """
    queue, attributes, followed_from = _target(kit, name)
    scene = read_scene(kit, queue, attributes, followed_from=followed_from)
    _go_on(kit)
    if expiry:
        scene = replace(scene, expiry=_soonest_expiry(kit, scene))
    sources = tuple(each.queue for each in scene.known_sources)
    permissions = examine_access(kit, queue, sources)
    _go_on(kit)
    return Diagnosis(
        queue=queue,
        checks=(*examine(scene), *permissions),
        sources=sources,
        followed_from=followed_from,
        notes=_notes(sources),
    )


def _go_on(kit: Toolkit) -> None:
    """Raise when a person has asked to stop: half an examination is none."""
    if kit.stop.is_set():
        raise InterruptedRunError("interrupted while examining; nothing was changed")


def _target(kit: Toolkit, name: str | None) -> tuple[Queue, QueueAttributes, Queue | None]:
    """Return the DLQ that is meant: unlike `locate`, one with a redrive policy of its own too, which is a finding."""
    queue = kit.sqs.resolve(name or kit.stack.output(DLQ_OUTPUT))
    attributes = kit.sqs.attributes(queue)
    policy = attributes.redrive_policy
    if policy is None or policy.dlq_arn == queue.arn or _is_dlq(kit, queue):
        return queue, attributes, None
    try:
        dlq = kit.sqs.resolve(policy.dlq_arn)
    except NotFoundError as error:
        raise NotFoundError(
            f'the redrive policy of "{queue.name}" names a dead-letter queue that does not exist',
            code="dlq_not_found",
            hint="its messages never die; make the queue, or name another in the redrive policy",
        ) from error
    return dlq, kit.sqs.attributes(dlq), queue


def _is_dlq(kit: Toolkit, queue: Queue) -> bool:
    try:
        return bool(kit.sqs.sources(queue))
    except OpstoolError:
        return False  # nobody may ask: a redrive policy is the mark of a source queue


def _soonest_expiry(kit: Toolkit, scene: Scene) -> Expiry | Unread:
    try:
        listing = browse.list_messages(kit, scene.dlq.arn, limit=_LOOKED_AT, reasons=False)
    except InterruptedRunError:
        raise
    except OpstoolError as error:
        return unread("sqs", error)
    soonest = min((listing.expires_at_ms(each) for each in listing.messages), default=None)
    return Expiry(soonest_ms=soonest, now_ms=kit.sqs.now_ms())


def _notes(sources: tuple[Queue, ...]) -> tuple[str, ...]:
    if len(sources) < MOST_SOURCES:
        return ()
    return (f"only the first {MOST_SOURCES} source queues were examined",)
