"""Group the messages of a dead-letter queue by why they died, or by anything else about them."""

from __future__ import annotations

from dataclasses import dataclass, field

from opstool.doors.toolkit import Toolkit
from opstool.engine.dlq import DeadLetterQueue, locate
from opstool.engine.tallying import tally_messages
from opstool.words.filters import Selection
from opstool.words.groups.group import Group, grouped
from opstool.words.groups.grouping import ByReason, Grouping, grouping_of
from opstool.words.report import Counts


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The groups, the largest first. `seen` counts distinct messages received, `shown` those that were grouped.

    `asked` is false when reasons were not wanted, `partial` says that not all could be seen or judged, and `notes` are
    sentences for people.
    """

    dlq: DeadLetterQueue
    grouping: Grouping
    groups: tuple[Group, ...]
    counts: Counts
    asked: bool = True
    missing_ids: tuple[str, ...] = ()
    partial: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def seen(self) -> int:
        """Return how many distinct messages were received."""
        return self.counts.received

    @property
    def shown(self) -> int:
        """Return how many messages are in the groups."""
        return sum(each.count for each in self.groups)


def group_messages(
    kit: Toolkit,
    name: str | None = None,
    selection: Selection | None = None,
    *,
    by: str = "reason",
    limit: int | None = None,
) -> Groups:
    """Return the selected messages of the whole queue in groups; `by` is reason, source, attr:NAME or JMESPath.

    Messages that have no such attribute, or for which the expression is null or cannot be evaluated, are a group of
    their own. Raises UsageError that points at the character where `by` is wrong, before anything is received, and
    what `locate` raises.
    """
    grouping = grouping_of(by)
    dlq = locate(kit, name)
    found = tally_messages(kit, dlq, selection or Selection(), grouping, limit=limit)
    received = found.counts.received
    notes = [f"looking added 1 to the receive count of {received} messages"] if received else []
    return Groups(
        dlq=dlq,
        grouping=grouping,
        groups=grouped(found.members, by_reason=isinstance(grouping, ByReason)),
        counts=found.counts,
        asked=kit.log_reading.wanted,
        missing_ids=found.missing_ids,
        partial=found.partial,
        notes=(*notes, *found.notes),
    )
