"""The checks of the doctor: small functions of a scene, one file a subject, all of them in CHECKS.

A check yields one `Check` for each thing that it judged, and nothing where there is nothing to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opstool.engine.checks import (
    alarms,
    allowing,
    encryption,
    functions,
    keys,
    logs,
    mapping,
    redriving,
    retention,
)
from opstool.engine.checks.scene import Scene
from opstool.words.check import Check, Rule

CHECKS: tuple[Callable[[Scene], Iterator[Check]], ...] = (
    retention.longer_than_source,
    retention.expire_soon,
    redriving.used,
    redriving.receives,
    redriving.ends,
    redriving.same_type,
    redriving.same_place,
    allowing.named,
    allowing.allowed,
    mapping.consumed,
    mapping.enabled,
    mapping.single,
    mapping.partial_responses,
    mapping.filters,
    mapping.dlq_alone,
    functions.visibility,
    functions.batch_time,
    functions.function_dlq,
    functions.idempotency,
    logs.outlives,
    logs.level,
    alarms.watched,
    alarms.metric,
    alarms.missing_data,
    alarms.told,
    alarms.actions,
    encryption.encrypted,
    encryption.over_tls,
    keys.usable,
    keys.senders,
    keys.reuse,
)
"""Every check, in the order in which they are shown: the loss of messages first."""

RULES: tuple[Rule, ...] = (
    retention.RETENTION,
    retention.EXPIRY,
    redriving.USED,
    redriving.RECEIVES,
    redriving.ENDS,
    redriving.TYPE,
    redriving.PLACE,
    allowing.OPEN,
    allowing.BLOCKS,
    mapping.CONSUMED,
    mapping.ENABLED,
    mapping.SINGLE,
    mapping.PARTIAL,
    mapping.FILTERS,
    mapping.ALONE,
    functions.VISIBILITY,
    functions.BATCH_TIME,
    functions.FUNCTION_DLQ,
    functions.IDEMPOTENCY,
    logs.RETENTION,
    logs.LEVEL,
    alarms.WATCHED,
    alarms.METRIC,
    alarms.MISSING_DATA,
    alarms.TOLD,
    alarms.ACTIONS,
    encryption.ENCRYPTED,
    encryption.TLS,
    keys.USABLE,
    keys.SENDERS,
    keys.REUSE,
)
"""The rule of each check, in the same order; docs/doctor.md has a section for each."""


def examine(scene: Scene) -> list[Check]:
    """Return the outcome of every check on this scene."""
    return [found for check in CHECKS for found in check(scene)]
