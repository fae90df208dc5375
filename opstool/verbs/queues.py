"""Every dead-letter queue of an account and region, with what decides how urgent it is."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from opstool.doors.toolkit import Toolkit
from opstool.verbs import browse
from opstool.words.errors import AccessError, NotFoundError, OpstoolError, ServiceError
from opstool.words.queue import Queue, QueueAttributes, Source

_LOOK_UPS_AT_ONCE = 16
"""Concurrent GetQueueAttributes calls: quick for a thousand queues, far from SQS's throttling."""
_LOOKED_AT = 100
"""Messages of each queue that are looked at for their expiry."""


@dataclass(frozen=True, kw_only=True)
class DlqSummary:
    """One dead-letter queue and the queues that feed it; `soonest_expiry_ms` only where messages were looked at."""

    queue: Queue
    attributes: QueueAttributes
    sources: tuple[Source, ...]
    move_task: str | None = None
    soonest_expiry_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The dead-letter queues, deepest first; `denied` counts queues whose attributes this identity may not read."""

    queues: tuple[DlqSummary, ...]
    denied: int = 0


def list_dlqs(kit: Toolkit, *, expiry: bool = False) -> Overview:
    """Return every queue that some redrive policy of this account and region points to.

    With `expiry` messages of each are looked at, which adds 1 to their receive counts. A queue that is deleted
    meanwhile is left out; raises AccessError when no queue may be read at all.
    """
    with ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, thread_name_prefix="opstool-look-up") as pool:
        answers = list(pool.map(lambda url: _describe(kit, url), kit.sqs.queue_urls()))
        denied = [each for each in answers if isinstance(each, AccessError)]
        described = dict(each for each in answers if isinstance(each, tuple))
        if denied and not described:
            raise denied[0]
        sources = _sources(described.items())
        dlqs = [queue for queue in described if queue.arn in sources]
        tasks = pool.map(lambda queue: _active_move_task(kit, queue), dlqs)
        found = [
            DlqSummary(queue=queue, attributes=described[queue], sources=tuple(sources[queue.arn]), move_task=task)
            for queue, task in zip(dlqs, tasks, strict=True)
        ]
    found.sort(key=lambda each: (-each.attributes.depth, each.queue.name))
    if expiry:
        found = [replace(each, soonest_expiry_ms=_soonest_expiry(kit, each)) for each in found]
    return Overview(queues=tuple(found), denied=len(denied))


def _describe(kit: Toolkit, url: str) -> tuple[Queue, QueueAttributes] | AccessError | None:
    try:
        return kit.sqs.describe(url)
    except NotFoundError:
        return None
    except AccessError as error:
        return error


def _soonest_expiry(kit: Toolkit, found: DlqSummary) -> int | None:
    """Return when the first of the messages seen expires; None where there are none, or they may not be read."""
    if not found.attributes.depth:
        return None
    try:
        listing = browse.list_messages(kit, found.queue.arn, limit=_LOOKED_AT, reasons=False)
    except OpstoolError:
        return None
    return min((listing.expires_at_ms(message) for message in listing.messages), default=None)


def _sources(described: Iterable[tuple[Queue, QueueAttributes]]) -> dict[str, list[Source]]:
    """Return the source queues by the ARN of their dead-letter queue."""
    found: dict[str, list[Source]] = {}
    for queue, attributes in described:
        policy = attributes.redrive_policy
        if policy:
            found.setdefault(policy.dlq_arn, []).append(Source(queue=queue, max_receive_count=policy.max_receive_count))
    return found


def _active_move_task(kit: Toolkit, queue: Queue) -> str | None:
    """Return the status of a native move task that is under way; None where there is none, or none can be had."""
    try:
        return kit.sqs.active_move_task(queue)
    except (AccessError, NotFoundError, ServiceError):
        return None  # an endpoint without move tasks, as most emulators; not allowed; or the queue is gone by now
