"""The head of a request: what botocore would write, with a signature of this second."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from opstool.doors.lean.signer import ALGORITHM, Credentials, Scope, canonical_head, signature, signing_key

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Form:
    """How botocore writes the requests of one operation: what stays the same from call to call.

    `headers` are those that it sets, without date, token, signature and what counts attempts; `signed` are the
    lower-case names that its signature covers.
    """

    url: str
    headers: Mapping[str, str]
    signed: frozenset[str]
    counts_attempts: bool = True

    @property
    def host(self) -> str:
        """Return the value of the Host header: without the port where it is the scheme's own."""
        parts = urlsplit(self.url)
        name = parts.hostname or ""
        name = f"[{name}]" if ":" in name else name
        return name if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f"{name}:{parts.port}"

    @property
    def path(self) -> str:
        """Return the path of the request line."""
        return urlsplit(self.url).path or "/"

    @property
    def query(self) -> str:
        """Return the query of the request line, empty where there is none."""
        return urlsplit(self.url).query


@dataclass(frozen=True, kw_only=True, slots=True)
class _Moment:
    """What all requests of one second have in common; made whole, then shown to every thread at once."""

    second: int
    credentials: Credentials
    amz_date: str
    scope: Scope
    key: bytes = field(repr=False)
    canonical: Mapping[str, str] = field(repr=False)
    written: Mapping[str, str] = field(repr=False)


class Signing:
    """Signs the requests of some operations; `absolute` writes the whole URL, as a proxy wants it. Thread-safe."""

    def __init__(self, forms: Mapping[str, Form], *, region: str, service: str, absolute: bool = False) -> None:
        self._forms = forms
        self._region = region
        self._service = service
        self._absolute = absolute
        self._moment: _Moment | None = None

    def head(self, operation: str, body: bytes, credentials: Credentials, second: int, attempts: str) -> bytes:
        """Return the head of a request; `second` since the epoch, `attempts` as amz-sdk-request says them."""
        moment = self._moment
        if moment is None or moment.second != second or moment.credentials is not credentials:
            moment = self._new_moment(second, credentials)
            self._moment = moment
        signed = signature(moment.key, moment.scope, moment.amz_date, moment.canonical[operation], body)
        counted = ""
        if self._forms[operation].counts_attempts:
            counted = f"amz-sdk-invocation-id: {_invocation_id()}\r\namz-sdk-request: {attempts}\r\n"
        return f"{moment.written[operation]}{signed}\r\n{counted}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")

    def _new_moment(self, second: int, credentials: Credentials) -> _Moment:
        amz_date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        scope = Scope(day=amz_date[:8], region=self._region, service=self._service)
        last = self._moment
        known = last and last.scope == scope and last.credentials == credentials
        canonical, written = {}, {}
        for operation, form in self._forms.items():
            headers = {**form.headers, "X-Amz-Date": amz_date}
            if credentials.token:
                headers["X-Amz-Security-Token"] = credentials.token
            lower = {"host": form.host, **{name.lower(): value for name, value in headers.items()}}
            signed = form.signed | ({"x-amz-security-token"} if credentials.token else set())
            canonical[operation] = canonical_head("POST", form.path, form.query, lower, signed)
            written[operation] = self._written(form, headers, credentials, scope, signed)
        return _Moment(
            second=second,
            credentials=credentials,
            amz_date=amz_date,
            scope=scope,
            key=last.key if last and known else signing_key(credentials.secret_key, scope),
            canonical=canonical,
            written=written,
        )

    def _written(
        self, form: Form, headers: Mapping[str, str], credentials: Credentials, scope: Scope, signed: frozenset[str]
    ) -> str:
        """Return the head up to where the signature stands."""
        target = form.path + (f"?{form.query}" if form.query else "")
        if self._absolute:
            target = f"{urlsplit(form.url).scheme}://{form.host}{target}"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        names = ";".join(sorted(signed))
        return (
            f"POST {target} HTTP/1.1\r\nHost: {form.host}\r\nAccept-Encoding: identity\r\n{lines}"
            f"Authorization: {ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature="
        )


def _invocation_id() -> str:
    """Return a UUID of version 4 that names one call in the service's logs; the system's chance would cost a wait."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
