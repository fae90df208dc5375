"""The queues of the fake's account: made, found, listed, changed, and bound together by their policies."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any

from opstool.fake.behaviour import Behaviour
from opstool.fake.fifo import FifoQueue
from opstool.fake.queue import StandardQueue
from opstool.fake.refusal import RefusalError, in_range, invalid_value
from opstool.fake.settings import KNOWN, Settings, read
from opstool.fake.stored import State, StoredMessage
from opstool.words.queue import Queue

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|(?=.{6,80}$)[A-Za-z0-9_-]+\.fifo")
_DELETED_RECENTLY_MS = 60_000
_LARGEST_PAGE = 1_000


class Registry:
    """Every queue by its name; the caller holds the service's lock."""

    def __init__(self, *, region: str, account: str, behaviour: Behaviour, rng: Random) -> None:
        self._region = region
        self._account = account
        self._behaviour = behaviour
        self._rng = rng
        self._queues: dict[str, StandardQueue] = {}
        self._by_url: dict[str, StandardQueue] = {}
        self._deleted_at_ms: dict[str, int] = {}

    def find(self, url: str) -> StandardQueue:
        """Return the queue with this URL, or refuse."""
        queue = self._by_url.get(url)
        if queue is None:
            raise _no_such_queue()
        return queue

    def by_arn(self, arn: str) -> StandardQueue | None:
        """Return the queue with this ARN, None when there is none."""
        queue = self._queues.get(arn.rsplit(":", 1)[-1])
        return queue if queue is not None and queue.address.arn == arn else None

    def is_dlq(self, arn: str) -> bool:
        """Tell whether any queue dead-letters into the one with this ARN."""
        return any(_dlq_arn(queue) == arn for queue in self._queues.values())

    def create_queue(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Make a queue, or return the one that is there with the same attributes."""
        name: str = request["QueueName"]
        values: dict[str, str] = request.get("Attributes") or {}
        is_fifo = name.endswith(".fifo")
        if not _NAME.fullmatch(name) or is_fifo != (values.get("FifoQueue", "false") == "true"):
            raise RefusalError(
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            )
        settings = read({key: value for key, value in values.items() if key != "FifoQueue"}, is_fifo=is_fifo)
        if name in self._queues:
            return {"QueueUrl": _same_or_refused(self._queues[name], values).address.url}
        if now_ms < self._deleted_at_ms.get(name, -_DELETED_RECENTLY_MS) + _DELETED_RECENTLY_MS:
            raise RefusalError(
                "QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
            )
        return {"QueueUrl": self._add(name, settings, now_ms).address.url}

    def delete_queue(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Take a queue and its messages away."""
        queue = self.find(request["QueueUrl"])
        queue.purge(now_ms)
        del self._queues[queue.address.name], self._by_url[queue.address.url]
        self._deleted_at_ms[queue.address.name] = now_ms
        return {}

    def get_queue_url(self, request: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """Return the URL of a name."""
        queue = self._queues.get(request["QueueName"])
        if queue is None or request.get("QueueOwnerAWSAccountId", self._account) != self._account:
            raise _no_such_queue()
        return {"QueueUrl": queue.address.url}

    def get_queue_attributes(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Return the attributes that were asked for; none unless asked."""
        queue = self.find(request["QueueUrl"])
        names = set(request.get("AttributeNames") or ())
        if unknown := sorted(names - KNOWN):
            raise RefusalError("InvalidAttributeName", f"Unknown Attribute {unknown[0]}.")
        values = _all_attributes(queue, now_ms)
        chosen = values if "All" in names else {name: values[name] for name in values if name in names}
        return {"Attributes": chosen} if chosen else {}

    def set_queue_attributes(self, request: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """Change attributes; they hold at once, for the messages that are there too."""
        queue = self.find(request["QueueUrl"])
        settings = queue.settings.changed(request["Attributes"])
        if "RedrivePolicy" in request["Attributes"]:
            self._admit_redrive(settings, queue.address)
        queue.settings, queue.modified_at_ms = settings, now_ms
        return {}

    def list_queues(self, request: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """Return the URLs of the queues whose names begin with a prefix, by page."""
        prefix = request.get("QueueNamePrefix", "")
        urls = (queue.address.url for name, queue in sorted(self._queues.items()) if name.startswith(prefix))
        return _page("QueueUrls", urls, request)

    def list_dead_letter_source_queues(self, request: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
        """Return the URLs of the queues that dead-letter into this one, by page; the member is lower case, as AWS's."""
        arn = self.find(request["QueueUrl"]).address.arn
        urls = (queue.address.url for _, queue in sorted(self._queues.items()) if _dlq_arn(queue) == arn)
        return {"queueUrls": [], **_page("queueUrls", urls, request)}

    def _add(self, name: str, settings: Settings, now_ms: int) -> StandardQueue:
        address = Queue(
            url=f"https://sqs.{self._region}.amazonaws.com/{self._account}/{name}",
            arn=f"arn:aws:sqs:{self._region}:{self._account}:{name}",
        )
        self._admit_redrive(settings, address)
        kind = FifoQueue if address.is_fifo else StandardQueue
        queue = kind(
            address=address, settings=settings, behaviour=self._behaviour, rng=self._rng, bury=self._bury, now_ms=now_ms
        )
        self._queues[name] = self._by_url[address.url] = queue
        return queue

    def _admit_redrive(self, settings: Settings, source: Queue) -> None:
        policy = settings.redrive_policy
        if policy is None:
            return
        target = self.by_arn(policy.dlq_arn)
        reason = None
        if target is None:
            reason = "Dead letter target does not exist."
        elif target.address.is_fifo != source.is_fifo:
            reason = "Dead-letter queue must be same type of queue as the source."
        elif not target.settings.allows_source(source.arn):
            reason = "The redrive allow policy of the dead-letter queue does not allow this source queue."
        if reason:
            raise invalid_value(settings.values["RedrivePolicy"], "RedrivePolicy", reason)

    def _bury(self, queue: StandardQueue, message: StoredMessage, now_ms: int) -> bool:
        """Move an exhausted message: it keeps its id and receive count; on FIFO the clock of its retention restarts."""
        policy = queue.settings.redrive_policy
        target = self.by_arn(policy.dlq_arn) if policy else None
        if target is None or target is queue or not target.settings.allows_source(queue.address.arn):
            return False
        is_fifo = target.address.is_fifo
        dead = replace(
            message,
            source_arn=queue.address.arn,
            sent_at_ms=now_ms if is_fifo else message.sent_at_ms,
            deduplication_id=message.message_id if is_fifo else message.deduplication_id,
            receipts=0,
            state=State.GONE,
        )
        target.put(dead, now_ms, 0)
        return True


def _no_such_queue() -> RefusalError:
    return RefusalError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")


def _same_or_refused(queue: StandardQueue, values: Mapping[str, str]) -> StandardQueue:
    for name, value in values.items():
        if queue.settings.values.get(name, "") != value:
            raise RefusalError(
                "QueueNameExists",
                f"A queue already exists with the same name and a different value for attribute {name}",
            )
    return queue


def _all_attributes(queue: StandardQueue, now_ms: int) -> dict[str, str]:
    queue.settle(now_ms)
    return {
        **queue.settings.values,
        "ApproximateNumberOfMessages": str(queue.counts[State.VISIBLE]),
        "ApproximateNumberOfMessagesNotVisible": str(queue.counts[State.IN_FLIGHT]),
        "ApproximateNumberOfMessagesDelayed": str(queue.counts[State.DELAYED]),
        "CreatedTimestamp": str(queue.created_at_ms // 1_000),
        "LastModifiedTimestamp": str(queue.modified_at_ms // 1_000),
        "QueueArn": queue.address.arn,
    }


def _dlq_arn(queue: StandardQueue) -> str | None:
    policy = queue.settings.redrive_policy
    return policy.dlq_arn if policy else None


def _page(member: str, urls: Iterable[str], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return one page of sorted URLs; the token, given only when MaxResults was, is the last URL of the page before."""
    size = in_range(request.get("MaxResults", _LARGEST_PAGE), 1, _LARGEST_PAGE, "MaxResults")
    after = base64.b64decode(request.get("NextToken", "")).decode()
    found = list(islice((url for url in urls if url > after), size + 1))
    if not found:
        return {}
    if len(found) > size and "MaxResults" in request:
        return {member: found[:size], "NextToken": base64.b64encode(found[size - 1].encode()).decode()}
    return {member: found[:size]}
