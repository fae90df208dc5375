"""What planning does with a mending: every message that is meant is mended once, to see whether it can be, and how.

Nothing is kept of it but the difference of a few: the run mends again, each message when it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from opstool.doors.toolkit import Toolkit
from opstool.engine.hold import Hold
from opstool.engine.lease import Lease
from opstool.engine.survey import unless_stopped
from opstool.words.bodydiff import Change, change_of
from opstool.words.errors import RefusedError
from opstool.words.mending import Mending, NotMended
from opstool.words.message import Message
from opstool.words.plan import Plan
from opstool.words.queue import Queue
from opstool.words.report import Outcome
from opstool.words.undo import undo_command

NOT_MENDED, NOTHING_MENDED = "not_mended", "nothing_mended"
_CHANGES_SHOWN = 3
_OVERTAKEN = "a message before it in its group cannot be mended, and must not be overtaken"


@dataclass(kw_only=True)
class MendedPlan:
    """The mending of a plan: `changes` are the first few differences, `unchanged` counts what is right already."""

    mending: Mending
    originals: Path
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0

    @classmethod
    def of(cls, kit: Toolkit, queue: Queue, run_id: str, mending: Mending | None) -> Self | None:
        """Return the mending of a new run over a queue; None where nothing is mended.

        The originals go to a new file in the state directory; whoever resumes may stand in another folder.
        """
        if mending is None:
            return None
        file = kit.state_dir / "archives" / f"{queue.name}-{run_id}-originals.jsonl.gz"
        return cls(mending=mending, originals=file.absolute())

    def set_aside(self, kit: Toolkit, hold: Hold, leases: list[Lease], *, in_order: bool) -> list[Lease]:
        """Return those that can be sent, mended or right already; the others are named in the tally, and only held.

        With `in_order` nothing of a group follows a message that cannot be mended. Raises RefusedError when nothing
        would be changed, and InterruptedRunError.
        """
        kept: list[Lease] = []
        stopped: set[str | None] = set()
        for lease in leases:
            unless_stopped(kit)
            message = lease.content
            why = _OVERTAKEN if message.group_id in stopped else self._problem(message)
            if why is None:
                kept.append(lease)
                continue
            if in_order and message.group_id is not None:
                stopped.add(message.group_id)
            hold.tally.decide([lease.message_id], Outcome.SKIPPED)
            hold.tally.name(NOT_MENDED, why, [lease.message_id])
            lease.forget_body()
        if kept and not self.changes:
            raise RefusedError(
                f"this changes nothing in any message that is meant: {self.mending.text}",
                code=NOTHING_MENDED,
                hint="opstool dlq show ID shows a body; without a mending the messages are sent as they are",
            )
        return kept

    def _problem(self, message: Message) -> str | None:
        """Return why a message cannot be mended; when it can be, note what it becomes."""
        mended = self.mending.apply(message)
        if isinstance(mended, NotMended):
            return mended.why
        if mended is message:
            self.unchanged += 1
        elif len(self.changes) < _CHANGES_SHOWN:
            self.changes.append(change_of(message.message_id, message.body, mended.body))
        return None

    def options(self) -> dict[str, Any]:
        """Return what the plan of a run keeps of it, for whoever resumes."""
        return {"mending": self.mending.to_json(), "archive": str(self.originals)}

    def shown_in(self, plan: Plan, program: str) -> Plan:
        """Return the plan with what a person should know before saying yes; `program` begins a command."""
        undo = undo_command(program, str(self.originals))
        notes = [f"each original is archived before its copy is sent; `{undo}` puts them into this queue again"]
        if self.unchanged:
            notes.append(f"{self.unchanged} of the messages would not change, and are sent as they are")
        facts = {"mending": self.mending.text, "archive": str(self.originals)}
        return replace(plan, facts={**plan.facts, **facts}, notes=(*plan.notes, *notes), changes=tuple(self.changes))
