"""The event source mapping's pollers: receive, invoke, delete what was handled.

Each poller is a thread that carries one batch at a time from end to end:

1. receive, by long polls, until the batch is full, its window is over, or its payload is large enough
2. delete what the filter criteria do not match
3. invoke the function, with at most 6 MB at once
4. judge its answer (batch.py), and delete what was handled

What was not handled is left alone. Lambda does not release it: it becomes visible when its visibility timeout ends, and
the queue's redrive policy does the rest. The receives of these pollers are what moves dead messages to the DLQ.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol

from opstool.doors.clock import Clock
from opstool.local.batch import MAXIMUM_PAYLOAD_BYTES, judge, record
from opstool.local.client import ClientSettings
from opstool.local.function import Answer
from opstool.local.mapping_config import MappingConfig

LOG = logging.getLogger(__name__)

LONG_POLL_S = 2
"""Short for a long poll: a mapping that was disabled takes nothing more after this."""
RETRY_S = 0.5
"""Between two tries when the emulator said no, and between two looks at a disabled mapping."""
MAXIMUM_RECEIVE = 10


class Invokable(Protocol):
    """A function, as a mapping sees it."""

    def invoke(self, event: Any) -> Answer:
        """Run it on one event."""


class Mapping:
    """One running event source mapping."""

    def __init__(
        self,
        config: MappingConfig,
        function: Invokable,
        settings: ClientSettings,
        *,
        is_enabled: Callable[[], bool],
        clock: Clock,
    ) -> None:
        """Take what it connects; `is_enabled` is asked before each receive."""
        self._config = config
        self._function = function
        self._sqs = settings.client("sqs")
        self._is_enabled = is_enabled
        self._clock = clock
        self._stop = threading.Event()
        self._resting: set[str] = set()
        self._threads = [
            threading.Thread(target=self._poll, name=f"opstool-poller-{number}", daemon=True)
            for number in range(config.pollers)
        ]

    @property
    def uuid(self) -> str:
        """Return the name that Lambda knows it by."""
        return self._config.uuid

    def start(self) -> None:
        """Begin to poll."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no more; batches in hand go on."""
        self._stop.set()

    def is_polling(self) -> bool:
        """Tell whether a poller still has a batch, or waits for one."""
        return any(thread.is_alive() for thread in self._threads)

    def all_rest(self) -> bool:
        """Tell whether each poller has seen that the mapping is disabled, and has no batch any more."""
        return len(self._resting) == len(self._threads)

    def join(self, timeout_s: float) -> None:
        """Wait until the pollers have ended, each for at most this long."""
        for thread in self._threads:
            thread.join(timeout_s)

    def _poll(self) -> None:
        while not self._stop.is_set():
            if not self._is_enabled():
                self._resting.add(threading.current_thread().name)
                self._clock.sleep(RETRY_S, self._stop)
                continue
            self._resting.discard(threading.current_thread().name)
            try:
                self.poll_once()
            except Exception as error:  # noqa: BLE001 a poller that ends would leave the queue unserved
                if not self._stop.is_set():
                    LOG.warning("mapping %s: %s", self._config.uuid, type(error).__name__)
                    self._clock.sleep(RETRY_S, self._stop)

    def poll_once(self) -> None:
        """Carry one batch from the queue to its end, or none when the long poll is over."""
        records = self._gather()
        wanted = [one for one in records if self._config.patterns.match(one)]
        self._delete([one for one in records if not self._config.patterns.match(one)])
        for part in _within_payload(wanted):
            handled = self._hand_over(part)
            if self._config.is_fifo and handled < len(part):
                break  # what follows in the group must not overtake; it becomes visible with what failed

    def _hand_over(self, records: list[dict[str, Any]]) -> int:
        """Invoke the function with these records, delete what it handled, and return how many that were."""
        answer = self._function.invoke({"Records": records})
        verdict = judge(
            [one["messageId"] for one in records],
            answer.payload,
            failed=answer.error is not None,
            reports_item_failures=self._config.reports_item_failures,
        )
        LOG.debug(
            "mapping %s: %s of %s handled: %s", self._config.uuid, len(verdict.delete), len(records), verdict.reason
        )
        self._delete([one for one in records if one["messageId"] in verdict.delete])
        return len(verdict.delete)

    def _gather(self) -> list[dict[str, Any]]:
        """Receive one batch: what is there at once, and with a window what comes until it ends."""
        records = self._receive(min(self._config.batch_size, MAXIMUM_RECEIVE), LONG_POLL_S)
        if not records or not self._config.window_s:
            return records
        window_end = self._clock.monotonic() + self._config.window_s
        payload = sum(_weight(one) for one in records)
        while len(records) < self._config.batch_size and payload < MAXIMUM_PAYLOAD_BYTES:
            left = window_end - self._clock.monotonic()
            if left <= 0 or self._stop.is_set():
                break
            if left < 1:  # a long poll counts in whole seconds
                self._clock.sleep(left, self._stop)
            count = min(self._config.batch_size - len(records), MAXIMUM_RECEIVE)
            more = self._receive(count, min(LONG_POLL_S, int(left)))
            payload += sum(_weight(one) for one in more)
            records += more
        return records

    def _receive(self, count: int, wait_s: int) -> list[dict[str, Any]]:
        received = self._sqs.receive_message(
            QueueUrl=self._config.queue_url,
            MaxNumberOfMessages=count,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [
            record(message, queue_arn=self._config.queue_arn, region=self._config.region)
            for message in received.get("Messages", [])
        ]

    def _delete(self, records: list[dict[str, Any]]) -> None:
        for start in range(0, len(records), 10):
            entries = [
                {"Id": str(number), "ReceiptHandle": one["receiptHandle"]}
                for number, one in enumerate(records[start : start + 10])
            ]
            # A message whose visibility timeout has ended meanwhile may be another's by now: its failure is its own.
            self._sqs.delete_message_batch(QueueUrl=self._config.queue_url, Entries=entries)


def _within_payload(records: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the records in parts that fit an invocation's payload."""
    parts: list[list[dict[str, Any]]] = []
    payload = 0
    for one in records:
        payload += _weight(one)
        if not parts or payload > MAXIMUM_PAYLOAD_BYTES:
            parts.append([])
            payload = _weight(one)
        parts[-1].append(one)
    return parts


def _weight(one: dict[str, Any]) -> int:
    return len(one["body"].encode("utf-8", "replace")) + 1024  # the rest of a record is about a kilobyte
