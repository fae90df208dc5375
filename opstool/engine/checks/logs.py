"""Whether the log still tells why, for as long as a message is dead."""

from __future__ import annotations

from collections.abc import Iterator

from opstool.engine.checks.scene import Scene, Unread
from opstool.words.check import Check, Fix, Rule
from opstool.words.function import Function
from opstool.words.loggroup import LogGroup

_DAY_S = 86_400
_LONG_ENOUGH_DAYS = 30
"""The first retention that CloudWatch Logs takes above SQS's longest of 14 days:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

RETENTION = Rule(
    code="log_retention_short",
    title="the log outlives the messages in the DLQ",
    why="only the log tells why a message died, and a message without a reason cannot be judged",
)
LEVEL = Rule(
    code="log_level_hides",
    title="the log level lets failures through",
    why="Lambda drops lines below the level before they reach the log, and the message seems to have died of nothing",
)


def outlives(scene: Scene) -> Iterator[Check]:
    """Compare the retention of each function's log group with that of the DLQ."""
    yield from (RETENTION.unknown(*gap) for gap in scene.gaps(functions=True))
    needed_days = -(-scene.attributes.retention_s // _DAY_S)
    for name in dict.fromkeys(each.log_group for each in scene.known_functions()):
        group = scene.log_groups.get(name, Unread(reason="it was not read"))
        if isinstance(group, Unread):
            yield _unread(name, group)
        elif group.retention_days is None:
            yield RETENTION.passed(name, "it never expires")
        elif group.retention_days >= needed_days:
            yield RETENTION.passed(name, f"{group.retention_days} days; the DLQ keeps messages for {needed_days}")
        else:
            yield _short(group, needed_days)


def _unread(name: str, group: Unread) -> Check:
    if group.is_missing:
        return RETENTION.asked(
            name, "the log group does not exist: has the function never run, or may it not write one?"
        )
    return RETENTION.unknown(name, group.reason)


def _short(group: LogGroup, needed_days: int) -> Check:
    words = ("--log-group-name", group.name, "--retention-in-days", str(_LONG_ENOUGH_DAYS))
    fix = Fix(
        commands=(("aws", "logs", "put-retention-policy", *words),),
        template=(f"RetentionInDays: {_LONG_ENOUGH_DAYS} # of the log group",),
    )
    found = f"{group.retention_days} days; the DLQ keeps messages for {needed_days}"
    return RETENTION.failed(group.name, found, wanted=f"{needed_days} days or more", fix=fix)


def level(scene: Scene) -> Iterator[Check]:
    """Check that neither the function's errors nor Lambda's own reports of failures are filtered out.

    A SystemLogLevel of WARN keeps the reports of timeouts and crashes, which are of that level, and drops the starts:
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    yield from (LEVEL.unknown(*gap) for gap in scene.gaps(functions=True))
    for function in scene.known_functions():
        if function.log_format != "JSON":
            yield LEVEL.passed(function.name, "plain text, which is not filtered")
        elif function.application_log_level == "FATAL":
            yield LEVEL.failed(
                function.name, "ApplicationLogLevel FATAL", wanted="ERROR or more detail", fix=_errors(function)
            )
        else:
            levels = f"ApplicationLogLevel {function.application_log_level or 'INFO'}"
            yield LEVEL.passed(function.name, f"{levels}, SystemLogLevel {function.system_log_level or 'INFO'}")


def _errors(function: Function) -> Fix:
    system = function.system_log_level or "INFO"
    config = f"LogFormat=JSON,ApplicationLogLevel=ERROR,SystemLogLevel={system},LogGroup={function.log_group}"
    words = ("--function-name", function.name, "--logging-config", config)
    return Fix(
        commands=(("aws", "lambda", "update-function-configuration", *words),),
        template=("LoggingConfig: # of the function", "  ApplicationLogLevel: ERROR"),
    )
