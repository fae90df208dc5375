"""Choose when a failed message is tried again, by changing its visibility timeout before the batch is returned.

Left alone, a failed message is tried again when the queue's visibility timeout ends, whatever was wrong with it. Here

- a permanent failure becomes visible at once, so its remaining attempts pass in seconds and SQS itself dead-letters it:
  message id, attributes and source ARN stay as they were, which no copy made by us could keep;
- a transient failure waits a random time whose bound doubles with each receive;
- any other failure keeps the queue's timing, because nobody has said what it is;
- a FIFO message that was skipped because of one before it becomes visible at once when that one was paced. SQS gives
  out no message of a group while another is in flight, so the order holds and the failed message alone sets the pace.

Lambda leaves the visibility timeout of a message that was returned as failed alone, so what is set here stays
(docs/decisions/0001). It is set after the whole batch was attempted: a message made visible earlier would start another
run of the function beside this one.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from log import logger

CONNECT_TIMEOUT_S = 0.5
READ_TIMEOUT_S = 1.0
# A call that times out takes both; the rest is for reading the name server's answer and for returning the batch.
NEEDED_MS = int((CONNECT_TIMEOUT_S + READ_TIMEOUT_S) * 1000) + 500
BATCH_ENTRIES = 10

SHORTEST_BACKOFF_S = 5
FIRST_BACKOFF_S = 30
LONGEST_BACKOFF_S = 900
# A source queue without a redrive policy would hand out a hopeless message for ever: from here on it is slowed down.
IMMEDIATE_RECEIVES = 10


class Kind(Enum):
    """What a failure says about another attempt."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    UNCLASSIFIED = "unclassified"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class Retry:
    """A message that will be tried again."""

    receipt_handle: str
    receive_count: int
    kind: Kind
    group_id: str | None = None


def create() -> Pacing | None:
    """Return the pacing when `RETRY_PACING` is "on", else None; called while the function starts.

    boto3 costs more time to import than all the rest together, so it is imported here and only when it is used.
    Starting is the right moment: it has ten seconds of its own, the batch only what its timeout leaves.
    """
    if os.environ.get("RETRY_PACING", "off").strip().lower() != "on":
        return None
    try:
        return Pacing(client=_client())
    except Exception as error:  # noqa: BLE001 - without pacing the function does all that it is for
        logger.warning("pacing is off", event="pacing_unavailable", error_type=type(error).__name__)
        return None


def _client() -> Any:
    import boto3  # noqa: PLC0415 - see create()
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries={"total_max_attempts": 1})
    return boto3.client("sqs", region_name=os.environ.get("AWS_REGION"), config=config)


class Pacing:
    """Change visibility timeouts through one SQS client."""

    def __init__(self, *, client: Any, jitter: Callable[[], float] = random.random) -> None:
        self._client = client
        self._jitter = jitter

    def apply(self, retries: Sequence[Retry], *, queue_arn: str, remaining_ms: Callable[[], int]) -> None:
        """Set the timeouts as far as time allows; what goes wrong is logged, and leaves the messages their timing."""
        try:
            entries = list(self._entries(retries))
            queue_url = self._queue_url(queue_arn) if entries else ""
            for start in range(0, len(entries), BATCH_ENTRIES):
                if remaining_ms() < NEEDED_MS:
                    _warn({"out_of_time": len(entries) - start})
                    return
                self._change(queue_url, entries[start : start + BATCH_ENTRIES])
        except Exception as error:  # noqa: BLE001 - pacing is a favour: the batch's outcome must not depend on it
            _warn({type(error).__name__: len(retries)})

    def _entries(self, retries: Iterable[Retry]) -> Iterator[dict[str, Any]]:
        """Yield an entry for each message whose timeout changes, with its place as id: message ids may come twice."""
        retries = list(retries)
        paced = {retry.group_id for retry in retries if retry.kind in (Kind.PERMANENT, Kind.TRANSIENT)}
        for place, retry in enumerate(retries):
            if retry.kind is Kind.UNCLASSIFIED or (retry.kind is Kind.SKIPPED and retry.group_id not in paced):
                continue
            yield {"Id": str(place), "ReceiptHandle": retry.receipt_handle, "VisibilityTimeout": self.timeout_s(retry)}

    def timeout_s(self, retry: Retry) -> int:
        """Return the seconds until the message is visible again.

        Back-off draws evenly from 5 s to a bound of 30 s, doubled for each receive after the first, at most 900 s:
        spread out, so that what failed together does not come back together.
        """
        if retry.kind is Kind.SKIPPED or (retry.kind is Kind.PERMANENT and retry.receive_count < IMMEDIATE_RECEIVES):
            return 0
        doublings = min(max(retry.receive_count - 1, 0), LONGEST_BACKOFF_S.bit_length())
        bound = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S << doublings)
        return round(SHORTEST_BACKOFF_S + self._jitter() * (bound - SHORTEST_BACKOFF_S))

    def _change(self, queue_url: str, entries: list[dict[str, Any]]) -> None:
        response = self._client.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
        if failed := response.get("Failed"):
            _warn(Counter(entry.get("Code", "") for entry in failed))

    def _queue_url(self, queue_arn: str) -> str:
        """Return the queue's URL at the endpoint in use, which saves a call and the permission for it."""
        *_, account, name = queue_arn.split(":")
        return f"{self._client.meta.endpoint_url}/{account}/{name}"


def _warn(counts: dict[str, int]) -> None:
    logger.warning("visibility timeouts not changed", event="pacing_incomplete", counts=dict(counts))
