"""What went wrong in one invocation, and for which of its messages: its lines read from first to last.

The rules, best evidence first. A line that names one message and tells of an error is that message's. An error after a
line that names a message, and before a line that names another, is that message's; but when the next line names one
message and says that it failed, the error is that one's. Both only where the times tell the order: of lines of one
millisecond nobody knows it, once several messages are named in them. What ended the invocation is everybody's who has
no error of their own in it. Errors that no line leads to are everybody's too, when they are one.
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Named:
    """The one message that a line names, None when it is not one; and when."""

    at_ms: int = 0
    message_id: str | None = None


@dataclass(slots=True)
class Course:
    """One invocation with its lines."""

    invocation: Invocation
    lines: list[tuple[int, Entry]] = field(default_factory=list)
    found: dict[str, Finding] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    names_in_passing: bool = False
    """Whether a line names a message without an error: then a message that it had is a message that it names."""
    _namings: list[tuple[int, str | None]] = field(default_factory=list)
    """When which message was named; None: several, or one that is not sought."""
    _loose: list[Finding] = field(default_factory=list)
    _pending: list[Finding] = field(default_factory=list)
    _names_afterwards: bool = False
    """Whether errors come before the lines that name their messages, so that what follows such a line is another's."""
    _elsewhere: bool = False
    """Whether the last line that named a message named another than those that are sought."""
    _ending: Finding | None = None

    def judge(self, templates: Collection[str]) -> None:
        """Find out what went wrong for whom; `templates` are the forms of lines that name messages."""
        current = _Named()
        self._namings = [(at_ms, _only(entry)) for at_ms, entry in self.lines if _names(entry, templates)]
        is_unsure = self._may_name_afterwards()
        for at_ms, entry in self.lines:
            if not entry.ids and _names(entry, templates):
                self._settle(current, _Named(at_ms=at_ms), says_so=_says_failed(entry))
                self._elsewhere = True
                continue  # about another message, its error included
            self.members.update(entry.ids)
            if entry.ids:
                named = _Named(at_ms=at_ms, message_id=_only(entry))
                self._settle(current, named, says_so=named.message_id is not None and _says_failed(entry))
                self._elsewhere, current = False, _Named(at_ms=at_ms) if is_unsure else named
                self.names_in_passing = self.names_in_passing or entry.fault is None
            if entry.fault is not None:
                self._hear(at_ms, entry, entry.fault, current)
        self._settle(current, _Named(), says_so=False)
        self._end()
        self._share(current.message_id)

    def _hear(self, at_ms: int, entry: Entry, fault: Fault, current: _Named) -> None:
        evidence = Evidence.LINE if len(entry.ids) == 1 else Evidence.REQUEST
        finding = Finding(at_ms, fault, evidence, entry.trace_id, entry.traceback)
        if fault.ends and not entry.ids:
            self._ending = finding
        elif not entry.ids and not fault.is_vague:
            self._pending.append(finding)
        elif len(entry.ids) == 1:
            self._give(finding, entry.ids[0])
        elif not self._elsewhere:
            self._give(finding, self._surely(current, at_ms))

    def _surely(self, named: _Named, at_ms: int) -> str | None:
        """Return the message that was named, if no other was at any time from there to an error, the ends included."""
        first, last = sorted((named.at_ms, at_ms))
        others = (who for when, who in self._namings if first <= when <= last and who != named.message_id)
        return named.message_id if next(others, named) is named else None

    def _give(self, finding: Finding, message_id: str | None) -> None:
        if message_id is None:
            self._loose.append(finding)
        elif message_id not in self.found or finding.weight >= self.found[message_id].weight:
            self.found[message_id] = finding

    def _settle(self, before: _Named, after: _Named, *, says_so: bool) -> None:
        """Give the errors since the last line that named a message to it, or to the next that says that it failed."""
        for finding in self._pending:
            if says_so:
                self._names_afterwards = self._names_afterwards or after.message_id != before.message_id
                if after.message_id is not None:
                    self._give(finding, self._surely(after, finding.at_ms))
            elif not (self._names_afterwards or self._elsewhere):
                self._give(finding, self._surely(before, finding.at_ms))
        self._pending.clear()

    def _may_name_afterwards(self) -> bool:
        """Tell whether the lines begin with an error and end with a name: then their order does not tell whose it is.

        With one message only there is nothing to confuse.
        """
        told = [
            entry
            for _, entry in self.lines
            if entry.ids or (entry.fault is not None and not entry.fault.is_vague and not entry.fault.ends)
        ]
        several = len({message_id for entry in told for message_id in entry.ids}) > 1
        return several and not told[0].ids and bool(told[-1].ids)

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
    def unclaimed(self) -> list[Finding]:
        """Return the errors of which nobody knows whose they are."""
        return [] if self._agreed() else [finding for finding in self._loose if not finding.fault.is_vague]

    @property
    def ending(self) -> Finding | None:
        """Return what ended the invocation, None when nothing is known to have."""
        return self._ending


def _names(entry: Entry, templates: Collection[str]) -> bool:
    """Tell whether a line names a message, one that is sought or another."""
    return bool(entry.ids) or (entry.template is not None and entry.template in templates)


def _only(entry: Entry) -> str | None:
    """Return the one message that a line names, None when there may be more."""
    return entry.ids[0] if len(entry.ids) == 1 and not entry.among_others else None


def _says_failed(entry: Entry) -> bool:
    """Tell whether a line says that a message failed, and not of what."""
    return entry.fault is not None and entry.fault.is_vague


def _by_request(finding: Finding) -> Finding:
    return Finding(finding.at_ms, finding.fault, Evidence.REQUEST, finding.trace_id, finding.traceback)


def _says_again(own: Fault, ending: Fault) -> bool:
    """Tell whether the end says again, with its type, what the line said in words only."""
    return bool(ending.message) and ending.message in own.message
