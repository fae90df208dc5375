"""What the stateful tests choose to act on, and what a plan has made of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from opstool.doors.journal import Journal
from opstool.engine.run import Run
from opstool.fake.stored import StoredMessage
from opstool.verbs import importing, testbatch
from opstool.words.filters import Selection
from opstool.words.times import CLOCKS_AGREE_MS
from tests.properties.account import Account
from tests.properties.checks import Wanted
from tests.properties.ledger import Act

DAY_S = 86_400
AnyRun = Run | importing.Import | testbatch.TestBatch
EVERYTHING = Wanted(selects=lambda _: True)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A selection, and what it means."""

    selection: Selection
    selects: Callable[[StoredMessage], bool]


def choose(account: Account, known: list[str], data: st.DataObject) -> Choice:
    """Choose messages: all of them, or by id, body, source, or age."""
    kind = data.draw(st.sampled_from(["everything", "everything", "ids", "body", "source", "age"]))
    if kind == "ids":
        known = [*known, "00000000-0000-0000-0000-000000000000"]
        ids = frozenset(known[each % len(known)] for each in data.draw(st.lists(st.integers(0, 20), min_size=1)))
        return Choice(selection=Selection(ids=ids), selects=lambda each: each.message_id in ids)
    if kind == "body":
        return Choice(selection=Selection(body_contains="same"), selects=lambda each: "same" in each.body)
    if kind == "source":
        arn = account.queues["orders"].arn
        return Choice(selection=Selection(source=arn), selects=lambda each: _source_of(account, each) == arn)
    if kind == "age":
        moment = account.now_ms - 1_000 * data.draw(st.sampled_from([0, 60, DAY_S]))
        return Choice(selection=Selection(sent_before_ms=moment), selects=lambda each: each.sent_at_ms < moment)
    return Choice(selection=Selection(), selects=lambda _: True)


def _source_of(account: Account, message: StoredMessage) -> str | None:
    """Return the queue that a message died in: as SQS says, and of one that an import has sent, as the journal says."""
    if message.source_arn is not None or not account.ledger.journal.exists():
        return message.source_arn
    journal = Journal(account.ledger.journal, account.clock)
    try:
        return journal.sources_of([message.message_id]).get(message.message_id)
    finally:
        journal.close()


def frozen(run: AnyRun, wanted: Wanted) -> Wanted:
    """Return what a run is to do, as its plan has frozen it."""
    plan = run.plan
    if plan.verb not in {"redrive", "purge"}:
        return wanted
    selects, ids, sent_before_ms = wanted.selects, plan.ids, plan.sent_before_ms
    if ids is not None:
        return replace(wanted, selects=lambda each: each.message_id in ids and selects(each))
    # What was there before the plan may bear a time just after it: SQS's clock is not ours.
    late_ms = math.inf if sent_before_ms is None else sent_before_ms + CLOCKS_AGREE_MS
    return replace(wanted, selects=lambda each: each.sent_at_ms <= late_ms, sent_before_ms=sent_before_ms)


def act_of(run: AnyRun) -> Act:
    """Return what the books have to know of a run."""
    plan: Any = run.plan
    options = plan.options
    file = options.get("archive") if plan.verb == "purge" else options.get("file")
    return Act(
        run_id=plan.run_id,
        verb=plan.verb,
        archive=Path(file) if file else None,
        keeps_nothing=plan.verb == "purge" and file is None,
        target=options.get("to"),
        again=options.get("again", ""),
    )
