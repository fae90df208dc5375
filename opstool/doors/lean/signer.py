"""AWS Signature Version 4, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.

The key derived for a day, a region and a secret is kept: four of the five HMACs of a signature.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self

_LARGE_BODY, _AT_ONCE = 65_536, 2_047
ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """Who signs, as of one moment."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, frozen: Any) -> Self:
        """Return those that botocore has frozen; raise ValueError where a header would end with them."""
        for said in (frozen.access_key, frozen.token or ""):
            if not (said.isascii() and said.isprintable()):
                raise ValueError("the credentials hold a character that no header may hold")
        return cls(access_key=frozen.access_key, secret_key=frozen.secret_key, token=frozen.token)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What a signature is good for. `day` is written YYYYMMDD, in UTC."""

    day: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def signing_key(secret_key: str, scope: Scope) -> bytes:
    """Return the key that is derived for a scope."""
    key = f"AWS4{secret_key}".encode()
    for part in (scope.day, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def canonical_head(method: str, path: str, query: str, headers: Mapping[str, str], signed: Iterable[str]) -> str:
    """Return the canonical request without its last line, the hash of the body.

    `path` and `query` stand as they go over the wire, normalised and sorted; `headers` have lower-case names.
    """
    names = sorted(signed)
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names)
    return f"{method}\n{path}\n{query}\n{lines}\n{';'.join(names)}\n"


def signature(key: bytes, scope: Scope, amz_date: str, head: str, body: bytes) -> str:
    """Return the signature, in hex, of a request with this canonical head and this body."""
    request = sha256(f"{head}{_hashed(body)}".encode()).hexdigest()
    return hmac.digest(key, f"{ALGORITHM}\n{amz_date}\n{scope}\n{request}".encode(), "sha256").hex()


def _hashed(body: bytes) -> str:
    """Return the SHA-256 of a body, in hex.

    At 2,048 bytes and more hashlib lets go of the interpreter, which among many threads takes longer to have again than
    the hash of a batch takes; a large body is worth it.
    """
    if len(body) > _LARGE_BODY:
        return sha256(body).hexdigest()
    digest, view = sha256(), memoryview(body)
    for start in range(0, len(body), _AT_ONCE):
        digest.update(view[start : start + _AT_ONCE])
    return digest.hexdigest()
