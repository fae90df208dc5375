"""What a run did: one outcome for each distinct message id, counted while it runs and reported when it ends."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from opstool.words.fate import Fate, Fates
from opstool.words.watching import Stop


class Outcome(StrEnum):
    """What became of a message that was received."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    RETURNED = "returned"
    RELEASED = "released"

    __hash__ = str.__hash__  # an enumeration's own is a function of Python's, and outcomes are counted for each message


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Messages that failed for one reason; `code` is stable."""

    code: str
    message: str
    message_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """The outcomes of distinct message ids; received is always the sum of the others."""

    received: int = 0
    succeeded: int = 0
    skipped: int = 0
    failed: int = 0
    released: int = 0
    returned: int = 0


class Tally:
    """Counts outcomes while a run goes on; thread-safe. A message nobody has decided on is `released`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: dict[str, Outcome] = {}
        self._failures: dict[str, tuple[str, str]] = {}
        self._named: dict[tuple[str, str], list[str]] = {}
        self._remarks: Counter[str] = Counter()
        self._counter: Counter[Outcome] = Counter()

    def received(self, *message_ids: str) -> None:
        """Note messages; only the first receive of each counts."""
        with self._lock:
            before = len(self._outcomes)
            for message_id in message_ids:
                self._outcomes.setdefault(message_id, Outcome.RELEASED)
            self._counter[Outcome.RELEASED] += len(self._outcomes) - before

    def decide(self, message_ids: Iterable[str], outcome: Outcome) -> None:
        """Give messages their outcome; a later decision replaces an earlier one, except a success."""
        with self._lock:
            for message_id in message_ids:
                if self._outcomes.get(message_id) is not Outcome.SUCCEEDED:
                    self._put(message_id, outcome)
                    if outcome is not Outcome.FAILED:  # it failed for the reason that was given
                        self._failures.pop(message_id, None)

    def fail(self, message_id: str, code: str, message: str) -> None:
        """Give a message the outcome `failed`, with the reason."""
        self.decide([message_id], Outcome.FAILED)
        with self._lock:
            if self._outcomes[message_id] is Outcome.FAILED:
                self._failures[message_id] = (code, message)

    def name(self, code: str, message: str, message_ids: Iterable[str] = ()) -> None:
        """Report something that has no outcome because nothing was received: an id not found, an error of the run."""
        with self._lock:
            self._named.setdefault((code, message), []).extend(message_ids)

    def remark(self, text: str) -> None:
        """Count one more message of which this is to be said, whatever its outcome."""
        with self._lock:
            self._remarks[text] += 1

    def notes(self) -> tuple[str, ...]:
        """Return what was remarked, each with the number of its messages, as lines for people."""
        with self._lock:
            return tuple(f"{text}: {number:,}" for text, number in self._remarks.items())

    def outcome(self, message_id: str) -> Outcome | None:
        """Return what became of a message so far; None when it was never received."""
        return self._outcomes.get(message_id)

    def counts(self) -> Counts:
        """Return the counts of this moment."""
        with self._lock:
            by_name = {outcome.value: self._counter[outcome] for outcome in Outcome}
            return Counts(received=len(self._outcomes), **by_name)

    def failures(self) -> tuple[Failure, ...]:
        """Return the failures, grouped by code and message."""
        with self._lock:
            groups: dict[tuple[str, str], list[str]] = {key: list(ids) for key, ids in self._named.items()}
            for message_id, key in self._failures.items():
                groups.setdefault(key, []).append(message_id)
        return tuple(Failure(code=key[0], message=key[1], message_ids=tuple(ids)) for key, ids in groups.items())

    def _put(self, message_id: str, outcome: Outcome) -> None:
        before = self._outcomes.get(message_id)
        if before is not None:
            self._counter[before] -= 1
        self._counter[outcome] += 1
        self._outcomes[message_id] = outcome


SET_ASIDE = {"poison", "not_mended"}
"""Failures that name what was skipped on purpose: the same run would skip it again."""


class Status(StrEnum):
    """How a run ended."""

    DONE = "done"
    PARTIAL = "partial"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    DETACHED = "detached"
    """A native move task was started, and goes on without us."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The account of a run. `requests` and `cost_usd` are for all calls of the verb, planning included.

    `error_code` is set when the run stopped because AWS, the network or the disk said no; `notes` are sentences for
    people: what looking disturbed, what could not be seen. `outcome` is what became of what was sent, as far as it was
    followed; `stopped` is why not everything was sent although nothing went wrong.
    """

    run_id: str | None
    verb: str
    queue: str
    target: str | None
    status: Status
    counts: Counts
    engine: str = "client"
    possibly_sent_twice_ids: tuple[str, ...] = ()
    requests: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    archive: str | None = None
    undo: str | None = None
    failures: tuple[Failure, ...] = ()
    error_code: str | None = None
    notes: tuple[str, ...] = field(default=())
    outcome: Fates | None = None
    stopped: Stop | None = None

    @property
    def came_back(self) -> bool:
        """Tell whether it is known that messages came back: it was looked for, or the run ended because of it."""
        seen = self.outcome is not None and self.outcome.count(Fate.RETURNED) > 0
        return seen or (self.stopped is not None and self.stopped.came_back)

    @property
    def possibly_sent_twice(self) -> int:
        """Return how many messages were sent again after an answer was lost."""
        return len(self.possibly_sent_twice_ids)

    def document(self) -> dict[str, Any]:
        """Return the JSON document of type `report`."""
        counts = self.counts
        return {
            "version": 1,
            "type": "report",
            "run_id": self.run_id,
            "verb": self.verb,
            "queue": self.queue,
            "target": self.target,
            "engine": self.engine,
            "status": self.status.value,
            "received": counts.received,
            "succeeded": counts.succeeded,
            "skipped": counts.skipped,
            "failed": counts.failed,
            "released": counts.released,
            "returned": counts.returned,
            "possibly_sent_twice": self.possibly_sent_twice,
            "possibly_sent_twice_ids": list(self.possibly_sent_twice_ids),
            "requests": self.requests,
            "cost_usd": self.cost_usd,
            "seconds": round(self.seconds, 3),
            "archive": self.archive,
            "undo": self.undo,
            "failures": [
                {"code": each.code, "message": each.message, "message_ids": list(each.message_ids)}
                for each in self.failures
            ],
            "notes": list(self.notes),
            "outcome": self.outcome.document() if self.outcome else None,
            "stopped": {"code": self.stopped.code, "message": self.stopped.message} if self.stopped else None,
        }
