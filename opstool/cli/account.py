"""A plan before it is carried out, and the report after it, as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from opstool.cli import words
from opstool.cli.difference import difference_lines
from opstool.cli.errors import DONE, PARTIAL, report_status
from opstool.cli.invocation import Invocation
from opstool.cli.outcome import outcome_hint, outcome_lines
from opstool.cli.screen import safe, start_of
from opstool.words.document import expires_at_ms
from opstool.words.plan import Plan
from opstool.words.report import SET_ASIDE, Failure, Report, Status, Tally

_WOULD = {
    "redrive": "would send",
    "import": "would send",
    "send-test-batch": "would send",
    "purge": "would archive and delete",
}
_DID = {"redrive": "sent", "import": "sent", "send-test-batch": "sent", "purge": "deleted", "export": "wrote"}
_IDS_SHOWN = 5
_SAMPLE_COLUMNS = 60


class Changes(Protocol):
    """What a verb's `prepare` returns: a plan that can be carried out once, and what planning has seen."""

    @property
    def plan(self) -> Plan:
        """Return what would be done."""

    @property
    def tally(self) -> Tally:
        """Return the counts as they grow."""

    @property
    def partial(self) -> bool:
        """Tell whether planning could not see everything."""

    def execute(self, *, note: str | None = None) -> Report:
        """Carry the plan out."""


def show_plan(call: Invocation, plan: Plan) -> None:
    """Say on stderr what would be done."""
    for line in _plan_lines(plan, call.now_ms):
        call.notices.note(line)


def _plan_lines(plan: Plan, now_ms: int) -> Iterator[str]:
    would = "would delete" if plan.verb == "purge" and plan.target == "nothing" else _WOULD[plan.verb]
    yield f"{would} {words.count(plan.count, 'message', exact=plan.exact)}"
    if plan.verb in {"redrive", "purge"}:
        yield f"  from      {plan.queue.name}"
    yield f"  to        {safe(plan.target)}"
    if plan.selection.text:
        yield f"  selected  {safe(plan.selection.text)}"
    if plan.limit is not None:
        yield f"  limit     {plan.limit:,}"
    yield from (f"  {safe(name):8}  {safe(text)}" for name, text in plan.facts.items())
    if plan.count:
        yield f"  price     approximately {words.count(plan.requests, 'request')}, {words.money(plan.cost_usd)}"
    for position, sample in enumerate(plan.samples):
        left = words.until((expires_at_ms(sample, plan.retention_s) - now_ms) / 1000)
        expiry = f"expires in {left}  " if plan.retention_s else ""
        shown = f"{safe(sample.message_id)}  {expiry}{start_of(sample.body, _SAMPLE_COLUMNS)}"
        yield f"  {'' if position else 'samples':8}  {shown}"
    yield from difference_lines(plan.changes)
    for note in plan.notes:
        yield f"  note      {safe(note)}"
    if plan.irreversible and plan.count:
        yield f"  no undo   {safe(plan.irreversible)}"


def end_dry_run(call: Invocation, changes: Changes) -> int:
    """Say that this was all; with JSON the plan is the data."""
    if call.output.is_text:
        for line in _failure_lines(changes.tally.failures()):
            call.notices.note(line)
        call.notices.note("dry run: nothing was changed")
    else:
        call.output.document(changes.plan.document())
    return PARTIAL if changes.tally.failures() or changes.partial else DONE


def nothing_to_do(call: Invocation, changes: Changes) -> Report:
    """Return the account of a plan without messages: it is not carried out, so it is no run."""
    plan, failures = changes.plan, changes.tally.failures()
    return Report(
        run_id=None,
        verb=plan.verb,
        queue=plan.queue.name,
        target=plan.target,
        status=Status.PARTIAL if failures or changes.partial else Status.DONE,
        counts=changes.tally.counts(),
        requests=call.kit.sqs.requests,
        failures=failures,
        notes=plan.notes,
    )


