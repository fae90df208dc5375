"""The one command that is likely the best next step with a group of messages, and why, in a few words."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from opstool.words.groups.group import Group
from opstool.words.groups.grouping import ByReason, Grouping
from opstool.words.groups.transience import is_transient
from opstool.words.reason import Evidence, ReasonState
from opstool.words.selection import Selection

_DAY_MS = 86_400_000
_LONGEST_RETENTION_S = 1_209_600
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"""
_TOO_LATE_TO_EXTEND_MS = 2 * 15 * 60_000
"""A new retention can take up to 15 minutes to reach the messages (same page); as long again for whoever decides."""
_MOST_IDS_TYPED = 10
"""Selection.text names no more ids than that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """A command without the name of the program, quoted for a POSIX shell, and why, in at most 72 characters."""

    command: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What is known beside the groups: the queue, what was selected and how it was grouped; `now_ms` is SQS's time."""

    queue_name: str
    retention_s: int
    is_dlq: bool
    selection: Selection
    grouping: Grouping
    now_ms: int
    log_groups: Sequence[str] = ()

    @property
    def queue(self) -> str:
        """Return the queue as it is typed."""
        return shlex.quote(self.queue_name)

    @property
    def log_words(self) -> str:
        """Return the options that lead to the same reasons again."""
        return "".join(f" --log-group {shlex.quote(each)}" for each in self.log_groups)


def suggest(group: Group, at: Situation) -> Suggestion:
    """Return the next command: first nothing may be lost, then the reason must be known, then it decides."""
    if group.soonest_expiry_ms - at.now_ms < _DAY_MS:
        return _keep(group, at)
    if group.reason is not None:
        return _treat(group, at)
    if group.reason_state is ReasonState.NOT_FOUND:
        why = "no line tells why; this checks the timeouts and limits that end so"
        return Suggestion(command=f"doctor {at.queue}", why=why)
    if group.reason_state is ReasonState.UNKNOWN:
        why = "what it takes to read the log; --log-group names another one"
        return Suggestion(command=f"iam-policy {at.queue} --for inspect", why=why)
    which = _options(_of_group(group, at), at, reads_logs=True)
    if which is None:
        return _show(group, at, "look at one")
    return Suggestion(command=f"dlq groups {at.queue}{which}", why="this groups them by why they died")


def _keep(group: Group, at: Situation) -> Suggestion:
    """Return how to keep what expires within a day."""
    left_ms = group.soonest_expiry_ms - at.now_ms
    if at.retention_s < _LONGEST_RETENTION_S and left_ms > _TOO_LATE_TO_EXTEND_MS:
        why = "some of these expire within a day: keep them longer first"
        return Suggestion(command=f"dlq extend {at.queue}", why=why)
    which = _options(_of_group(group, at), at)
    if which is None:  # a copy of too many does no harm
        which = _options(at.selection, at) or ""
    file = f"{group.reason.fingerprint if group.reason else group.sample_id}.jsonl"
    return Suggestion(
        command=f"dlq export {at.queue}{which} --to-file {shlex.quote(file)}",
        why="some of these expire within a day and cannot be kept: copy them first",
    )


def _treat(group: Group, at: Situation) -> Suggestion:
    """Return what to do about a reason that is known."""
    if group.reason and group.reason.evidence is Evidence.ATTRIBUTE:
        return _show(group, at, "these did not die in SQS: look at one, then redrive with --to")
    transient = is_transient(group.reason) if group.reason else None
    if transient is None:
        return _show(group, at, "nothing tells whether a later try can succeed: look at one")
    if not transient:
        return _show(group, at, "a later try fails again: look at one, then mend it or its consumer")
    insist = "" if at.is_dlq else " --not-a-dlq"
    which = _options(_of_group(group, at), at)
    if which is None:
        command = f"dlq redrive {at.queue} --id {shlex.quote(group.sample_id)}{insist}"
        return Suggestion(command=command, why="a later try may succeed: begin with one")
    return Suggestion(command=f"dlq redrive {at.queue}{which}{insist}", why="a later try may succeed")


def _show(group: Group, at: Situation, why: str) -> Suggestion:
    return Suggestion(command=f"dlq show {shlex.quote(group.sample_id)} {at.queue}{at.log_words}", why=why)


def _of_group(group: Group, at: Situation) -> Selection | None:
    """Return the selection of this group and of nothing else; None when no options can name it."""
    if isinstance(at.grouping, ByReason):
        return replace(at.selection, reason=group.reason.fingerprint) if group.reason else None
    return at.grouping.narrowed(at.selection, group.key)


def _options(selection: Selection | None, at: Situation, *, reads_logs: bool = False) -> str | None:
    """Return a selection as it is typed, with a space before it; None for one that is too long to be typed."""
    if selection is None or (selection.ids is not None and len(selection.ids) > _MOST_IDS_TYPED):
        return None
    words = f" {selection.text}" if selection.text else ""
    return words + at.log_words if reads_logs or selection.needs_reason else words
