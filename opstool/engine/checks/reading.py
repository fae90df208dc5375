"""Read the scene: each thing once, many at a time, and what may not be read is noted and not fatal.

Nothing is received and nothing is changed; whether messages are looked at is the caller's business.

    1. the sources of the DLQ, the mappings of the DLQ, the alarms
    2. the mappings of each source, the keys of all queues
    3. the functions of the mappings
    4. their log groups
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from opstool.doors.alarms import all_alarms
from opstool.doors.keys import describe_key
from opstool.doors.toolkit import Toolkit
from opstool.engine.checks.scene import Scene, SourceQueue, Unread
from opstool.words.errors import AccessError, NotFoundError, OpstoolError
from opstool.words.function import EventSourceMapping, Function
from opstool.words.queue import Queue, QueueAttributes

_AT_ONCE = 8
"""Concurrent requests: a DLQ with ten sources is read in about a second, far from the throttling of any service."""
MOST_SOURCES = 50
"""Source queues that are examined: a redrive allow policy names ten, and a page has to end."""
_DENIED = re.compile(r"`(\w+)` was denied")
_NOT_FOUND = {"NotFoundException", "ResourceNotFoundException"}

T = TypeVar("T")
K = TypeVar("K")


def read_scene(kit: Toolkit, dlq: Queue, attributes: QueueAttributes, *, followed_from: Queue | None = None) -> Scene:
    """Return everything that the checks of this dead-letter queue look at.

    `followed_from` is the source queue that led here: where the sources may not be listed, it is one at least.
    """
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="opstool-doctor") as pool:
        alarms = pool.submit(_try, "cloudwatch", lambda: all_alarms(kit.ask))
        own_mappings = pool.submit(_mappings, kit, dlq)
        sources = _sources(kit, dlq, followed_from)
        known = [] if isinstance(sources, Unread) else _each(pool, lambda each: _source(kit, each), sources)
        examined = [each for each in known if isinstance(each, SourceQueue)]
        key_ids = {each.kms_key_id for each in (attributes, *(one.attributes for one in examined)) if each.kms_key_id}
        keys = _by(pool, lambda each: _try("kms", lambda: describe_key(kit.ask, each)), key_ids)
        arns = {one.function_arn for each in examined for one in _known(each.mappings)}
        functions = _by(pool, lambda arn: _try("lambda", lambda: kit.functions.function(arn)), arns)
        groups = {each.log_group for each in functions.values() if isinstance(each, Function)}
        return Scene(
            dlq=dlq,
            attributes=attributes,
            sources=_all_or_why(sources, known),
            dlq_mappings=own_mappings.result(),
            functions=functions,
            log_groups=_by(pool, lambda name: _try("logs", lambda: kit.logs.describe(name)), groups),
            keys=keys,
            alarms=alarms.result(),
        )


def _sources(kit: Toolkit, dlq: Queue, followed_from: Queue | None) -> list[Queue] | Unread:
    found = _try("sqs", lambda: [each.queue for each in kit.sqs.sources(dlq)[:MOST_SOURCES]])
    return [followed_from] if isinstance(found, Unread) and followed_from else found


def _source(kit: Toolkit, queue: Queue) -> SourceQueue | Unread:
    attributes = _try("sqs", lambda: kit.sqs.attributes(queue))
    if isinstance(attributes, Unread):
        return attributes
    return SourceQueue(queue=queue, attributes=attributes, mappings=_mappings(kit, queue))


def _all_or_why(
    sources: list[Queue] | Unread, described: list[SourceQueue | Unread]
) -> tuple[SourceQueue, ...] | Unread:
    """Return the sources that could be described, without those that are gone by now; or why none could be."""
    if isinstance(sources, Unread):
        return sources
    known = tuple(each for each in described if isinstance(each, SourceQueue))
    denied = [each for each in described if isinstance(each, Unread) and not each.is_missing]
    return denied[0] if denied and not known else known


def _mappings(kit: Toolkit, queue: Queue) -> tuple[EventSourceMapping, ...] | Unread:
    return _try("lambda", lambda: tuple(kit.functions.mappings(queue.arn)))


def _known(mappings: tuple[EventSourceMapping, ...] | Unread) -> tuple[EventSourceMapping, ...]:
    return () if isinstance(mappings, Unread) else mappings


def _each(pool: ThreadPoolExecutor, read: Callable[[K], T], keys: Iterable[K]) -> list[T]:
    return list(pool.map(read, keys))


def _by(pool: ThreadPoolExecutor, read: Callable[[str], T], keys: Iterable[str]) -> dict[str, T]:
    asked: dict[str, Future[T]] = {each: pool.submit(read, each) for each in sorted(keys)}
    return {each: answer.result() for each, answer in asked.items()}


def _try(service: str, read: Callable[[], T]) -> T | Unread:
    """Return what was read, or why it was not."""
    try:
        return read()
    except OpstoolError as error:
        return unread(service, error)


def unread(service: str, error: OpstoolError) -> Unread:
    """Return why something could not be read; a missing permission is named as IAM names it."""
    denied = _DENIED.search(error.message) if isinstance(error, AccessError) else None
    if denied:
        return Unread(reason=f"`{service}:{denied[1]}` is not allowed")
    # KMS says its own code for it.
    is_missing = isinstance(error, NotFoundError) or any(f"failed: {code}:" in error.message for code in _NOT_FOUND)
    return Unread(reason=error.message, is_missing=is_missing)
