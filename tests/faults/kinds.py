"""Every kind of fault between opstool and SQS, by its name: the same in memory (FakeSqs) and on the wire (a proxy).

A kind is a `Faults`: it strikes a share of the requests, or of a batch's entries. What it raises is what opstool's door
makes of the fault, and carries in `wire` how a proxy commits it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from opstool.engine.endofqueue import EMPTY_RECEIVES_TO_END
from opstool.fake import EntryFault, Faults, no_answer
from opstool.words.awserrors import error_for
from opstool.words.errors import ServiceError

MESSAGE_OPERATIONS = {"ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"}
"""The operations that touch messages. A look-up that fails (after botocore's retries) ends a verb before it begins."""

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]
"""A request of the fault's own to the same server, past every fault."""


@dataclass(frozen=True, kw_only=True)
class Wire:
    """How a proxy commits a fault: `cut` the connection there, or answer `status` with `code`, after `delay_s`."""

    cut: str = ""
    status: int = 0
    code: str = ""
    delay_s: float = 0.0


class StruckError(ServiceError):
    """What opstool's door raises for a fault, with the way to commit it on the wire."""

    def __init__(self, error: ServiceError, wire: Wire) -> None:
        super().__init__(
            error.message, code=error.code, outcome_unknown=error.outcome_unknown, retryable=error.retryable
        )
        self.wire = wire


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a kind needs: its dice, and where it strikes. `late_s` is longer than opstool waits for an answer."""

    seed: int
    rate: float
    fifo: bool
    ask: Ask
    sleep: Callable[[float], None]
    late_s: float = 35.0


class Kind(Faults):
    """A fault that strikes `rate` of what it may strike; by one seed, in the order in which it is asked."""

    name = ""
    acts_unseen = False
    """Whether the server may have acted on a request of which opstool only knows that it had no good answer."""
    fails_unseen = False
    """Whether such a request may have been left undone."""
    deceived = False
    """Whether opstool has been shown what it takes for the end of a queue (docs/decisions), and may believe it."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.strikes = 0
        self._random = Random(f"{self.name}/{around.seed}")
        self._lock = threading.Lock()

    def rolls(self) -> bool:
        """Roll the dice, and count the strikes."""
        with self._lock:
            struck = self._random.random() < self.around.rate
            self.strikes += struck
            return struck

    def choose(self, *options: Any) -> Any:
        """Choose one of the options."""
        with self._lock:
            return self._random.choice(options)


class RefusedEntries(Kind):
    """Single entries of batches fail, half of them as the sender's fault."""

    name = "entries of batches fail"

    def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
        """Refuse one entry, for good or for now."""
        if not self.rolls():
            return None
        return self.choose(  # type: ignore[no-any-return]
            EntryFault(code="InternalError", message="the service failed"),
            EntryFault(code="InvalidParameterValue", message="the entry is at fault", sender_fault=True),
        )


class _Refusal(Kind):
    """The service refuses before it has done anything."""

    answers: tuple[tuple[int, str], ...] = ()

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer with an error."""
        if operation in MESSAGE_OPERATIONS and self.rolls():
            status, code = self.choose(*self.answers)
            raise _struck(error_for(operation, code, "made to fail", status), Wire(status=status, code=code))
        return None


class ServerErrors(_Refusal):
    """500 and 503: opstool cannot know that nothing was done."""

    name = "500 and 503"
    fails_unseen = True
    answers = ((500, "InternalFailure"), (503, "ServiceUnavailable"))


class ServerErrorsAfter(Kind):
    """500 and 503 of a server that has acted all the same."""

    name = "500 and 503 after the server has acted"
    acts_unseen = True

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Answer with an error what was carried out."""
        if operation in MESSAGE_OPERATIONS and self.rolls():
            status, code = self.choose(*ServerErrors.answers)
            raise _struck(error_for(operation, code, "made to fail", status), Wire(status=status, code=code))
        return response


class Throttling(_Refusal):
    """Both codes with which SQS says to ask less often."""

    name = "throttled"
    answers = ((403, "RequestThrottled"), (400, "ThrottlingException"))


class CutBefore(Kind):
    """The connection is cut before the request gets there: nothing is done, and opstool cannot know it."""

    name = "cut before the server has acted"
    fails_unseen = True

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Cut the connection."""
        if operation in MESSAGE_OPERATIONS and self.rolls():
            raise _struck(no_answer(operation), Wire(cut="before"))
        return None


class CutAfter(Kind):
    """The connection is cut after the server has acted, before or in the middle of its answer."""

    name = "cut after the server has acted"
    acts_unseen = True
    cut = "after"

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Lose the answer."""
        if operation in MESSAGE_OPERATIONS and self.rolls():
            raise _struck(no_answer(operation), Wire(cut=self.cut))
        return response


