"""The doctor's findings as people read them: what failed first, each unreadable thing once, passes summed up."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from opstool.cli.fixing import Paste
from opstool.cli.notices import BOLD, RED, YELLOW
from opstool.cli.screen import safe, start_of
from opstool.cli.words import count
from opstool.verbs.doctor import Diagnosis
from opstool.words.check import Check, CheckStatus

Paint = Callable[[str, str], str]

_LABEL = 8
_NARROWEST = 40
_LONGEST_REASON = 160
"""What is shown of a reason without -v: that of a permission lists every action, and then says what is in the way."""


def lines_of(
    diagnosis: Diagnosis, paste: Paste, *, width: int | None, paint: Paint, passes: bool = False
) -> Iterator[str]:
    """Yield the findings, failed first; with `passes` those that passed one by one."""
    for alike in _alike(diagnosis.failed):
        yield from _failed(alike, paste, width, paint)
        yield ""
    unknown = _those(diagnosis, CheckStatus.UNKNOWN)
    yield from _unknown(unknown, width, paint, most=None if passes else _LONGEST_REASON)
    yield from _short("asked", _those(diagnosis, CheckStatus.ASKED), width, paint)
    yield from _short("skipped", _those(diagnosis, CheckStatus.SKIPPED), width, paint)
    if passes:
        yield from _short("passed", _those(diagnosis, CheckStatus.PASSED), width, paint)
    yield summary(diagnosis)


def summary(diagnosis: Diagnosis) -> str:
    """Return how many checks ended in each way, on one line."""
    counted = ", ".join(f"{number} {status}" for status, number in diagnosis.counts.items() if number)
    return f"{count(len(diagnosis.checks), 'check')} of {diagnosis.queue.name}: {counted}"


def _those(diagnosis: Diagnosis, status: CheckStatus) -> list[Check]:
    return [each for each in diagnosis.checks if each.status is status]


def _alike(checks: Sequence[Check]) -> list[list[Check]]:
    """Return the checks that found the same of the same thing together: one missing permission is said once."""
    groups: dict[tuple[object, ...], list[Check]] = {}
    for each in checks:
        groups.setdefault((each.subject, each.found, each.wanted, each.fix), []).append(each)
    return list(groups.values())


def _failed(alike: Sequence[Check], paste: Paste, width: int | None, paint: Paint) -> Iterator[str]:
    check = alike[0]
    codes = ", ".join(paint(each.code, BOLD) for each in alike)
    yield f"{paint('failed', RED)}  {codes}: {safe(check.subject)}"
    why = "; ".join(each.why for each in alike)
    for label, text in (("found", check.found), ("wanted", check.wanted), ("why", why)):
        yield from _labelled(label, text, width)
    for place, line in enumerate(_fix(check, paste)):
        yield f"  {'' if place else 'fix':{_LABEL}}{line}"  # never wrapped: it is there to be pasted
    for place, each in enumerate(alike):
        yield f"  {'' if place else 'page':{_LABEL}}{each.page}"


def _fix(check: Check, paste: Paste) -> list[str]:
    """Return the commands; where there is none, the lines for the template."""
    return paste.lines(check) or [safe(line) for line in (check.fix.template if check.fix else ())]


def _labelled(label: str, text: str, width: int | None) -> Iterator[str]:
    for place, line in enumerate(_wrapped(safe(text), None if width is None else width - _LABEL - 2)):
        yield f"  {'' if place else label:{_LABEL}}{line}"


def _unknown(checks: Sequence[Check], width: int | None, paint: Paint, *, most: int | None) -> Iterator[str]:
    """Yield each reason once, with the codes that it leaves open."""
    codes_of: dict[str, list[str]] = {}
    for each in checks:
        codes = codes_of.setdefault(each.found if most is None else _shortened(each.found, most), [])
        codes.extend([] if each.code in codes else [each.code])
    for reason, codes in codes_of.items():
        yield f"{paint('unknown', YELLOW)} {', '.join(codes)}"
        yield from _labelled("", reason, width)
        yield ""


def _shortened(reason: str, most: int) -> str:
    """Return a reason that is not too long: of a list of actions only the remark behind it, which is their reason."""
    _, opened, remark = reason.partition(" (")
    if len(reason) > most and opened and remark.endswith(")"):
        return f"{start_of(remark.removesuffix(')'), most)}; -v names the actions"
    return start_of(reason, most)


def _short(word: str, checks: Sequence[Check], width: int | None, paint: Paint) -> Iterator[str]:
    style = YELLOW if word == "asked" else "2"
    for check in checks:
        yield f"{paint(f'{word:7}', style)} {check.code}: {safe(check.subject)}"
        yield from _labelled("", check.found, width)
    if checks:
        yield ""


def _wrapped(text: str, width: int | None) -> list[str]:
    if width is None:
        return [text]
    return textwrap.wrap(text, max(width, _NARROWEST), break_on_hyphens=False) or [""]
