"""What went wrong in one invocation, and for which of its messages: its lines read from first to last.

The rules, best evidence first. A line that names one message and tells of an error is that message's. An error after a
line that names a message, and before a line that names another, is that message's. What ended the invocation is
everybody's who has no error of their own in it. Errors that no line leads to are everybody's too, when they are one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from opstool.engine.reasons.invocation import Invocation, is_lambdas_own
from opstool.engine.reasons.stream import Entry, Fault
from opstool.words.reason import Evidence

ANOTHER = "\0another message"
"""The template of a line that names by a key a message that is not sought."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The error of one message in one invocation."""

    at_ms: int
    fault: Fault
    evidence: Evidence
    trace_id: str | None = None
    traceback: str | None = None

    @property
    def weight(self) -> tuple[bool, int]:
        """Order two findings for one message: that which says what kind of error it is, then the later one."""
        return not self.fault.is_vague, self.at_ms


@dataclass(slots=True)
class Course:
    """One invocation with its lines."""

    invocation: Invocation
    lines: list[tuple[int, Entry]] = field(default_factory=list)
    found: dict[str, Finding] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    names_in_passing: bool = False
    """Whether a line names a message without an error: then a message that it had is a message that it names."""
    _loose: list[Finding] = field(default_factory=list)
    _ending: Finding | None = None

    def judge(self, templates: Collection[str]) -> None:
        """Find out what went wrong for whom; `templates` are the forms of lines that name messages."""
        current: str | None = None
        elsewhere = False
        for at_ms, entry in self.lines:
            if entry.template is not None and not entry.ids and entry.template in templates:
                elsewhere = True
                continue  # about another message, its error included
            self.members.update(entry.ids)
            if entry.ids:
                elsewhere, current = False, entry.ids[0] if len(entry.ids) == 1 else None
                self.names_in_passing = self.names_in_passing or entry.fault is None
            if entry.fault is not None and (not elsewhere or entry.fault.ends):
                self._hear(at_ms, entry, entry.fault, current)
        self._end()
        self._share(current)

    def _hear(self, at_ms: int, entry: Entry, fault: Fault, current: str | None) -> None:
        evidence = Evidence.LINE if len(entry.ids) == 1 else Evidence.REQUEST
        finding = Finding(at_ms, fault, evidence, entry.trace_id, entry.traceback)
        if fault.ends and not entry.ids:
            self._ending = finding
        elif current is None:
            self._loose.append(finding)
        elif current not in self.found or finding.weight >= self.found[current].weight:
            self.found[current] = finding

    def _end(self) -> None:
        """Say what ended the invocation: what escaped the handler, or else what Lambda says."""
        failure = self.invocation.failure()
        if failure is None or self._ending is not None:
            return
        self._ending = Finding(failure[0], failure[1], Evidence.REQUEST)
        if self.invocation.cause_is_the_functions:
            sure = [finding for finding in (*self.found.values(), *self._loose) if not finding.fault.is_vague]
            self._ending = max(sure, key=lambda finding: finding.at_ms, default=self._ending)

    def _share(self, last: str | None) -> None:
        """Give what ended the invocation to all without an error, and to the `last` if words are all that it has."""
        for message_id in sorted(self.members):
            own = self.found.get(message_id)
            shared = self._ending or self._agreed()
            if own is None and shared is not None:
                self.found[message_id] = _by_request(shared)
            elif own is not None and self._ending is not None:
                escaped = message_id == last and not is_lambdas_own(self._ending.fault.type)
                if own.fault.is_vague and (escaped or _says_again(own.fault, self._ending.fault)):
                    self.found[message_id] = _by_request(self._ending)

    def _agreed(self) -> Finding | None:
        """Return the last of the errors that no line leads to, when they are all of one kind."""
        kinds = {finding.fault.fingerprint for finding in self._loose if not finding.fault.is_vague}
        sure = [finding for finding in self._loose if not finding.fault.is_vague or not kinds]
        return sure[-1] if len({finding.fault.fingerprint for finding in sure}) == 1 else None

    @property
    def ending(self) -> Finding | None:
        """Return what ended the invocation, None when nothing is known to have."""
        return self._ending


def _by_request(finding: Finding) -> Finding:
    return Finding(finding.at_ms, finding.fault, Evidence.REQUEST, finding.trace_id, finding.traceback)


def _says_again(own: Fault, ending: Fault) -> bool:
    """Tell whether the end says again, with its type, what the line said in words only."""
    return bool(ending.message) and ending.message in own.message
