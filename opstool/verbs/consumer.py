"""Stop and start the consumer of a source queue: disable its event source mappings, and enable them again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from opstool.doors.stack import SOURCE_OUTPUT
from opstool.doors.toolkit import Toolkit
from opstool.engine.recorded import plan_of, recorded
from opstool.words.awserrors import BUSY
from opstool.words.errors import NotFoundError, OpstoolError, RefusedError, ServiceError, UsageError
from opstool.words.function import EventSourceMapping
from opstool.words.plan import Plan
from opstool.words.queue import Queue
from opstool.words.report import Tally

PAUSE, RESUME = "consumer-pause", "consumer-resume"
GONE = "Deleted"
"""Our word for a mapping that exists no more; Lambda has none."""
_AT_REST = {"Enabled", "Disabled"}
_LONGEST_WAIT_S = 600.0
"""AWS documents no time. Terraform's AWS provider waits for an update of a mapping as long."""
_POLL_S = 2.0
_REQUESTS_A_SECOND = 5
"""Of the 15 that Lambda admits for all control plane operations of an account together.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
"""
_RUNS_READ = 1_000
"""The latest runs of the journal that are read for what was paused from here."""


class Outcome(StrEnum):
    """What became of a pause or a resumption."""

    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    UNCONFIRMED = "unconfirmed"
    """Some mappings were refused, or have not arrived in the wanted state in time."""
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, kw_only=True)
class Switch:
    """One mapping of the plan. `changes`: it is to be switched, or waited for.

    `paused_here`: the journal of this machine knows that it was paused from here; None where that was not asked.
    """

    mapping: EventSourceMapping
    changes: bool
    paused_here: bool | None = None
    state_after: str | None = None
    error: OpstoolError | None = None


@dataclass(frozen=True, kw_only=True)
class Switched:
    """What became of it: every switch with its `state_after`. `run_id` is None where nothing was done."""

    outcome: Outcome
    switches: tuple[Switch, ...]
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Switching:
    """The plan: the mappings of these source queues are to be in the state `target`, Enabled or Disabled."""

    kit: Toolkit
    plan: Plan
    target: str
    sources: tuple[Queue, ...]
    switches: tuple[Switch, ...]
    followed_from: Queue | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Tell whether there is anything to do, or to wait for."""
        return any(each.changes for each in self.switches)

    def execute(self, *, note: str | None = None, timeout_s: float = _LONGEST_WAIT_S) -> Switched:
        """Switch the mappings and wait until each is in its state; raise OpstoolError when every one was refused."""
        kit, doing = self.kit, f"waiting until the mappings are {self.target}"
        with recorded(kit, self.plan, note) as tally, kit.watch(doing, Tally(), None):
            after = _Switchboard(kit, self.target, self.switches).run(timeout_s)
            failed = [each.error for each in after if each.error]
            for error in failed:
                tally.name(error.code, error.message)
            if failed and len(failed) == sum(each.changes for each in after):
                raise failed[0]
            late = [each for each in after if each.changes and each.state_after not in {self.target, GONE}]
            for each in late:
                tally.name(Outcome.UNCONFIRMED, f"mapping {each.mapping.uuid} is {each.state_after}")
        outcome = Outcome.UNCONFIRMED if late or failed else Outcome.DONE
        if kit.stop.is_set() and late:
            outcome = Outcome.INTERRUPTED
        return Switched(outcome=outcome, switches=after, run_id=self.plan.run_id)


class _Switchboard:
    """The mappings on their way to one state: each is looked at in turn, and switched when it is at rest."""

    def __init__(self, kit: Toolkit, target: str, switches: Sequence[Switch]) -> None:
        self._kit = kit
        self._target = target
        self._switches = list(switches)

    def run(self, timeout_s: float) -> tuple[Switch, ...]:
        """Return the switches with their last states, all arrived or the time over."""
        clock, stop = self._kit.clock, self._kit.stop
        ends_at = clock.monotonic() + timeout_s
        while not stop.is_set():
            for place, each in enumerate(self._switches):
                if self._is_under_way(each):
                    self._switches[place] = self._looked_at(each)
            left = sum(map(self._is_under_way, self._switches))
            if not left or clock.monotonic() >= ends_at:
                break
            clock.sleep(max(_POLL_S, left / _REQUESTS_A_SECOND), stop)
        return tuple(self._switches)

    def _is_under_way(self, each: Switch) -> bool:
        return each.changes and not each.error and each.state_after not in {self._target, GONE}

    def _looked_at(self, each: Switch) -> Switch:
        """Return the switch with the mapping's state, after asking for the change if that is possible now."""
        functions, uuid = self._kit.functions, each.mapping.uuid
        try:
            state = functions.state(uuid)
            if state in _AT_REST and state != self._target:
                state = functions.set_enabled(uuid, enabled=self._target == "Enabled")
        except NotFoundError:
            return replace(each, state_after=GONE)
        except ServiceError as error:
            passing = error.retryable or error.code == BUSY
            return replace(each, state_after=each.state_after or each.mapping.state, error=None if passing else error)
        except OpstoolError as error:
            return replace(each, state_after=each.state_after or each.mapping.state, error=error)
        return replace(each, state_after=state)


