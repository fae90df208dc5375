"""From a dead-letter queue to the logs of those who consume its source queues.

DLQ -> the queues whose redrive policies point to it -> their event source mappings -> the functions -> their log
groups. Each step may be forbidden or lead nowhere; then the sources that it would have served are `blind`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from opstool.doors.stack import DLQ_OUTPUT, LOG_GROUP_OUTPUT
from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue
from opstool.words.errors import OpstoolError, ServiceError
from opstool.words.function import EventSourceMapping, Function

_LAMBDA_GROUPS = "/aws/lambda/"
_MOST_SOURCES = 50
"""Source queues that are followed: a redrive allow policy names ten, and a listing has to end."""
_NO_ANSWER = {"no_answer", "no_connection"}
NAME_IT = "--log-group names the log to read"


@dataclass(frozen=True, kw_only=True)
class Trail:
    """Where the failures of a queue's messages are logged. `blind` are the ARNs of sources whose logs are not known.

    `groups_of` has the log groups of a source's ARN; `functions` those who write into a log group, by its name.
    """

    log_groups: tuple[str, ...] = ()
    groups_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    blind: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    named: bool = False

    @property
    def function_of(self) -> dict[str, str]:
        """Return the name of the function that writes into each log group, as far as it is known."""
        named = {group: group.removeprefix(_LAMBDA_GROUPS) for group in self.log_groups if _is_lambdas(group)}
        return named | {group: function.name for group, function in self.functions.items()}

    @property
    def sources_of(self) -> dict[str, frozenset[str]]:
        """Return the ARNs of the source queues whose consumers write into each log group."""
        return {
            group: frozenset(arn for arn, groups in self.groups_of.items() if group in groups)
            for group in self.log_groups
        }


def follow(kit: Toolkit, dlq: DeadLetterQueue, source_arns: Iterable[str]) -> Trail:
    """Return where the consumers log: of the queue's sources, and of those that messages say they died in.

    Log groups that were named on the command line are taken as they are. What cannot be asked is a note, no error.
    """
    if kit.log_reading.log_groups:
        return Trail(log_groups=kit.log_reading.log_groups, named=True)
    walk = _Walk(kit)
    died_in = set(source_arns)
    others = {each.queue.arn for each in dlq.sources} - died_in
    for number, arn in enumerate([*sorted(died_in), *sorted(others)]):
        walk.visit(arn) if number < _MOST_SOURCES else walk.leave(arn)
    walk.fall_back_on_stack(dlq)
    return walk.trail()


class _Walk:
    """The steps of one discovery; a question that was denied is not asked again for the next source."""

    def __init__(self, kit: Toolkit) -> None:
        self._kit = kit
        self._functions: dict[str, Function] = {}
        self._groups_of: dict[str, tuple[str, ...]] = {}
        self._blind: dict[str, str] = {}
        self._denied: str | None = None
        self._is_silent = False
        """Whether there was no answer at all, for which a whole time-out was waited."""

    def visit(self, source_arn: str) -> None:
        """Learn which logs the consumers of one source write."""
        if self._denied:
            self._blind[source_arn] = self._denied
            return
        try:
            mappings = self._kit.functions.mappings(source_arn)
        except OpstoolError as error:
            self._denied = f"who consumes the source queues could not be asked: {error.message}"
            self._blind[source_arn] = self._denied
            self._is_silent = isinstance(error, ServiceError) and error.code in _NO_ANSWER
            return
        if not mappings:
            name = source_arn.rsplit(":", 1)[-1]
            self._blind[source_arn] = f'no event source mapping takes messages from "{name}"'
            return
        groups = [self._function(each).log_group for each in mappings]
        self._groups_of[source_arn] = tuple(dict.fromkeys(groups))

    def leave(self, source_arn: str) -> None:
        """Follow no more sources; messages of this one are then unknown."""
        self._blind[source_arn] = f"only {_MOST_SOURCES} source queues are followed"

    def _function(self, mapping: EventSourceMapping) -> Function:
        """Return the function; where its configuration may not be read, with the log group Lambda gives by default."""
        arn = mapping.function_arn
        if arn not in self._functions:
            try:
                self._functions[arn] = self._kit.functions.function(arn)
            except OpstoolError:
                name = mapping.function_name
                self._functions[arn] = Function(
                    name=name, arn=arn, timeout_s=0, memory_mb=0, runtime=None, log_group=_LAMBDA_GROUPS + name
                )
        return self._functions[arn]

    def fall_back_on_stack(self, dlq: DeadLetterQueue) -> None:
        """Take the log group that our stack names, where its sources led nowhere and the queue is its DLQ.

        Where Lambda does not answer the stack is not asked either, unless it was before: who waits has waited enough.
        """
        if (not self._blind and self._groups_of) or (self._is_silent and not self._kit.stack.is_known):
            return
        try:
            outputs = self._kit.stack.outputs()
        except OpstoolError:
            return
        group = outputs.get(LOG_GROUP_OUTPUT)
        if group and outputs.get(DLQ_OUTPUT) == dlq.queue.arn:
            self._groups_of |= dict.fromkeys(self._blind or [dlq.queue.arn], (group,))
            self._blind = {}

    def trail(self) -> Trail:
        """Return what was learnt."""
        groups = tuple(dict.fromkeys(group for groups in self._groups_of.values() for group in groups))
        notes = [f"{why}; {NAME_IT}" for why in dict.fromkeys(self._blind.values())]
        if not groups and not notes:
            notes = [f"nothing says which queue these messages died in; {NAME_IT}"]
        return Trail(
            log_groups=groups,
            groups_of=self._groups_of,
            functions={each.log_group: each for each in self._functions.values()},
            blind=frozenset(self._blind),
            notes=tuple(notes),
        )


def _is_lambdas(log_group: str) -> bool:
    return log_group.startswith(_LAMBDA_GROUPS)
