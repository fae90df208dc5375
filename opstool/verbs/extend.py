"""Keep dead messages longer: raise the retention of a dead-letter queue, and never lower it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from opstool.doors.toolkit import Toolkit
from opstool.engine.checks.timespan import spelled
from opstool.engine.dlq import DeadLetterQueue, locate_to_change
from opstool.engine.recorded import plan_of, recorded
from opstool.verbs import browse
from opstool.words.errors import OpstoolError, RefusedError, UsageError
from opstool.words.plan import Plan

VERB = "extend"
DAY_S = 86_400
SHORTEST_S, LONGEST_S = 60, 1_209_600
"""What SQS admits as MessageRetentionPeriod.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""
_LOOKED_AT = 100
"""Messages that are looked at for their expiry."""
_CONFIRM_WAITS_S = (0.5, 1.0, 2.0, 4.0)
"""Before each further look whether the new value is told; SQS may take a minute, and 15 until it holds everywhere."""


class Outcome(StrEnum):
    """What became of an extension."""

    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    UNCONFIRMED = "unconfirmed"
    """SQS has accepted the new value, and still tells another one."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """The resource of a CloudFormation stack that made the queue, where the new value has to be written as well."""

    stack: str
    resource: str


@dataclass(frozen=True, kw_only=True)
class Extended:
    """What became of it: `retention_s` is what SQS tells now. `run_id` is None where nothing was done."""

    outcome: Outcome
    retention_s: int
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Extension:
    """The plan: the DLQ keeps its messages for `to_s` instead of `from_s` seconds from when each was sent.

    `soonest_expiry_ms` is that of the messages seen, None where none was looked at. `template` is None when the queue
    is of no stack, or nobody may ask.
    """

    kit: Toolkit
    dlq: DeadLetterQueue
    plan: Plan
    to_s: int
    soonest_expiry_ms: int | None = None
    template: Template | None = None

    @property
    def from_s(self) -> int:
        """Return the retention at the time of the plan."""
        return self.dlq.attributes.retention_s

    @property
    def is_needed(self) -> bool:
        """Tell whether there is anything to do."""
        return self.from_s < self.to_s

    @property
    def soonest_expiry_then_ms(self) -> int | None:
        """Return when the first of the messages seen expires once this is done."""
        return None if self.soonest_expiry_ms is None else self.soonest_expiry_ms + (self.to_s - self.from_s) * 1000

    def execute(self, *, note: str | None = None) -> Extended:
        """Raise the retention, unless a colleague has by now, and look whether SQS tells the new value."""
        now_s = self._told_s()
        if now_s >= self.to_s:
            return Extended(outcome=Outcome.NOTHING_TO_DO, retention_s=now_s)
        with recorded(self.kit, self.plan, note) as tally:
            self.kit.sqs.set_retention(self.dlq.queue, self.to_s)
            now_s = self._confirmed_s()
            if now_s < self.to_s:
                tally.name(Outcome.UNCONFIRMED, f"SQS still tells a retention of {now_s} s")
        outcome = Outcome.DONE if now_s >= self.to_s else Outcome.UNCONFIRMED
        return Extended(outcome=outcome, retention_s=now_s, run_id=self.plan.run_id)

    def _confirmed_s(self) -> int:
        """Return what SQS tells: the new value as soon as it does."""
        for wait_s in _CONFIRM_WAITS_S:
            told_s = self._told_s()
            if told_s >= self.to_s:
                return told_s
            self.kit.clock.sleep(wait_s, self.kit.stop)
        return self._told_s()

    def _told_s(self) -> int:
        return self.kit.sqs.attributes(self.dlq.queue).retention_s


def prepare(
    kit: Toolkit,
    name: str | None = None,
    *,
    to_s: int = LONGEST_S,
    not_a_dlq: bool = False,
    expiry: bool = False,
) -> Extension:
    """Return the plan to keep the messages of a dead-letter queue for `to_s` seconds.

    With `expiry` messages are looked at for the soonest expiry, which adds 1 to their receive counts. Raises UsageError
    for what SQS does not admit, and RefusedError for less than the present value: that can delete messages at once.
    """
    if not SHORTEST_S <= to_s <= LONGEST_S:
        raise UsageError(f"SQS keeps messages for {spelled(SHORTEST_S)} to {LONGEST_S // DAY_S} days")
    dlq = locate_to_change(kit, name, not_a_dlq=not_a_dlq)
    from_s = dlq.attributes.retention_s
    if to_s < from_s:
        raise RefusedError(
            f'"{dlq.queue.name}" keeps messages for {spelled(from_s)}: {spelled(to_s)} would be less, '
            "which can delete messages at once",
            code="would_lower_retention",
            hint="who means that lowers it where the queue is made, in its template",
        )
    return Extension(
        kit=kit,
        dlq=dlq,
        plan=plan_of(kit, VERB, dlq.queue, f"retention {to_s} s", {"from_s": from_s, "to_s": to_s}),
        to_s=to_s,
        soonest_expiry_ms=_soonest_expiry_ms(kit, dlq) if expiry and from_s < to_s else None,
        template=_template(kit, dlq) if from_s < to_s else None,
    )


def _soonest_expiry_ms(kit: Toolkit, dlq: DeadLetterQueue) -> int | None:
    return browse.list_messages(kit, dlq.queue.arn, limit=_LOOKED_AT, reasons=False).soonest_expiry_ms


def _template(kit: Toolkit, dlq: DeadLetterQueue) -> Template | None:
    """Return what made the queue, as far as CloudFormation tells; to ask is no condition of the change.

    A queue's physical id is its URL: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html
    """
    request = {"PhysicalResourceId": dlq.queue.url}
    try:
        resources = kit.ask("cloudformation", "DescribeStackResources", request).get("StackResources") or []
    except OpstoolError:
        return None
    found = (each for each in resources if each.get("PhysicalResourceId") == dlq.queue.url)
    return next((Template(stack=each["StackName"], resource=each["LogicalResourceId"]) for each in found), None)