def show_report(call: Invocation, report: Report, *, said: Sequence[str] = ()) -> int:
    """Write the report to stdout and return its exit status; its notes, but for those `said`, go to stderr."""
    status = report_status(report, interrupted=call.kit.stop.is_set())
    if call.output.is_text:
        show_notes(call, report, said=said)
        for line in report_lines(report):
            call.output.line(line)
        _hint(call, report)
    else:
        call.output.document(report.document())
    return status


def show_notes(call: Invocation, report: Report, *, said: Sequence[str] = ()) -> None:
    """Say on stderr what a run or a look could not see, or could not leave as it was; not again what was `said`."""
    for note in report.notes:
        if note not in said:
            call.notices.note(f"note: {safe(note)}")


def report_lines(report: Report) -> Iterator[str]:
    """Yield the report as text: what was done, what was not and why, what it took."""
    counts = report.counts
    did = "archived and deleted" if report.verb == "purge" and report.archive else _DID.get(report.verb, report.verb)
    if report.run_id is None and report.verb != "export":
        yield f'nothing to do: no messages of "{report.queue}" are meant'
    elif report.status is Status.DETACHED:
        yield f"started a move task {_way(report)}; it goes on in SQS"
    else:
        number = words.count(counts.succeeded, "message", exact=report.engine == "client")
        yield f"{did} {number} {_way(report)} in {words.elapsed(report.seconds)}"
    others = {
        "failed": counts.failed,
        "returned (sent, and dead again)": counts.returned,
        "skipped": counts.skipped,
        "released undecided": counts.released,
    }
    yield from (f"  {number:,} {name}" for name, number in others.items() if number)
    if report.possibly_sent_twice_ids:
        yield f"  {report.possibly_sent_twice:,} possibly sent twice{_named(report.possibly_sent_twice_ids)}"
    yield from _failure_lines(report.failures)
    yield from outcome_lines(report)
    if report.archive and counts.succeeded:
        yield f"  archive   {safe(report.archive)}"
    if report.undo:
        yield f"  undo      {safe(report.undo)}"
    yield f"  price     {words.count(report.requests, 'request')}, {words.money(report.cost_usd)}"
    if report.run_id:
        yield f"  run       {report.run_id}, {report.status.value}"


def _way(report: Report) -> str:
    """Return from where to where, as far as the verb has both."""
    target = safe(report.target or "")
    if report.verb in {"purge", "export"}:
        return f'of "{report.queue}"'
    if report.verb == "redrive":
        return f'from "{report.queue}" to {target}'
    return f'to "{target}"'


def _failure_lines(failures: tuple[Failure, ...]) -> Iterator[str]:
    for each in failures:
        yield f"  {each.code}: {safe(each.message)}{_named(each.message_ids)}"


def _named(message_ids: Sequence[str]) -> str:
    """Return the first of the ids after a colon, and how many more there are; nothing when there is none."""
    ids = ", ".join(safe(each) for each in message_ids[:_IDS_SHOWN])
    more = len(message_ids) - _IDS_SHOWN
    return f": {ids}{f' and {more:,} more' if more > 0 else ''}" if ids else ""


def _can_go_on(report: Report) -> bool:
    """Tell whether a resume would find something to do: not where the rest was set aside on purpose."""
    if report.run_id is None or report.verb == "send-test-batch":
        return False
    only_set_aside = bool(report.failures) and {each.code for each in report.failures} <= SET_ASIDE
    rest = report.counts.released or report.error_code or not only_set_aside
    return report.status is Status.INTERRUPTED or (report.status is Status.PARTIAL and bool(rest))


def _hint(call: Invocation, report: Report) -> None:
    """Say what one might run next."""
    program = call.frame.program
    if hint := outcome_hint(report, program):
        call.notices.note(f"\nhint: {hint}")
    elif report.engine == "native":  # nobody can resume it
        if report.status not in {Status.DONE, Status.DETACHED}:
            call.notices.note(f"\nhint: {program} dlq move-tasks {report.queue} tells how it stands")
    elif _can_go_on(report):
        call.notices.note(f"\nhint: {program} resume {report.run_id}")
    elif report.verb == "import" and report.counts.skipped:
        call.notices.note("\nhint: what was imported from an archive before is skipped; --again sends it once more")
