"""Send test messages to a source queue, and follow them until each is consumed or dead."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from opstool.doors.sqs import split
from opstool.doors.stack import SOURCE_OUTPUT
from opstool.doors.toolkit import Toolkit
from opstool.engine.account import alive, conclude, new_run_id, run_record
from opstool.engine.delivery import Delivery, Uncertain
from opstool.engine.dlq import DeadLetterQueue
from opstool.engine.hold import Hold
from opstool.engine.queuesink import QueueSink
from opstool.engine.survey import survey
from opstool.engine.throttle import Throttle, check_rate
from opstool.words.document import parse_json
from opstool.words.errors import OpstoolError, RefusedError, UsageError
from opstool.words.filters import Selection
from opstool.words.message import Attribute, Message
from opstool.words.plan import Plan, price_usd
from opstool.words.queue import Queue
from opstool.words.report import Outcome, Report, Tally

DEFAULT_COUNT = 10
_POLL_S = 1.0
_QUIET_POLLS = 2
"""How often in a row a source queue must look empty: its counts are approximate."""


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What became of the messages that were followed, by message id; `unknown` were still on their way at the end."""

    consumed: tuple[str, ...]
    dead: tuple[str, ...]
    unknown: tuple[str, ...] = ()


@dataclass(kw_only=True)
class TestBatch:
    """Messages for a source queue, and the plan to send them."""

    __test__ = False  # pytest takes the name for one of its own
    kit: Toolkit
    plan: Plan
    messages: Sequence[Message]
    tally: Tally = field(default_factory=Tally)
    partial: bool = False
    sent_ids: set[str] = field(default_factory=set)

    def execute(self, *, note: str | None = None) -> Report:
        """Send the messages and return the account of it."""
        with alive(self.kit, self.plan.run_id):
            return self._execute(note)

    def _execute(self, note: str | None) -> Report:
        kit, plan = self.kit, self.plan
        started, before = kit.clock.monotonic(), (kit.sqs.requests, kit.sqs.billed_requests)
        kit.journal.start_run(run_record(kit, plan, note))
        delivery = Delivery(
            run_id=plan.run_id,
            journal=kit.journal,
            sink=QueueSink(kit.sqs, lambda _: plan.queue, run_id=plan.run_id),
            tally=self.tally,
            throttle=Throttle(plan.options.get("rate"), kit.clock),
            clock=kit.clock,
            stop=kit.stop,
            uncertain=plan.options["uncertain"],
            sent_ids=self.sent_ids,
        )
        error = None
        try:
            with kit.watch(plan.verb, self.tally, plan.count):
                self._send(delivery)
        except OpstoolError as failure:
            error = failure
            self.tally.name(failure.code, failure.message)
        left = self.tally.counts().succeeded < len(self.messages)
        return conclude(kit, plan, self.tally, started=started, before=before, error=error, incomplete=left)

    def _send(self, delivery: Delivery) -> None:
        for batch in (piece for each in split(self.messages) for piece in delivery.throttle.pieces(each)):
            if self.kit.stop.is_set():
                return
            for message in batch:
                self.tally.received(message.message_id)
            delivered = delivery.deliver(self.plan.origin, batch, lambda left: left)
            self.kit.journal.settle(self.plan.origin, delivered.now)
            self.tally.decide(delivered.now, Outcome.SUCCEEDED)

    def follow(self, *, timeout_s: float | None = None) -> Fate:
        """Wait until the source queue is quiet, then look into its DLQ; return what became of each message.

        `timeout_s` defaults to what the redrive policy allows, (maxReceiveCount + 1) visibility timeouts, and a minute.
        """
        kit, queue = self.kit, self.plan.queue
        attributes = kit.sqs.attributes(queue)
        policy = attributes.redrive_policy
        if timeout_s is None:
            timeout_s = 60 + attributes.visibility_timeout_s * ((policy.max_receive_count if policy else 1) + 1)
        quiet = self._wait_until_quiet(queue, timeout_s)
        dead = self._find_dead(kit.sqs.resolve(policy.dlq_arn)) if policy else set[str]()
        rest = tuple(sorted(self.sent_ids - dead))
        return Fate(consumed=rest if quiet else (), dead=tuple(sorted(dead)), unknown=() if quiet else rest)

    def _wait_until_quiet(self, queue: Queue, timeout_s: float) -> bool:
        kit = self.kit
        ends_at, quiet = kit.clock.monotonic() + timeout_s, 0
        with kit.watch("waiting for the consumer", self.tally, None):
            while quiet < _QUIET_POLLS and kit.clock.monotonic() < ends_at and not kit.stop.is_set():
                kit.clock.sleep(_POLL_S, kit.stop)
                now = kit.sqs.attributes(queue)
                quiet = 0 if now.depth or now.in_flight or now.delayed else quiet + 1
        return quiet >= _QUIET_POLLS

    def _find_dead(self, dlq: Queue) -> set[str]:
        """Return which of our messages lie in the dead-letter queue; SQS keeps the id when it moves a message."""
        kit = self.kit
        selection = Selection(ids=frozenset(self.sent_ids))
        place = DeadLetterQueue(queue=dlq, attributes=kit.sqs.attributes(dlq), sources=())
        with Hold(kit, place, exclusive=False) as hold:
            found = survey(kit, hold, place, selection, limit=None, reasons=False)
            return {lease.message_id for lease in found.matched}


