"""The lane itself: one request of a hot operation, asked again where that is safe."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from opstool.doors.answers import LONGEST_PAUSE_S, no_answer, time_of
from opstool.doors.clock import Clock
from opstool.doors.lean.answer import code_of, result_of
from opstool.doors.lean.body import written
from opstool.doors.lean.connection import Answer, AnswerLostError, NotConnectedError
from opstool.doors.lean.pool import Pool
from opstool.doors.lean.signer import Credentials
from opstool.doors.lean.signing import Signing
from opstool.doors.unsent import no_connection
from opstool.words.errors import ServiceError

ONE_ATTEMPT = {"SendMessageBatch", "ReceiveMessage"}
"""What is asked once: a second attempt could send twice, or hide messages for a whole visibility timeout."""
_PAUSE_S, _THROTTLED_PAUSE_S = 0.05, 1.0
"""Of the first pause at most, which doubles; botocore's standard mode."""
_SKEW_CODES = {
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}
_SKEW_S = 240.0
"""SQS refuses signatures that are 15 minutes off; what differs by less than this is not the reason."""
_CREDENTIALS_S = 1.0
"""To ask a refreshable provider takes longer than to sign."""


class Provider(Protocol):
    """Botocore's credentials, which it refreshes."""

    def get_frozen_credentials(self) -> Any:
        """Return access key, secret key and token as of now."""


@dataclass(frozen=True, kw_only=True)
class LaneSettings:
    """What botocore has decided: whose credentials, how long, how often, and by which errors it refuses."""

    provider: Provider
    errors: Callable[[str], AbstractContextManager[None]]
    timeout_s: float
    attempts: int


class LeanLane:
    """Carries out the hot operations; thread-safe."""

    def __init__(
        self,
        settings: LaneSettings,
        signing: Signing,
        pool: Pool,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._signing = signing
        self._pool = pool
        self._clock = clock
        self._chance = chance
        self._skew_s = 0.0
        self._credentials: tuple[float, Credentials] | None = None

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out `operation`; raise OpstoolError, or NotWrittenError before anything is sent."""
        body = written(request)
        timeout_s = self._settings.timeout_s + request.get("WaitTimeSeconds", 0)
        attempts = 1 if operation in ONE_ATTEMPT else self._settings.attempts
        for attempt in range(1, attempts):
            try:
                answer = self._answer(operation, body, timeout_s, f"attempt={attempt}; max={attempts}")
                return result_of(operation, answer, self._service_time_s)
            except ServiceError as error:
                if not error.retryable:
                    raise
                self._pause(attempt, error)
        answer = self._answer(operation, body, timeout_s, f"attempt={attempts}; max={attempts}")
        return result_of(operation, answer, self._service_time_s)

    def _answer(self, operation: str, body: bytes, timeout_s: float, attempts: str) -> Answer:
        """Return the service's answer; what it refused for the time of our clock alone is signed again, once."""
        skew_s = self._skew_s
        answer = self._exchange(operation, body, timeout_s, attempts, skew_s)
        if 400 <= answer.status < 500 and self._is_skewed(answer, skew_s):  # noqa: PLR2004 - HTTP's own numbers
            answer = self._exchange(operation, body, timeout_s, attempts, self._skew_s)
        return answer

    def _exchange(self, operation: str, body: bytes, timeout_s: float, attempts: str, skew_s: float) -> Answer:
        credentials = self._current(operation)
        try:
            connection = self._pool.take()
        except NotConnectedError as error:
            raise no_connection(operation, error) from error
        second = int(self._clock.wall() + skew_s)
        try:
            head = self._signing.head(operation, body, credentials, second, attempts)
            answer = connection.ask(head + body, timeout_s)
        except AnswerLostError as error:
            connection.close()
            raise no_answer(operation, error) from error
        except BaseException:  # Ctrl-C: what comes now would be taken for the next request's answer
            connection.close()
            raise
        self._pool.give(connection)
        return answer

    def _current(self, operation: str) -> Credentials:
        """Return the credentials, as botocore says them about once a second."""
        known, now_s = self._credentials, self._clock.monotonic()
        if known and now_s < known[0]:
            return known[1]
        with self._settings.errors(operation):
            current = Credentials.of(self._settings.provider.get_frozen_credentials())
        if known and current == known[1]:
            current = known[1]  # the very same: what was signed for it this second still holds
        self._credentials = (now_s + _CREDENTIALS_S, current)
        return current

    def _is_skewed(self, answer: Answer, signed_skew_s: float) -> bool:
        """Tell whether a refusal is our clock's fault, as the answer's Date shows, and mind it from now on.

        `signed_skew_s` is what the refused request minded: another thread may have learned better since.
        """
        try:
            if code_of(answer) not in _SKEW_CODES:
                return False
            skew_s = time_of(answer.headers["date"]) - self._clock.wall()
        except (AttributeError, LookupError, TypeError, ValueError):
            return False
        if abs(skew_s - signed_skew_s) < _SKEW_S:
            return False
        self._skew_s = skew_s
        return True

    def _service_time_s(self) -> float:
        """Return the service's time, as far as it is known to differ from ours."""
        return self._clock.wall() + self._skew_s

    def _pause(self, attempt: int, error: ServiceError) -> None:
        """Wait before the next attempt: full jitter, and no less than the service asks for."""
        first_s = _THROTTLED_PAUSE_S if error.code == "throttled" else _PAUSE_S
        pause_s = self._chance() * min(LONGEST_PAUSE_S, first_s * 2.0 ** (attempt - 1))
        self._clock.sleep(max(pause_s, error.wait_s))