class CutInBody(CutAfter):
    """The answer ends in the middle of its body."""

    name = "cut in the middle of the answer"
    cut = "in_body"


class Late(Kind):
    """The server acts, and its answer comes after opstool has stopped waiting."""

    name = "answered after the time-out"
    acts_unseen = True

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Let the answer come too late."""
        if operation in MESSAGE_OPERATIONS and self.rolls():
            self.around.sleep(self.around.late_s)
            raise _struck(no_answer(operation), Wire(cut="after"))
        return response


class DeliveredAgain(Kind):
    """A message that was just received can be received again at once, with another handle: at-least-once delivery.

    Standard queues only: a FIFO queue does not do it.
    """

    name = "delivered again"

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Show some of the received messages again behind the caller's back."""
        if operation != "ReceiveMessage" or self.around.fifo:
            return response
        for message in response.get("Messages", []):
            if self.rolls():
                shown = {"ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                with suppress(Exception):  # somebody else was faster, and has it
                    self.around.ask("ChangeMessageVisibility", {"QueueUrl": request["QueueUrl"], **shown})
        return response


class EmptyReceives(Kind):
    """A receive finds nothing though there is something: it asked the wrong hosts."""

    name = "empty receives"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        # Several workers may see answers in another order than they were given in: three in a row may be three of six.
        self._last: deque[bool] = deque(maxlen=EMPTY_RECEIVES_TO_END if around.fifo else 2 * EMPTY_RECEIVES_TO_END)

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer in the server's stead."""
        return {} if operation == "ReceiveMessage" and self.rolls() else None

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Remember how many of the last receives were empty."""
        if operation == "ReceiveMessage":
            with self._lock:
                self._last.append(not response.get("Messages"))
                self.deceived |= sum(self._last) >= EMPTY_RECEIVES_TO_END
        return response


class RefusedHandles(Kind):
    """A receive gives a receipt handle that the server does not know any more."""

    name = "expired receipt handles"

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Spoil some handles."""
        if operation != "ReceiveMessage":
            return response
        messages = [
            {**each, "ReceiptHandle": _spoilt(each["ReceiptHandle"])} if self.rolls() else each
            for each in response.get("Messages", [])
        ]
        return {**response, "Messages": messages} if messages else response


class Reordered(Kind):
    """A receive gives its messages in another order, which a FIFO queue never does; batches answer in any order."""

    name = "reordered"

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Shuffle what the answer lists."""
        lists = ["Successful", "Failed"] if self.around.fifo else ["Messages", "Successful", "Failed"]
        shuffled = dict(response)
        for name in lists:
            if len(shuffled.get(name, [])) > 1 and self.rolls():
                with self._lock:
                    shuffled[name] = self._random.sample(shuffled[name], len(shuffled[name]))
        return shuffled


class Together(Faults):
    """Several kinds at once: the first that strikes a request has it."""

    name = "all of them together"
    acts_unseen = True
    fails_unseen = True

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.kinds = kinds

    @property
    def strikes(self) -> int:
        """Return how often any of them has struck."""
        return sum(kind.strikes for kind in self.kinds)

    @property
    def deceived(self) -> bool:
        """Tell whether any of them has shown an end that was none."""
        return any(kind.deceived for kind in self.kinds)

    def before(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Ask each."""
        return next((answer for kind in self.kinds if (answer := kind.before(operation, request)) is not None), None)

    def entry(self, operation: str, entry: Mapping[str, Any]) -> EntryFault | None:
        """Ask each."""
        return next((fault for kind in self.kinds if (fault := kind.entry(operation, entry))), None)

    def after(self, operation: str, request: Mapping[str, Any], response: dict[str, Any]) -> dict[str, Any]:
        """Let each change the answer; those that lose it come last."""
        for kind in self.kinds:
            response = kind.after(operation, request, response)
        return response


KINDS: tuple[type[Kind], ...] = (
    RefusedEntries,
    ServerErrors,
    Throttling,
    CutBefore,
    EmptyReceives,
    DeliveredAgain,
    RefusedHandles,
    Reordered,
    ServerErrorsAfter,
    CutInBody,
    CutAfter,
    Late,
)


def _struck(error: Exception, wire: Wire) -> StruckError:
    assert isinstance(error, ServiceError)
    return StruckError(error, wire)


def _spoilt(handle: str) -> str:
    return f"{handle[:-8]}AAAAAAAA"