def prepare(
    kit: Toolkit,
    name: str | None = None,
    *,
    messages: Sequence[Message],
    attributes: Mapping[str, str] | None = None,
    group_id: str | None = None,
    uncertain: Uncertain = "resend",
    rate: float | None = None,
) -> TestBatch:
    """Return a batch for a source queue (the stack's when none is named); nothing is sent before its `execute`.

    `attributes` and `group_id` are added to each message. Raises RefusedError when the queue is somebody's
    dead-letter queue, UsageError when there is nothing to send.
    """
    check_rate(rate)
    queue = kit.sqs.resolve(name or kit.stack.output(SOURCE_OUTPUT))
    sources = kit.sqs.sources(queue)
    if sources:
        raise RefusedError(
            f'"{queue.name}" is the dead-letter queue of "{sources[0].queue.name}"; test messages go to a source queue',
            code="is_a_dlq",
            hint=f"opstool send-test-batch {sources[0].queue.name}",
        )
    extra = {name: Attribute(type="String", value=value) for name, value in (attributes or {}).items()}
    ready = [
        replace(each, attributes={**each.attributes, **extra}, group_id=group_id or each.group_id) for each in messages
    ]
    if not ready:
        raise UsageError("there is nothing to send", code="nothing_to_send")
    return TestBatch(kit=kit, plan=_plan(kit, queue, ready, {"uncertain": uncertain, "rate": rate}), messages=ready)


def made_up(count: int = DEFAULT_COUNT, *, poison: int = 0) -> list[Message]:
    """Return `count` messages that the shipped consumer takes, the last `poison` of them such that it rejects them."""
    if not 0 <= poison <= count:
        raise UsageError(f"--poison must be between 0 and {count}, the number of messages", code="invalid_count")
    good = [json.dumps({"message": f"Test message-{number}"}) for number in range(1, count - poison + 1)]
    bad = [json.dumps({"poison": f"Test message-{number}"}) for number in range(count - poison + 1, count + 1)]
    return with_bodies(good + bad)


def with_bodies(bodies: Iterable[str]) -> list[Message]:
    """Return one message for each body."""
    return [Message(message_id=f"test-{number:06}", body=body) for number, body in enumerate(bodies, start=1)]


def from_lines(lines: Iterable[str]) -> list[Message]:
    """Return one message for each line of a JSON Lines file, whose body is the line; raise UsageError."""
    bodies = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        try:
            parse_json(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"line {number} is not JSON", code="invalid_file") from error
        bodies.append(text)
    return with_bodies(bodies)


def from_event(event: object) -> list[Message]:
    """Return the messages of a Lambda event such as events/test-event.json, with their attributes."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise UsageError("the event has no list of `Records`", code="invalid_file")
    return [_from_record(number, record) for number, record in enumerate(records, start=1)]


def _from_record(number: int, record: Mapping[str, Any]) -> Message:
    try:
        attributes = {name: _from_attribute(each) for name, each in record.get("messageAttributes", {}).items()}
        group_id = record.get("attributes", {}).get("MessageGroupId")
        return Message(
            message_id=f"test-{number:06}", body=str(record["body"]), attributes=attributes, group_id=group_id
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"record {number} of the event is not an SQS record", code="invalid_file") from error


def _from_attribute(fields: Mapping[str, Any]) -> Attribute:
    kind = str(fields["dataType"])
    if kind.startswith("Binary"):
        return Attribute(type=kind, value=base64.b64decode(fields["binaryValue"], validate=True))
    return Attribute(type=kind, value=fields["stringValue"])


def _plan(kit: Toolkit, queue: Queue, messages: Sequence[Message], options: Mapping[str, Any]) -> Plan:
    run_id = new_run_id(kit.clock)
    requests = -(-len(messages) // 10)
    return Plan(
        run_id=run_id,
        verb="send-test-batch",
        queue=queue,
        origin=f"test:{run_id}",
        target=queue.name,
        selection=Selection(),
        count=len(messages),
        exact=True,
        samples=tuple(messages[:3]),
        requests=requests,
        cost_usd=price_usd(requests, fifo=queue.is_fifo),
        irreversible="what a consumer has taken cannot be taken back",
        options=options,
    )
