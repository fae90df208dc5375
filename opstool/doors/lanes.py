"""Which way a request to SQS takes: the lean lane for the hot operations, boto3 for all others and where it must be."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opstool.doors.clock import Clock, SystemClock
from opstool.words.errors import UsageError

if TYPE_CHECKING:
    from opstool.doors.lean.lane import LeanLane
    from opstool.doors.lean.route import Route

Way = Callable[[str, dict[str, Any]], dict[str, Any]]
HOT = frozenset({"ReceiveMessage", "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"})
"""What a redrive asks for each ten messages."""
VARIABLE = "OPSTOOL_SDK"
_BOTO3, _LEAN = "boto3", "lean"
_ATTEMPTS = {"legacy": 5, "standard": 3}
"""Of botocore where nobody says: https://docs.aws.amazon.com/boto3/latest/guide/retries.html"""


class NotTakenError(Exception):
    """The lane cannot do what botocore would; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Botocore:
    """What the lane needs of it, each asked for when it is needed."""

    call: Way
    client: Callable[[], Any]
    credentials: Callable[[], Any]
    errors: Callable[[str], AbstractContextManager[None]]
    timeout_s: float


@dataclass(frozen=True, kw_only=True)
class _Choice:
    call: Way
    words: str


class Lanes:
    """Chooses once, at the first hot request, and tells what it chose. Thread-safe.

    Raises UsageError for a value of OPSTOOL_SDK that means nothing.
    """

    def __init__(self, botocore: Botocore, clock: Clock | None = None) -> None:
        self._botocore = botocore
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._choice: _Choice | None = None
        self._wanted = os.environ.get(VARIABLE, "")
        if self._wanted not in {"", _BOTO3, _LEAN}:
            raise UsageError(
                f"`{VARIABLE}` is neither `{_BOTO3}` nor `{_LEAN}`", code="invalid_setting", hint=f"unset {VARIABLE}"
            )

    @property
    def words(self) -> str:
        """Return which lane the hot operations take, and why it is not the lean one; empty before the first."""
        return self._choice.words if self._choice else ""

    def __call__(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out one request to SQS; raise OpstoolError."""
        if operation not in HOT:
            return self._botocore.call(operation, request)
        choice = self._choice or self._choose(operation)
        return choice.call(operation, request)

    def _choose(self, operation: str) -> _Choice:
        with self._lock:
            if self._choice is None:
                self._choice = self._chosen(operation)
            return self._choice

    def _chosen(self, operation: str) -> _Choice:
        if self._wanted == _BOTO3:
            return self._boto3(f"{VARIABLE} says so")
        with self._botocore.errors(operation):  # no region, no credentials: as boto3 says it
            try:
                return self._lean()
            except NotTakenError as why:
                return self._boto3(str(why))

    def _boto3(self, why: str) -> _Choice:
        return _Choice(call=self._botocore.call, words=f"boto3 ({why})")

    def _lean(self) -> _Choice:
        from opstool.doors.lean.lane import LaneSettings, LeanLane  # noqa: PLC0415 - with the first hot request
        from opstool.doors.lean.pool import Pool  # noqa: PLC0415 - as above
        from opstool.doors.lean.rehearsal import NotRehearsedError, rehearse  # noqa: PLC0415 - as above
        from opstool.doors.lean.signing import Signing  # noqa: PLC0415 - as above

        client, credentials = self._botocore.client(), self._botocore.credentials()
        attempts = _attempts(client)
        _refuse_listeners(client)
        if credentials is None:  # botocore says so best
            return _Choice(call=self._botocore.call, words="boto3 (no credentials)")
        try:
            learned = rehearse(client, credentials)
        except NotRehearsedError as why:
            raise NotTakenError(str(why)) from why
        except (AttributeError, LookupError, TypeError) as error:
            raise NotTakenError(f"botocore cannot be rehearsed ({type(error).__name__})") from error
        route = _route(client, learned.url)
        settings = LaneSettings(
            provider=credentials, errors=self._botocore.errors, timeout_s=self._botocore.timeout_s, attempts=attempts
        )
        signing = Signing(learned.forms, region=learned.region, service=learned.service, absolute=route.is_absolute)
        lane = LeanLane(settings, signing, Pool(route.open, self._clock), self._clock)
        return _Choice(call=self._with_boto3(lane), words="lean lane")

    def _with_boto3(self, lane: LeanLane) -> Way:
        """Return the lane that leaves a request which JSON cannot say to boto3, to refuse it in its own words."""
        from opstool.doors.lean.body import NotWrittenError  # noqa: PLC0415 - as above

        def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
            try:
                return lane(operation, request)
            except NotWrittenError:
                return self._botocore.call(operation, request)

        return call


