"""The address of an object in S3, as the AWS CLI writes it: s3://bucket/key."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from opstool.words.errors import UsageError

_SCHEME = re.compile(r"s3:", re.IGNORECASE)
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
LONGEST_KEY_BYTES = 1_024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Address:
    """One object, or with a key that is empty or ends in a slash a folder: somewhere to put an object."""

    bucket: str
    key: str

    def __str__(self) -> str:
        """Return it as it is typed."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def is_folder(self) -> bool:
        """Tell whether it names no object."""
        return not self.key or self.key.endswith("/")

    def of_file(self, name: str) -> S3Address:
        """Return the address of an object: this one, or in this folder the one of that name."""
        return _checked(replace(self, key=self.key + name)) if self.is_folder else self


def place_of(text: str) -> Path | S3Address:
    """Return the address in S3 that a text is, else the path of a file; raise UsageError for half an address.

    A file whose name begins with `s3:` is named with `./` before it.
    """
    return parse(text) if _SCHEME.match(text) else Path(text)


def parse(text: str) -> S3Address:
    """Return the address; raise UsageError. What stands before an `@` may be a secret, and is not repeated."""
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://"):
        raise _refusal(text, "it does not begin with s3://")
    if "@" in bucket:
        raise UsageError("an address in S3 has no credentials in it", code="invalid_address", hint="set AWS_PROFILE")
    if not _BUCKET.fullmatch(bucket):
        raise _refusal(text, "what follows s3:// is not the name of a bucket")
    return _checked(S3Address(bucket=bucket, key=key))


def _checked(address: S3Address) -> S3Address:
    try:
        length = len(address.key.encode())
    except UnicodeEncodeError:
        raise _refusal("s3://...", "its key is not UTF-8 text") from None
    if length > LONGEST_KEY_BYTES:
        raise _refusal(f"s3://{address.bucket}/...", f"its key is longer than {LONGEST_KEY_BYTES:,} bytes")
    if not address.key.isprintable():
        raise _refusal(str(address), "its key holds a character that cannot be seen")
    return address


def _refusal(text: str, why: str) -> UsageError:
    return UsageError(f"`{text}`: {why}", code="invalid_address", hint="s3://bucket/folder/archive.jsonl.gz")
