"""The fake's front: every operation of SQS it knows, by the API's own name, over its queues.

One lock makes each operation atomic. It is never held while a receive waits or while a fault is asked for, because
both may run the caller's code (a heartbeat, a test), which may come back here.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import formatdate
from random import Random
from typing import Any

from opstool.doors.clock import Clock
from opstool.fake.behaviour import Behaviour
from opstool.fake.clock import FakeClock
from opstool.fake.faults import EntryFault, Faults
from opstool.fake.messages import Messages
from opstool.fake.movetasks import MoveTasks
from opstool.fake.polling import Poll
from opstool.fake.queue import StandardQueue
from opstool.fake.refusal import RefusalError
from opstool.fake.registry import Registry
from opstool.fake.requests import check_request
from opstool.fake.stored import shown
from opstool.words.awserrors import error_for

_LOOKS_EVERY_MS = 1_000
"""How often a receive that waits looks again while move tasks are at work."""

_Single = Callable[[Mapping[str, Any], int], dict[str, Any]]
_Batch = Callable[[Mapping[str, Any], Mapping[str, EntryFault], int], dict[str, Any]]


class FakeSqs:
    """SQS of one account in one region: `call(operation, request)` as in sqs.py, thread-safe.

    The same seed gives the same ids, order and misses to the same calls. `faults` is what goes wrong on the way, and
    may be exchanged while it runs. `requests` counts the calls of each operation.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        region: str = "us-east-1",
        account: str = "123456789012",
        seed: int = 0,
        faults: Faults | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.clock: Clock = clock or FakeClock()
        self.faults = faults or Faults()
        self.requests: Counter[str] = Counter()
        self._behaviour = behaviour or Behaviour()
        self._rng = Random(seed)  # noqa: S311 - repeatable is what it has to be
        self._lock = threading.RLock()
        self._registry = Registry(region=region, account=account, behaviour=self._behaviour, rng=self._rng)
        self._messages = Messages(self._registry, self._rng, sender_id=account)
        self._tasks = MoveTasks(self._registry, self._rng, fails_of=self._behaviour.move_tasks_fail_of)
        self._singles, self._batches = _operations(self._registry, self._messages, self._tasks)

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request; raise OpstoolError when it is refused or a fault says so."""
        with self._lock:
            self.requests[operation] += 1
        try:
            check_request(operation, request)
            response = self.faults.before(operation, request)
            if response is None:
                response = self._carry_out(operation, request)
        except RefusalError as refusal:
            raise error_for(operation, refusal.code, refusal.text) from refusal
        metadata = {"HTTPStatusCode": 200, "HTTPHeaders": {"date": formatdate(self._now_ms() // 1_000, usegmt=True)}}
        return self.faults.after(operation, request, {**response, "ResponseMetadata": metadata})

    call = __call__

    def _now_ms(self) -> int:
        """Return the service's own wall time: a machine that sleeps does not stop it. Whole, so that sums are exact."""
        return round((self.clock.wall() + self._behaviour.skew_s) * 1_000)

    def _settled_at_ms(self) -> int:
        """Let the move tasks do what they have had time for, and return the time; the caller holds the lock."""
        now_ms = self._now_ms()
        self._tasks.settle(now_ms)
        return now_ms

    def _carry_out(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "ReceiveMessage":
            return self._receive(request)
        if operation in self._singles:
            with self._lock:
                return self._singles[operation](request, self._settled_at_ms())
        refused = self._refused_entries(operation, request)
        with self._lock:
            return self._batches[operation](request, refused, self._settled_at_ms())

    def _refused_entries(self, operation: str, request: Mapping[str, Any]) -> dict[str, EntryFault]:
        faults = ((entry["Id"], self.faults.entry(operation, entry)) for entry in request["Entries"])
        return {entry_id: fault for entry_id, fault in faults if fault is not None}

    # -- receiving

    def _receive(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return messages at once, or as soon as there are any within the wait."""
        url = request["QueueUrl"]
        with self._lock:
            poll = Poll.read(request, self._registry.find(url).settings)
            ends_at_ms = self._now_ms() + 1_000 * poll.wait_s
        while True:
            waiter = threading.Event()
            with self._lock:
                now_ms = self._settled_at_ms()
                queue = self._registry.find(url)
                answer = self._taken(queue, poll, now_ms)
                next_look_ms = min(ends_at_ms, queue.next_change_at_ms(now_ms) or ends_at_ms)
                if self._tasks.any_active:  # they may bring messages that nobody has sent
                    next_look_ms = min(next_look_ms, now_ms + _LOOKS_EVERY_MS)
                if answer or now_ms >= ends_at_ms:
                    return {"Messages": answer} if answer else {}
                queue.waiters.add(waiter)
            try:
                self.clock.sleep((next_look_ms - now_ms) / 1_000, stop=waiter)
            finally:
                with self._lock:
                    queue.waiters.discard(waiter)

    def _taken(self, queue: StandardQueue, poll: Poll, now_ms: int) -> list[dict[str, Any]]:
        limit = poll.limit
        if not poll.wait_s and self._rng.random() < self._behaviour.short_poll_misses:
            limit = self._rng.randrange(limit)
        taken = queue.receive(limit, poll.visibility_timeout_s, now_ms) if limit else []
        return [
            shown(
                message,
                queue.address.name,
                system_names=poll.system_names,
                attribute_names=poll.attribute_names,
            )
            for message in taken
        ]


def _operations(
    registry: Registry, messages: Messages, tasks: MoveTasks
) -> tuple[dict[str, _Single], dict[str, _Batch]]:
    singles: dict[str, _Single] = {
        "CancelMessageMoveTask": tasks.cancel,
        "ChangeMessageVisibility": messages.change_visibility,
        "CreateQueue": registry.create_queue,
        "DeleteMessage": messages.delete,
        "DeleteQueue": registry.delete_queue,
        "GetQueueAttributes": registry.get_queue_attributes,
        "GetQueueUrl": registry.get_queue_url,
        "ListDeadLetterSourceQueues": registry.list_dead_letter_source_queues,
        "ListMessageMoveTasks": tasks.list,
        "ListQueues": registry.list_queues,
        "PurgeQueue": messages.purge,
        "SendMessage": messages.send,
        "SetQueueAttributes": registry.set_queue_attributes,
        "StartMessageMoveTask": tasks.start,
    }
    batches: dict[str, _Batch] = {
        "ChangeMessageVisibilityBatch": messages.change_visibility_batch,
        "DeleteMessageBatch": messages.delete_batch,
        "SendMessageBatch": messages.send_batch,
    }
    return singles, batches