def prepare(
    kit: Toolkit,
    name: str | None = None,
    *,
    enabled: bool,
    every_source: bool = False,
    uuids: Collection[str] = (),
) -> Switching:
    """Return the plan to enable or disable the mappings of a source queue, or of the sources of a dead-letter queue.

    `uuids` are the only mappings that are meant. Without them a pause means all; a resumption those that were paused
    from here, or all that are disabled when the journal knows of none. Raises RefusedError when the queue has no
    mapping, or a dead-letter queue has several sources and not `every_source`; UsageError for an unknown UUID.
    """
    queue, sources = _sources(kit, name, every_source=every_source)
    mappings = [mapping for source in sources for mapping in kit.functions.mappings(source.arn)]
    if not mappings:
        raise RefusedError(
            f"no event source mapping takes messages from {_names(sources)}",
            code="no_consumer",
            hint="its consumer is no Lambda function, or one of another account or region",
        )
    if unknown := set(uuids) - {each.uuid for each in mappings}:
        raise UsageError(f"no mapping of {_names(sources)} has the UUID `{min(unknown)}`", code="unknown_mapping")
    target = "Enabled" if enabled else "Disabled"
    ours = _paused_here(kit) if enabled else None
    switches = tuple(_switches(mappings, target, ours, uuids))
    changed = [{"uuid": each.mapping.uuid, "state": each.mapping.state} for each in switches if each.changes]
    return Switching(
        kit=kit,
        plan=plan_of(kit, RESUME if enabled else PAUSE, queue, f"mappings {target}", {"mappings": changed}),
        target=target,
        sources=sources,
        switches=switches,
        followed_from=queue if queue not in sources else None,
        notes=_notes(kit, sources, switches, enabled=enabled),
    )


def _sources(kit: Toolkit, name: str | None, *, every_source: bool) -> tuple[Queue, tuple[Queue, ...]]:
    """Return the queue that was named, and the source queues that it stands for: itself, or those of a DLQ."""
    queue = kit.sqs.resolve(name or kit.stack.output(SOURCE_OUTPUT))
    sources = tuple(each.queue for each in kit.sqs.sources(queue))
    if len(sources) > 1 and not every_source:
        raise RefusedError(
            f'"{queue.name}" is the dead-letter queue of several: {_names(sources)}',
            code="several_sources",
            hint="name the one that is meant, or add --all",
        )
    return queue, sources or (queue,)


def _switches(
    mappings: Sequence[EventSourceMapping], target: str, ours: set[str] | None, uuids: Collection[str]
) -> list[Switch]:
    """Return a switch for each mapping, and which of them are to be changed."""
    away = {each.uuid for each in mappings if each.state not in {target, "Deleting"}}
    meant = away & (set(uuids) or (ours or set()) & away or away)
    return [
        Switch(mapping=each, changes=each.uuid in meant, paused_here=None if ours is None else each.uuid in ours)
        for each in mappings
    ]


def _paused_here(kit: Toolkit) -> set[str]:
    """Return the mappings that were last paused, and not resumed, by a run in this machine's journal.

    A pause that found one on its way to rest has only waited: whoever disabled it was somebody else, or a run before.
    """
    latest: dict[str, str] = {}
    for run in kit.journal.runs(_RUNS_READ):
        if run.verb in {PAUSE, RESUME}:
            for each in run.plan["options"]["mappings"]:
                if run.verb == RESUME or each["state"] != "Disabling":
                    latest.setdefault(each["uuid"], run.verb)
    return {uuid for uuid, verb in latest.items() if verb == PAUSE}


def _notes(kit: Toolkit, sources: Sequence[Queue], switches: Sequence[Switch], *, enabled: bool) -> tuple[str, ...]:
    """Return what a person should know before they agree."""
    notes = []
    for source in sources:
        told = kit.sqs.attributes(source)
        waiting = f'"{source.name}": approximately {told.depth:,} messages wait'
        kept = f"each is lost {told.retention_s / 86_400:.3g} days after it was sent"
        notes.append(waiting if enabled else f"{waiting}; while it is paused more will, and {kept}")
    if not enabled:
        return (*notes, "invocations under way are not stopped")
    left = [each for each in switches if not each.changes and each.mapping.state in {"Disabled", "Disabling"}]
    strange = [each for each in switches if each.changes and not each.paused_here]
    if left:
        notes.append(
            f"{len(left)} disabled mappings stay so: they were not paused from here (--mapping UUID names one)"
        )
    if strange:
        notes.append(
            f"{len(strange)} of them were not paused from here: somebody has disabled them, perhaps for a reason"
        )
    return tuple(notes)


def _names(queues: Sequence[Queue]) -> str:
    return ", ".join(f'"{each.name}"' for each in queues)
