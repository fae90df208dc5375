"""Every dead-letter queue of an account and region, with what decides how urgent it is."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from opstool.errors import NotFoundError, ServiceError
from opstool.queue import Queue, QueueAttributes, Source
from opstool.toolkit import Toolkit

_LOOK_UPS_AT_ONCE = 16
"""Concurrent GetQueueAttributes calls: quick for a thousand queues, far from SQS's throttling."""


@dataclass(frozen=True, kw_only=True)
class DlqSummary:
    """One dead-letter queue and the queues that feed it; `soonest_expiry_ms` only where messages were looked at."""

    queue: Queue
    attributes: QueueAttributes
    sources: tuple[Source, ...]
    move_task: str | None = None
    soonest_expiry_ms: int | None = None


def list_dlqs(kit: Toolkit, prefix: str = "") -> list[DlqSummary]:
    """Return every queue that some redrive policy of this account and region points to, deepest first.

    `prefix` bounds the names of the dead-letter queues. A queue that is deleted meanwhile is left out.
    """
    with ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, thread_name_prefix="opstool-look-up") as pool:
        described = dict(each for each in pool.map(lambda url: _describe(kit, url), kit.sqs.queue_urls()) if each)
        sources = _sources(described.items())
        dlqs = [queue for queue in described if queue.arn in sources and queue.name.startswith(prefix)]
        tasks = pool.map(lambda queue: _active_move_task(kit, queue), dlqs)
        found = [
            DlqSummary(queue=queue, attributes=described[queue], sources=tuple(sources[queue.arn]), move_task=task)
            for queue, task in zip(dlqs, tasks, strict=True)
        ]
    return sorted(found, key=lambda each: (-each.attributes.depth, each.queue.name))


def _describe(kit: Toolkit, url: str) -> tuple[Queue, QueueAttributes] | None:
    try:
        return kit.sqs.describe(url)
    except NotFoundError:
        return None


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
    except ServiceError:
        return None  # an endpoint without move tasks: most emulators
