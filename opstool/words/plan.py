"""What a run will do, decided before it does anything: shown to a person, written to the journal, then carried out.

A plan that has seen everything it acts on is frozen by message id; the unfiltered whole is frozen by SentTimestamp,
because it is not scanned first. Either way a message that arrives later is not acted on by mistake, and a run that was
interrupted is resumed by carrying out the same plan again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opstool.words.bodydiff import Change
from opstool.words.document import message_document
from opstool.words.filters import Selection
from opstool.words.message import Message
from opstool.words.queue import Queue
from opstool.words.times import CLOCKS_AGREE_MS

PRICE_PER_MILLION_USD = {False: 0.40, True: 0.50}
"""SQS requests, standard and FIFO, us-east-1: https://aws.amazon.com/sqs/pricing/ (other regions differ a little)."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One plan. `count` is exact when `exact`, else SQS's approximate depth; `options` are the verb's own settings.

    `origin` keys the journal: the queue's ARN, or the archive and its target. `facts` are what else a person should
    know before saying yes, each under a word of at most eight letters. `changes` are what a mending does to a few.
    """

    run_id: str
    verb: str
    queue: Queue
    origin: str
    target: str
    selection: Selection
    count: int
    exact: bool
    ids: frozenset[str] | None = None
    sent_before_ms: int | None = None
    limit: int | None = None
    samples: tuple[Message, ...] = ()
    changes: tuple[Change, ...] = ()
    requests: int = 0
    cost_usd: float = 0.0
    retention_s: int = 0
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    irreversible: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        """Return who moves the messages: `client`, this program, or `native`, a move task of SQS."""
        return str(self.options.get("engine", "client"))

    def selects(self, message: Message) -> bool:
        """Tell whether this plan acts on a message.

        What was sent just before the plan may bear a time just after it: SQS's clock is not ours.
        """
        if self.ids is not None:
            return message.message_id in self.ids
        return self.sent_before_ms is None or message.sent_at_ms <= self.sent_before_ms + CLOCKS_AGREE_MS

    def record(self) -> dict[str, Any]:
        """Return what the journal keeps, from which `resumed` builds the plan again; no body is in it."""
        return {
            "queue": {"url": self.queue.url, "arn": self.queue.arn},
            "origin": self.origin,
            "target": self.target,
            "selection": self.selection.to_json(),
            "count": self.count,
            "exact": self.exact,
            "ids": sorted(self.ids) if self.ids is not None else None,
            "sent_before_ms": self.sent_before_ms,
            "limit": self.limit,
            "retention_s": self.retention_s,
            "options": dict(self.options),
        }

    @staticmethod
    def resumed(run_id: str, verb: str, record: Mapping[str, Any]) -> Plan:
        """Return the plan of an earlier run, as its journal has it."""
        fields = {key: record[key] for key in ("origin", "target", "count", "exact", "sent_before_ms", "limit")}
        return Plan(
            run_id=run_id,
            verb=verb,
            queue=Queue(**record["queue"]),
            selection=Selection.from_json(record["selection"]),
            ids=None if record["ids"] is None else frozenset(record["ids"]),
            retention_s=record["retention_s"],
            options=record["options"],
            **fields,
        )

    def document(self) -> dict[str, Any]:
        """Return the JSON document of type `plan`: what a dry run prints."""
        return {
            "version": 1,
            "type": "plan",
            "verb": self.verb,
            "queue": self.queue.name,
            "target": self.target,
            "engine": self.engine,
            "selection": self.selection.text,
            "count": self.count,
            "exact": self.exact,
            "requests": self.requests,
            "cost_usd": self.cost_usd,
            "irreversible": self.irreversible,
            "facts": dict(self.facts),
            "notes": list(self.notes),
            "samples": [
                message_document(each, expires_at_ms=each.sent_at_ms + self.retention_s * 1000) for each in self.samples
            ],
            "changes": [each.document() for each in self.changes],
        }


def price_usd(requests: int, *, fifo: bool) -> float:
    """Return what so many requests cost."""
    return round(requests * PRICE_PER_MILLION_USD[fifo] / 1_000_000, 6)


def requests_to_move(messages: int) -> int:
    """Return the floor of receive, send and delete in full batches: 0.3 requests a message, one batch at least."""
    return 3 * -(-messages // 10)
