"""A native move task of a dead-letter queue, as ListMessageMoveTasks tells of it, and why one failed, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opstool.words.times import iso

RUNNING, CANCELLING, COMPLETED, CANCELLED, FAILED = "RUNNING", "CANCELLING", "COMPLETED", "CANCELLED", "FAILED"
"""The statuses of a task."""
_LONGEST_CODE = 200
"""Characters of a code that is not known here: what an emulator says may be a page."""
MOST_LISTED = 10
"""Tasks of one queue that SQS remembers:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html"""
MOST_PER_SECOND = 500
"""Messages a second that a task moves at most:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html"""
LONGEST_S = 36 * 3600
"""How long a task may run:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html"""


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveTask:
    """One task. `moved` is approximate and lags behind; `to_move` was counted when it was started, None until then.

    `destination_arn` None: each message goes back to its own source; `rate` None: SQS chooses it. `task_handle` is
    there only while it is RUNNING, `failure_reason`, SQS's own code, only when it has FAILED.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasksResultEntry.html
    """

    status: str
    moved: int = 0
    to_move: int | None = None
    source_arn: str = ""
    destination_arn: str | None = None
    rate: int | None = None
    started_at_ms: int | None = None
    failure_reason: str | None = None
    task_handle: str | None = None

    @property
    def is_active(self) -> bool:
        """Tell whether it is under way: then no other can be started."""
        return self.status in {RUNNING, CANCELLING}

    @property
    def failure(self) -> Failing | None:
        """Return why it failed; None when it has not."""
        return failing(self.failure_reason) if self.status == FAILED else None

    def document(self) -> dict[str, Any]:
        """Return the JSON document of type `move_task`."""
        failure = self.failure
        return {
            "version": 1,
            "type": "move_task",
            "status": self.status,
            "started_at": None if self.started_at_ms is None else iso(self.started_at_ms),
            "source": self.source_arn,
            "destination": self.destination_arn,
            "moved": self.moved,
            "to_move": self.to_move,
            "rate": self.rate,
            "failure_reason": self.failure_reason,
            "failure": failure.message if failure else None,
            "task_handle": self.task_handle,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Failing:
    """Why a task failed: our stable `code`, and what happened with what to do about it."""

    code: str
    message: str


_DENIED = Failing(
    code="access_denied",
    message="whoever started it may not do all that it needs: on the dead-letter queue receive, delete and read"
    " attributes, on each target send, and kms:Decrypt and kms:GenerateDataKey on their keys; `opstool iam-policy"
    " --for native` prints the policy",
)
_NO_KEY = Failing(
    code="kms_key_unusable",
    message="a queue's KMS key could not be used: it is disabled, deleted, or not allowed to whoever started the task",
)
_FAILURES: Mapping[str, Failing] = {
    # These three are in the guide:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/troubleshooting-dlq-redrive.html
    "CouldNotDetermineMessageSource": Failing(
        code="no_certain_target",
        message="it met a message that did not die in an SQS queue (sent here by hand, by Lambda or by SNS), so that"
        " SQS does not know where it belongs; `--to QUEUE` names a target for all of them",
    ),
    "AccessDenied": _DENIED,
    "NonExistentQueue": Failing(
        code="queue_not_found",
        message="a queue that it moves to, or the dead-letter queue itself, does not exist any more; `--to QUEUE` names"
        " another target",
    ),
    # SQS's own names for what can go wrong with a queue; that a task can fail of them is not documented.
    "QueueDoesNotExist": Failing(code="queue_not_found", message="a queue that it moves to does not exist any more"),
    "AccessDeniedException": _DENIED,
    **dict.fromkeys(
        ("KmsAccessDenied", "KmsDisabled", "KmsInvalidKeyUsage", "KmsInvalidState", "KmsNotFound"), _NO_KEY
    ),
    "KmsThrottled": Failing(code="throttled", message="KMS throttled it: start it again with a lower `--rate`"),
    "OverLimit": Failing(
        code="over_limit", message="too many messages are in flight in the dead-letter queue: start it again later"
    ),
}


def failing(reason: str | None) -> Failing:
    """Return what one of SQS's FailureReason codes means; a code that is not known here is told as it is."""
    code = (reason or "").removeprefix("AWS.SimpleQueueService.")
    found = _FAILURES.get(code)
    if found:
        return found
    told = f"SQS says `{code[:_LONGEST_CODE]}`" if code else "SQS does not say why"
    return Failing(code="move_task_failed", message=f"{told}, which is not in the words of this program")
