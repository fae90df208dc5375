"""How long a consumer will need for what a redrive sends, what that would run into, and which `--rate` would not.

Arithmetic over what engine/forecast.py has read; sentences for the plan. Everything sent at once is the worst case, and
what is assumed without a rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from opstool.words.alarm import AGE, DEPTH, Alarm
from opstool.words.consumer import FIRST_AT_ONCE, Consumer, Consumption

WORD = "consumer"
"""The word under which a plan states it."""
_COPIES = 10
"""Copies of a function that a suggested rate keeps busy, where nothing bounds them."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a plan can say of the consumer: facts under a word, and warnings."""

    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def how_long(where: Consumption, messages: int, rate: float | None) -> str:
    """Return the sentence: how long, for how many, and on which basis."""
    needed_s = where.seconds_for(messages)
    about = "about" if where.is_measured and where.is_bounded else "at most"
    basis = "; ".join(_basis(each) for each in where.consumers)
    if where.depth:
        basis += f"; approximately {where.depth:,} wait there already"
    if where.queue.is_fifo:
        basis += "; longer with fewer message groups than that"
    if rate is not None and messages / rate > needed_s:
        sent_s = messages / rate
        return f"about {span(sent_s)} for {messages:,} messages at --rate {rate:g} ({about} {span(needed_s)}: {basis})"
    slowest_s = _if_all_are_slow(where, messages)
    slowest = f", {span(slowest_s)} if each batch were as slow as the slowest" if slowest_s > 2 * needed_s else ""
    return f"{about} {span(needed_s)} for {messages:,} messages{slowest} ({basis})"


def _basis(consumer: Consumer) -> str:
    at_once = f"{consumer.starts_at_once} at once"
    if consumer.at_once is None:
        at_once += ", and Lambda adds more"
    each = f"{at_once}, {consumer.batch_s:.2g} s a batch of {consumer.batch_size}"
    return each if consumer.measured else f"{each}: the timeout of {consumer.function}, no duration is known"


def _if_all_are_slow(where: Consumption, messages: int) -> float:
    longest = (each.measured.longest_s / each.batch_s for each in where.consumers if each.measured)
    return where.seconds_for(messages) * max(longest, default=1.0)


def warnings(where: Consumption, messages: int, rate: float | None, alarms: Sequence[Alarm]) -> tuple[str, ...]:
    """Return what the plan should warn of at this queue."""
    name = where.queue.name
    if not where.consumers:
        if not where.disabled:
            return ()
        off = ", ".join(where.disabled)
        return (f'the consumer of "{name}" is switched off ({off}): messages will wait there',)
    notes = []
    if not where.is_bounded and messages > FIRST_AT_ONCE * max(each.batch_size for each in where.consumers):
        gentle = _round_down(_COPIES * sum(each.batch_size / each.batch_s for each in where.consumers))
        if rate is None or rate > gentle:
            notes.append(
                f"nothing bounds how many copies of {where.consumers[0].function} run at once: the redrive may take "
                f"the account's concurrency; --rate {gentle:g} keeps about {_COPIES} busy"
            )
    wait_s = _longest_wait_s(where, messages, rate)
    if where.retention_s is not None and wait_s > where.retention_s:
        notes.append(
            f'messages may expire in "{name}" before its consumer is through: it keeps them for '
            f"{span(where.retention_s)}{_advice(where.pace)}"
        )
    notes += [_alarm(where, messages, rate, each) for each in alarms if _rings(where, messages, rate, each)]
    return tuple(notes)


def _longest_wait_s(where: Consumption, messages: int, rate: float | None) -> float:
    """Return how long the last message waits: the time for all, less that in which they were sent."""
    return max(0.0, where.seconds_for(messages) - (messages / rate if rate else 0.0))


def _peak(where: Consumption, messages: int, rate: float | None) -> float:
    """Return how many messages wait at most: what was sent and not consumed meanwhile."""
    left = 1.0 if rate is None else max(0.0, 1 - where.pace / rate)
    return (where.depth or 0) + messages * left


def _rings(where: Consumption, messages: int, rate: float | None, alarm: Alarm) -> bool:
    """Tell whether an alarm would go off: its value is passed, and for as long as its datapoints ask."""
    if alarm.threshold is None or alarm.is_math or not alarm.is_above:
        return False
    wait_s = _longest_wait_s(where, messages, rate)
    if alarm.watches(DEPTH, where.queue.name):
        peak = _peak(where, messages, rate)
        above_s = (peak - alarm.threshold) / where.pace
        passed = peak > alarm.threshold
    elif alarm.watches(AGE, where.queue.name):
        above_s = wait_s - alarm.threshold
        passed = wait_s > alarm.threshold
    else:
        return False
    # The highest of a period is seen wherever in it it was; of an average the whole period has to be above.
    periods = alarm.datapoints - (1 if alarm.statistic == "Maximum" else 0)
    return passed and above_s >= periods * alarm.period_s


def _alarm(where: Consumption, messages: int, rate: float | None, alarm: Alarm) -> str:
    name, threshold = where.queue.name, alarm.threshold or 0.0
    would = "would" if where.is_measured and where.is_bounded else "may"
    if alarm.watches(DEPTH, name):
        what = f'{_peak(where, messages, rate):,.0f} messages in "{name}", above {threshold:,.0f}'
    else:
        waits = _longest_wait_s(where, messages, rate)
        what = f'the oldest message in "{name}" {span(waits)} old, above {span(threshold)}'
    return f"the alarm {alarm.name} {would} go off: {what}{_advice(_rate_below(where, alarm))}"


def _rate_below(where: Consumption, alarm: Alarm) -> float:
    """Return a rate at which nothing piles up, so that the alarm is not passed; 0 where none helps."""
    threshold = alarm.threshold or 0.0
    if alarm.watches(DEPTH, where.queue.name):
        room = threshold - (where.depth or 0)
        return min(where.pace, room) if room > 1 else 0.0  # what a second brings may all be seen waiting
    return where.pace if (where.depth or 0) / where.pace < threshold else 0.0


def _advice(rate: float) -> str:
    """Return which rate would do, a tenth less so that it surely does; nothing where there is none."""
    return f"; --rate {_round_down(0.9 * rate):g} avoids it" if rate > 0 else ""


def _round_down(rate: float) -> float:
    """Return a rate with two digits, not above the given one."""
    if rate <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return float(f"{math.floor(rate / unit + 1e-9) * unit:.12g}")


def span(seconds: float) -> str:
    """Return a duration as people say it: its two largest units, rounded up to a second."""
    left = max(1, math.ceil(seconds - 1e-9))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number or parts:
            parts.append(f"{number}{unit}")
    return " ".join(part for part in parts[:2] if part[0] != "0")
