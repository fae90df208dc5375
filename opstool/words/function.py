"""The consumer of a queue as Lambda knows it: the event source mapping, and the function that it feeds."""

from __future__ import annotations

from dataclasses import dataclass

PARTIAL_RESPONSES = "ReportBatchItemFailures"


def unqualified(function_arn: str) -> str:
    """Return a function's ARN without alias or version (arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME)."""
    return ":".join(function_arn.split(":")[:7])


@dataclass(frozen=True, kw_only=True, slots=True)
class EventSourceMapping:
    """What hands the messages of a queue to a function; `function_arn` may end in an alias or a version.

    `state` is Lambda's: Creating, Enabling, Enabled, Disabling, Disabled, Updating or Deleting.
    """

    uuid: str
    source_arn: str
    function_arn: str
    state: str
    batch_size: int = 10
    window_s: int = 0
    response_types: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    maximum_concurrency: int | None = None
    provisioned_pollers: bool = False

    @property
    def is_enabled(self) -> bool | None:
        """Tell whether it hands messages out, or is about to; None while it is changed and its state says neither."""
        return None if self.state == "Updating" else self.state in {"Enabled", "Enabling", "Creating"}

    @property
    def reports_item_failures(self) -> bool:
        """Tell whether a batch of which one message failed is not deleted whole."""
        return PARTIAL_RESPONSES in self.response_types

    @property
    def function_name(self) -> str:
        """Return the function's name, without alias or version (arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME)."""
        return self.function_arn.split(":")[6] if self.function_arn.count(":") >= 6 else self.function_arn  # noqa: PLR2004 - the parts of an ARN


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """A function's configuration, of the version that its ARN names. `log_group` is the one in force.

    `dead_letter_arn` is where its failed asynchronous invocations go, which those by SQS are not.
    """

    name: str
    arn: str
    timeout_s: int
    memory_mb: int
    runtime: str | None
    log_group: str
    log_format: str = "Text"
    application_log_level: str | None = None
    system_log_level: str | None = None
    role_arn: str | None = None
    kms_key_arn: str | None = None
    dead_letter_arn: str | None = None
