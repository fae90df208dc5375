"""The queue that `--to` names, which may lie in another account, in another region or on another server.

    find      by its name, URL or ARN in the place that was named, never the dead-letter queue itself
    tell      both sides in the plan: queue, and whom AWS takes us for
    note      in the plan's options what a resume needs to find it again: settings, and no secrets

Everything else that is asked of a target is asked of its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opstool.doors.endpoint import is_same_server
from opstool.doors.place import Place, at_the_target
from opstool.doors.session import Connection
from opstool.doors.toolkit import Toolkit
from opstool.words.errors import NotFoundError, RefusedError, UsageError
from opstool.words.queue import Queue

_SAME_NAME = (
    "both queues have the same ARN, on different servers: they are taken for two queues; this journal cannot tell "
    "their servers apart"
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A queue that was named to send to, and the place where it lies; `elsewhere` is None where that is here.

    `is_foreign`: it is another account's than the dead-letter queue.
    """

    queue: Queue
    place: Place
    elsewhere: Connection | None
    is_foreign: bool

    @property
    def is_here(self) -> bool:
        """Tell whether nothing has to be said of where it lies."""
        return self.elsewhere is None and not self.is_foreign

    @property
    def name(self) -> str:
        """Return its name, with region and account where it is not simply here."""
        queue = self.queue
        return queue.name if self.is_here else f"{queue.name} in {queue.region} (account {queue.account})"


def find_target(kit: Toolkit, dlq: Queue, to: str, elsewhere: Connection | None) -> Target:
    """Return the queue that is named; raise NotFoundError, UsageError, and RefusedError for the DLQ itself.

    The DLQ itself is the queue with its ARN on the same server, however that is spelled.
    """
    place = kit.place(elsewhere)
    queue = _resolve(place, to)
    if queue.arn == dlq.arn and is_same_server(place.endpoint(), kit.endpoint()):
        raise RefusedError(f'"{queue.name}" is the queue itself', code="target_is_queue")
    return Target(queue=queue, place=place, elsewhere=elsewhere, is_foreign=queue.account != dlq.account)


def place_again(kit: Toolkit, options: Mapping[str, Any]) -> Place:
    """Return the place that a plan's messages go to."""
    told = options.get("elsewhere")
    return kit.place(None if told is None else Connection(**told))


def queue_again(place: Place, options: Mapping[str, Any]) -> Queue | None:
    """Return the queue there that was named in a plan, None when none was; raise what finding it raises."""
    to = options.get("to")
    return _resolve(place, to) if to else None


def sides(kit: Toolkit, dlq: Queue, target: Target) -> tuple[dict[str, str], dict[str, Any], tuple[str, ...]]:
    """Return what a plan tells of a target that is not simply here: its facts, its options and its notes."""
    if target.is_here:
        return {}, {}, ()
    here, there = kit.who(), target.place.who()
    queue, endpoint = target.queue, target.place.endpoint()
    facts = {
        "from arn": dlq.arn,
        "from as": here.text,
        "to arn": queue.arn,
        "to as": there.text,
        "to in": f"{queue.region}, account {queue.account}" + (f", at {endpoint}" if endpoint else ""),
    }
    told = {
        "arn": queue.arn,
        "account": queue.account,
        "region": queue.region,
        "endpoint_url": endpoint or None,
        "who": there.arn or "unknown",
        "who_account": there.account,
        "why_unknown": there.why_unknown,
    }
    options = {
        "elsewhere": _typed(target.elsewhere),
        "to_account": queue.account if target.is_foreign else None,
        "to_side": told,
    }
    return facts, options, (_SAME_NAME,) if queue.arn == dlq.arn else ()


def _typed(elsewhere: Connection | None) -> dict[str, str | None] | None:
    """Return what a resume needs of a connection: what can be typed. Keys are never written."""
    if elsewhere is None:
        return None
    return {"profile": elsewhere.profile, "region": elsewhere.region, "endpoint_url": elsewhere.endpoint_url}


def _resolve(place: Place, to: str) -> Queue:
    """Return the queue; what is not found elsewhere is said with the place, and with the options that choose it."""
    try:
        return place.sqs.resolve(to)
    except NotFoundError as error:
        if not place.side:
            raise
        raise NotFoundError(
            f'target queue "{to}" does not exist in {place.where}',
            code="target_not_found",
            hint="choose its account and region with --to-profile and --to-region",
        ) from error
    except UsageError as error:
        if place.side and place.side not in error.message:
            error.message = f"{error.message} ({place.side}, {place.where})"
            error.hint = at_the_target(error.hint)
        raise
