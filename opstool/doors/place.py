"""A place where queues lie: an SQS as one identity reaches it in one region. A redrive may have two of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from opstool.doors.clock import Clock
from opstool.doors.endpoint import is_aws
from opstool.doors.session import Connection, Session
from opstool.doors.sqs import Call, Sqs
from opstool.words.errors import AccessError, OpstoolError
from opstool.words.who import Who

_LONGEST_WHY = 200
"""Characters of the reason why an identity is not known: it stands in the journal and in plans."""


def _nobody() -> Who:
    return Who()


@dataclass(frozen=True, kw_only=True)
class Place:
    """An SQS with its address and our identity there, each asked for when it is needed.

    `side` says which side of a redrive it is, in the words of an error; it is empty where there is only one.
    """

    sqs: Sqs
    who: Callable[[], Who] = _nobody
    endpoint: Callable[[], str] = lambda: ""
    region: Callable[[], str | None] = lambda: None
    lane: Callable[[], str] = lambda: ""
    side: str = ""

    @property
    def where(self) -> str:
        """Return region and account, as far as they are known, and the address where it is not AWS's."""
        account, endpoint = self.who().account, self.endpoint()
        text = (self.region() or "no region") + (f" (account {account})" if account else "")
        return text if not endpoint or is_aws(endpoint) else f"{text} at {endpoint}"


def place_of(session: Session, clock: Clock) -> Place:
    """Return the place that a session leads to."""
    return Place(
        sqs=Sqs(session.sqs_call, clock),
        who=_who(session),
        endpoint=lambda: _endpoint(session),
        region=lambda: session.region,
        lane=lambda: session.lane,
    )


def target_place(elsewhere: Connection, source: Connection, clock: Clock) -> Place:
    """Return the place that `elsewhere` leads to, in which what is not given is the source's; its errors say so."""
    session = Session(inherited(elsewhere, source))
    side = _side(elsewhere)
    place = place_of(session, clock)
    call = _naming(session.sqs_call, side, place.who)
    return replace(place, sqs=Sqs(call, clock), side=side)


def inherited(elsewhere: Connection, source: Connection) -> Connection:
    """Return the connection to a target: what is not given is the source's, as far as that can be meant.

    A profile brings its own endpoint and credentials: those of the source are another account's, or an emulator's, and
    to send to them by mistake is what this prevents. An endpoint of AWS belongs to one region. Both are inherited by
    nobody who names another profile, or another region, and no endpoint.
    """
    is_own = elsewhere.profile is not None
    region = elsewhere.region or (None if is_own and source.is_isolated else source.region)
    moved = region != source.region and is_aws(source.endpoint_url or "")
    keys = elsewhere if is_own or elsewhere.access_key_id else source
    return Connection(
        profile=elsewhere.profile or source.profile,
        region=region,
        endpoint_url=elsewhere.endpoint_url or (None if is_own or moved else source.endpoint_url),
        timeout_s=source.timeout_s,
        access_key_id=keys.access_key_id,
        secret_access_key=keys.secret_access_key,
        is_isolated=elsewhere.is_isolated or (source.is_isolated and not is_own),
    )


def _side(elsewhere: Connection) -> str:
    """Return how errors name the target: by what was typed for it."""
    named = {"profile": elsewhere.profile, "region": elsewhere.region, "endpoint": elsewhere.endpoint_url}
    told = ", ".join(f"{name} {value}" for name, value in named.items() if value)
    return f"at the target ({told})" if told else "at the target"


def _naming(call: Call, side: str, who: Callable[[], Who]) -> Call:
    """Return the seam whose errors say on which side they happened, and whose hints name the options of that side."""

    def ask(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return call(operation, request)
        except OpstoolError as error:
            error.message = f"{error.message} {side}"
            if isinstance(error, AccessError) and error.code == "access_denied":
                let_in = who().arn or "this identity"
                error.message += f"; the queue's policy and its KMS key, if it has one, have to let {let_in} in as well"
            error.hint = at_the_target(error.hint)
            raise

    return ask


def at_the_target(hint: str | None) -> str | None:
    """Return a hint with the target's options in the place of the source's."""
    if hint is None:
        return None
    for option in ("--profile", "--region"):
        hint = hint.replace(option, f"--to-{option.removeprefix('--')}")
    return hint


def _endpoint(session: Session) -> str:
    url: str = session.client("sqs").meta.endpoint_url
    return url


def _who(session: Session) -> Callable[[], Who]:
    """Return what asks STS once; to be unknown is no reason to stop: the queues' own permissions decide."""

    @functools.cache
    def ask() -> Who:
        try:
            identity = session.identity()
        except OpstoolError as error:
            return Who(why_unknown=error.message[:_LONGEST_WHY])
        except (LookupError, TypeError):  # a server that answers, and is no STS
            return Who(why_unknown="what answers is not STS")
        return Who(arn=identity.arn, account=identity.account)

    return ask
