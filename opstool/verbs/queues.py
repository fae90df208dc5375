"""The queues of an account and region: which are dead-letter queues, what feeds them, and which queues have none."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TypeVar

from opstool.doors.toolkit import Toolkit
from opstool.verbs import browse
from opstool.words.errors import AccessError, NotFoundError, OpstoolError, ServiceError, UsageError
from opstool.words.queue import Queue, QueueAttributes, Source
from opstool.words.queuerole import Role, role_of
from opstool.words.report import Tally

T = TypeVar("T")

_LOOK_UPS_AT_ONCE = 16
"""Concurrent requests: quick for thousands of queues. How many GetQueueAttributes SQS admits is not documented."""
_WAITS_S = (0.5, 1.0, 2.0, 4.0)
"""Before each further try of a request that was throttled or failed, beside boto3's own."""
_THROTTLED = "throttled"
"""The one failure of a question about move tasks that is worth a wait: some servers fail at it for ever."""
_MOST_UNREAD = 20
"""Queues that may fail on their own; more of them are a service that fails, and then so does the overview."""
_LOOKED_AT = 100
"""Messages of each queue that are looked at for their expiry."""


@dataclass(frozen=True, kw_only=True)
class DlqSummary:
    """One queue and the queues that feed it; `soonest_expiry_ms` only where messages were looked at.

    `redrive_target_missing`: its own redrive policy points to a queue that does not exist; None when that is not known,
    because the target is in another account or region, or may not be asked for.
    """

    queue: Queue
    attributes: QueueAttributes
    sources: tuple[Source, ...]
    move_task: str | None = None
    soonest_expiry_ms: int | None = None
    role: Role = Role.DLQ
    redrive_target_missing: bool | None = False


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The queues that were asked for, deepest first, and how many there are of each role among those that are named so.

    `denied` counts queues that this identity may not read, `unread` those of which SQS gave no answer in the end.
    """

    queues: tuple[DlqSummary, ...]
    counts: Mapping[Role, int] = field(default_factory=Counter)
    targets_missing: int = 0
    denied: int = 0
    unread: int = 0


def list_dlqs(
    kit: Toolkit,
    *,
    names: Sequence[str] = (),
    prefix: str | None = None,
    roles: Collection[Role] = (Role.DLQ,),
    expiry: bool = False,
) -> Overview:
    """Return the queues of these roles.

    `names` are patterns (`*`, `?`) or parts of names, of which one must fit the queue or one of its sources; the whole
    account is read. `prefix` reads only the queues whose names begin so, and asks each for its sources, wherever they
    are. With `expiry` messages of each dead-letter queue are looked at, which adds 1 to their receive counts. A queue
    that is deleted meanwhile is left out; raises AccessError or ServiceError when no queue can be read at all.
    """
    pool = ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, thread_name_prefix="opstool-look-up")
    try:
        with kit.watch("reading queues", Tally(), None):
            look = _LookUps(kit, pool)
            named = [each for each in look.summaries(prefix) if _is_named(each, names)]
            wanted = [each for each in named if each.role in roles]
            tasks = pool.map(look.move_task, wanted)
            found = [replace(each, move_task=task) for each, task in zip(wanted, tasks, strict=True)]
    finally:  # an interruption, or an error, is not kept waiting by the look-ups that have not begun
        pool.shutdown(cancel_futures=True)
    found.sort(key=lambda each: (-each.attributes.depth, each.queue.name))
    if expiry:
        found = [replace(each, soonest_expiry_ms=_soonest_expiry(kit, each)) for each in found]
    return Overview(
        queues=tuple(found),
        counts=Counter(each.role for each in named),
        targets_missing=sum(each.redrive_target_missing is True for each in named),
        denied=len(look.denied),
        unread=len(look.unread),
    )


class _LookUps:
    """Questions about many queues at once; keeps the errors of the queues that could not be read."""

    def __init__(self, kit: Toolkit, pool: ThreadPoolExecutor) -> None:
        self._kit = kit
        self._pool = pool
        self._lock = threading.Lock()
        self.denied: list[AccessError] = []
        self.unread: list[ServiceError] = []

    def summaries(self, prefix: str | None) -> list[DlqSummary]:
        """Return every queue with its role."""
        urls = self._patiently(lambda: list(self._kit.sqs.queue_urls(prefix)))
        described = [each for each in self._pool.map(self._describe, urls) if each]
        if not described and (self.denied or self.unread):
            raise (*self.denied, *self.unread)[0]
        sources = self._asked_sources(described) if prefix else _pointing(described)
        exists = self._targets(described)
        return [
            _summary(queue, attributes, sources[queue.arn], exists)
            for queue, attributes in described
            if queue.arn in sources
        ]

    def move_task(self, found: DlqSummary) -> str | None:
        """Return the status of a native move task that is under way; None where there is none, or none can be had."""
        if found.role is not Role.DLQ:
            return None
        try:
            task = self._patiently(lambda: self._kit.sqs.move_tasks.active(found.queue), passing={_THROTTLED})
        except (AccessError, NotFoundError, ServiceError):
            return None  # an endpoint without move tasks, as most emulators; not allowed; or the queue is gone by now
        return task.status if task else None

    def _describe(self, url: str) -> tuple[Queue, QueueAttributes] | None:
        return self._readable(lambda: self._kit.sqs.describe(url))

    def _asked_sources(self, described: Sequence[tuple[Queue, QueueAttributes]]) -> dict[str, list[Source]]:
        """Return what each queue answers about its own sources; one that may not be asked is left out."""
        queues = [queue for queue, _ in described]
        answers = self._pool.map(lambda queue: self._readable(lambda: self._kit.sqs.sources(queue)), queues)
        return {queue.arn: found for queue, found in zip(queues, answers, strict=True) if found is not None}

    def _targets(self, described: Sequence[tuple[Queue, QueueAttributes]]) -> dict[str, bool | None]:
        """Tell of each redrive policy's target whether it exists; None where that cannot be known."""
        known = {queue.arn: queue.arn.split(":")[:5] for queue, _ in described}
        arns = {each.redrive_policy.dlq_arn for _, each in described if each.redrive_policy} - known.keys()
        asked = [arn for arn in arns if arn.split(":")[:5] in known.values()]  # of this account and region
        answers = dict(zip(asked, self._pool.map(self._exists, asked), strict=True))
        return dict.fromkeys(known, True) | dict.fromkeys(arns) | answers

    def _exists(self, arn: str) -> bool | None:
        try:
            self._patiently(lambda: self._kit.sqs.resolve(arn))
        except (NotFoundError, UsageError):  # UsageError: what the policy names is no queue's ARN
            return False
        except (AccessError, ServiceError):
            return None
        return True

    def _readable(self, question: Callable[[], T]) -> T | None:
        """Return the answer; None when the queue is gone, or cannot be read, which is counted."""
        if len(self.unread) > _MOST_UNREAD:  # what is still to be asked would only wait in vain
            raise self.unread[-1]
        try:
            return self._patiently(question)
        except NotFoundError:
            return None
        except AccessError as error:
            with self._lock:
                self.denied.append(error)
        except ServiceError as error:
            with self._lock:
                self.unread.append(error)
            if len(self.unread) > _MOST_UNREAD or not error.retryable:
                raise
        return None

    def _patiently(self, question: Callable[[], T], *, passing: Collection[str] = ()) -> T:
        """Return the answer, asked for again after a while when SQS throttles or fails; or with these codes alone."""
        for wait_s in _WAITS_S:
            try:
                return question()
            except ServiceError as error:
                if not error.retryable or (passing and error.code not in passing):
                    raise
            self._kit.clock.sleep(wait_s, self._kit.stop)
        return question()


