"""Tell for each verb whether the caller may do it: try what only reads, simulate the rest, say what is not known.

One action on one resource is asked about once, however many verbs need it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from opstool.doors.access import READABLE, Access
from opstool.doors.toolkit import Toolkit
from opstool.engine.access.probe import probe
from opstool.engine.access.resources import Surroundings, look_around, look_at_queues
from opstool.engine.access.simulate import simulate
from opstool.words.check import Check, Fix, Rule
from opstool.words.errors import OpstoolError
from opstool.words.iam.access import Finding, Permission, Verdict
from opstool.words.iam.iampolicy import Resources
from opstool.words.iam.permissions import MOVE_TASK, VERBS, Kind, Need
from opstool.words.queue import Queue

RULES = {
    verb: Rule(code=f"permission_{verb}", title=title, why=why)
    for verb, title, why in (
        ("list", "you may look at the messages", "without it nobody sees what is in the dead-letter queue"),
        ("reasons", "you may read why they died", "without it messages are listed without their reasons"),
        ("redrive", "you may redrive", "sent and not deleted, a message would be in both queues"),
        ("purge", "you may purge", "archived and not deleted, everything stays in the queue"),
        ("import", "you may import", "an import is the undo of a purge"),
        ("extend", "you may raise the retention", "it is what saves messages that are about to expire"),
        ("pause", "you may pause the consumer", "it is what stops a consumer that kills every message it gets"),
        ("doctor", "you may read what the doctor examines", "what may not be read is not checked"),
    )
}
EXAMINED = tuple(RULES)
"""The verbs that have a check of their own, in its order: `permission_` and the name is its code."""
_NOT_EXAMINED = {Kind.IDENTITY}
"""What only makes the examination better: whoever may not simulate is no worse a doctor for it."""
_MOST_NAMED = 10
"""Permissions that one check names; the statement of its fix has all of them."""


def examine(kit: Toolkit, dlq: Queue, sources: Sequence[Queue], *, verbs: Sequence[str] = EXAMINED) -> Sequence[Check]:
    """Return one check for each verb, on the resources around this dead-letter queue.

    It fails when an action is known to be denied, and names it with its resource; it is unknown when the rest cannot
    be told. Only reading calls are made. Raises AccessError when there are no credentials at all.
    """
    around = look_around(kit, dlq, sources)
    needed = {name: _permissions(VERBS[name].needs, around.resources) for name in verbs}
    findings = _find(kit, dlq, around, dict.fromkeys(each for found in needed.values() for each in found))
    return [_check(name, dlq, needed[name], findings) for name in verbs]


def examine_move_task(
    kit: Toolkit, dlq: Queue, sources: Sequence[Queue], *, to: Queue | None = None
) -> dict[Permission, Finding]:
    """Return what is found of each permission that a move task needs; without one it fails after it has started.

    Only reading calls are made. Raises AccessError when there are no credentials at all.
    """
    around = look_at_queues(kit, dlq, sources, to=to)
    return _find(kit, dlq, around, _permissions(MOVE_TASK, around.resources))


def _permissions(needs: Iterable[Need], resources: Resources) -> list[Permission]:
    return list(
        dict.fromkeys(
            Permission(action=need.action, resource=arn)
            for need in needs
            if need.on not in _NOT_EXAMINED
            for arn in resources.of(need.on)
        )
    )


def _find(
    kit: Toolkit, dlq: Queue, around: Surroundings, permissions: Iterable[Permission]
) -> dict[Permission, Finding]:
    """Return a finding for each permission: tried, else simulated; of a pattern nothing can be told."""
    access = Access(kit.ask)
    known = [each for each in permissions if each.resource not in around.resources.patterns]
    found = probe(access, [each for each in known if each.action in READABLE], around.urls)
    rest = [each for each in known if each not in found]
    try:
        caller = access.caller()
    except OpstoolError as error:
        unknown = Finding(verdict=Verdict.UNKNOWN, reason=f"who calls is not known: {error.message}")
        return found | dict.fromkeys(rest, unknown)
    simulated = simulate(
        access,
        caller,
        rest,
        queue_policies=around.queue_policies,
        unread_policies=around.unread_policies,
        region=dlq.region,
    )
    return found | simulated


def _check(verb: str, dlq: Queue, needed: Sequence[Permission], findings: Mapping[Permission, Finding]) -> Check:
    rule = RULES[verb]
    not_found = Finding(verdict=Verdict.UNKNOWN, reason="which one that is could not be read")
    of = {each: findings.get(each, not_found) for each in needed}
    denied = [each for each in needed if of[each].verdict is Verdict.DENIED]
    unknown = [each for each in needed if of[each].verdict is Verdict.UNKNOWN]
    if denied:
        mendable = [each for each in denied if not of[each].is_final]
        fix = Fix(template=_statement(mendable)) if mendable else None
        return rule.failed(dlq.name, named(denied, of), wanted="; ".join(map(str, denied)), fix=fix)
    if unknown:
        return rule.unknown(dlq.name, named(unknown, of))
    return rule.passed(dlq.name, f"{len(needed)} actions are allowed")


def named(permissions: Sequence[Permission], of: Mapping[Permission, Finding]) -> str:
    """Return the permissions as people read them, those with the same reason together."""
    by_reason: dict[str, list[str]] = {}
    for each in permissions[:_MOST_NAMED]:
        by_reason.setdefault(of[each].reason, []).append(str(each))
    texts = [f"{', '.join(named)} ({reason})" for reason, named in by_reason.items()]
    more = len(permissions) - _MOST_NAMED
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


def _statement(denied: Sequence[Permission]) -> tuple[str, ...]:
    """Return the lines of the statement that allows what is denied, as JSON; of a list of them where one is too few."""
    by_resource: dict[str, list[str]] = {}
    for each in denied:
        by_resource.setdefault(each.resource, []).append(each.action)
    by_actions: dict[tuple[str, ...], list[str]] = {}
    for resource, actions in by_resource.items():
        by_actions.setdefault(tuple(sorted(actions)), []).append(resource)
    found = [
        {"Effect": "Allow", "Action": list(actions), "Resource": sorted(where)} for actions, where in by_actions.items()
    ]
    return tuple(json.dumps(found[0] if len(found) == 1 else found, indent=2).splitlines())