def _attempts(client: Any) -> int:
    """Return how often botocore would ask; raise NotTakenError for a mode in which that is not a number."""
    retries = client.meta.config.retries or {}
    mode = retries.get("mode", "legacy")
    if mode not in _ATTEMPTS:
        raise NotTakenError(f"the retry mode is {mode}")
    return max(1, int(retries.get("total_max_attempts") or _ATTEMPTS[mode]))


def _refuse_listeners(client: Any) -> None:
    from opstool.doors.lean.hooks import is_patched, stranger  # noqa: PLC0415 - as above

    if is_patched(client):
        raise NotTakenError("something has replaced botocore's own methods")
    if listener := stranger(client, sorted(HOT)):
        raise NotTakenError(f"the boto3 session has a hook {listener}")


def _route(client: Any, url: str) -> Route:
    """Return the way that botocore's HTTP session would take; raise NotTakenError where it is not a plain one."""
    from opstool.doors.lean.route import Route  # noqa: PLC0415 - as above

    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    try:
        verify, proxies, certificate = (getattr(session, name) for name in ("_verify", "_proxy_config", "_cert_file"))
        proxy_url, settings = proxies.proxy_url_for(url), proxies.settings
    except AttributeError as error:
        raise NotTakenError("botocore's HTTP session cannot be read") from error
    scheme = urlsplit(url).scheme
    if scheme not in {"http", "https"}:
        raise NotTakenError(f"the endpoint's scheme is {scheme}")
    if certificate:
        raise NotTakenError("a client certificate is set")
    if proxy_url:
        _refuse_proxy(proxy_url, settings)
    config = client.meta.config
    return Route(
        url=url,
        timeout_s=config.connect_timeout,
        context=_context(verify) if scheme == "https" else None,
        proxy_url=proxy_url,
        keeps_alive=bool(getattr(config, "tcp_keepalive", False)),
    )


def _refuse_proxy(proxy_url: str, settings: Any) -> None:
    parts = urlsplit(proxy_url)
    try:
        host = parts.hostname if parts.port != 0 else None
    except ValueError:  # a port that is none
        host = None
    if not host:
        raise NotTakenError("a proxy's address cannot be read")
    if parts.username or parts.password:
        raise NotTakenError("a proxy needs authentication")
    if settings:
        raise NotTakenError("a proxy has settings of its own")
    if parts.scheme != "http":
        raise NotTakenError(f"a proxy speaks {parts.scheme}")


def _context(verify: Any) -> Any:
    """Return botocore's own TLS settings, with the host's name checked; one for all connections (20 ms each)."""
    import ssl  # noqa: PLC0415 - for https alone

    from botocore.httpsession import create_urllib3_context, get_cert_path  # noqa: PLC0415 - as above

    if not verify:
        raise NotTakenError("certificates are not verified")
    context = create_urllib3_context()
    context.check_hostname = True
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    try:
        context.load_verify_locations(get_cert_path(verify))
    except OSError as error:  # ssl.SSLError is one
        raise NotTakenError("the CA bundle cannot be read") from error
    return context