def _summary(
    queue: Queue, attributes: QueueAttributes, sources: Sequence[Source], exists: Mapping[str, bool | None]
) -> DlqSummary:
    """Return a queue with what it is to the others."""
    policy = attributes.redrive_policy
    target = exists[policy.dlq_arn] if policy else True
    role = role_of(queue, attributes, has_sources=bool(sources), has_target=target is not False)
    missing = None if target is None else not target
    return DlqSummary(
        queue=queue, attributes=attributes, sources=tuple(sources), role=role, redrive_target_missing=missing
    )


def _pointing(described: Sequence[tuple[Queue, QueueAttributes]]) -> dict[str, list[Source]]:
    """Return the source queues of every queue, read from the redrive policies of all."""
    found: dict[str, list[Source]] = {queue.arn: [] for queue, _ in described}
    for queue, attributes in described:
        policy = attributes.redrive_policy
        if policy and policy.dlq_arn in found:
            found[policy.dlq_arn].append(Source(queue=queue, max_receive_count=policy.max_receive_count))
    return found


def _is_named(found: DlqSummary, patterns: Sequence[str]) -> bool:
    """Tell whether the queue, or one of its sources, has a name that is meant; upper and lower case are the same."""
    names = [each.name.lower() for each in (found.queue, *(source.queue for source in found.sources))]
    globs = [each.lower() if set("*?") & set(each) else f"*{each.lower()}*" for each in patterns]
    return not globs or any(fnmatchcase(name, glob) for name in names for glob in globs)


def _soonest_expiry(kit: Toolkit, found: DlqSummary) -> int | None:
    """Return when the first of the messages seen expires; None where there are none, or they may not be read."""
    if not found.attributes.depth or found.role not in {Role.DLQ, Role.ORPHAN}:  # never receive from a consumer's queue
        return None
    try:
        listing = browse.list_messages(kit, found.queue.arn, limit=_LOOKED_AT, reasons=False)
    except OpstoolError:
        return None
    return listing.soonest_expiry_ms
