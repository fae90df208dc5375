from __future__ import annotations

from pathlib import Path

import pytest

from opstool.words.errors import UsageError
from opstool.words.s3address import S3Address, parse, place_of


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://bucket/key", "bucket", "key"),
        ("s3://my.bucket-1/a/b/c.jsonl.gz", "my.bucket-1", "a/b/c.jsonl.gz"),
        ("s3://bucket/a b/ü//c", "bucket", "a b/ü//c"),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket", "bucket", ""),
    ],
)
def test_an_address_is_a_bucket_and_a_key(text: str, bucket: str, key: str) -> None:
    """The key is taken as it is; only its bucket has a form."""
    assert parse(text) == S3Address(bucket=bucket, key=key)
    assert str(parse(text)).removesuffix("/") == text.removesuffix("/")


@pytest.mark.parametrize(
    "text",
    [
        "s3:/bucket/key",
        "s3:bucket/key",
        "S3://bucket/key",
        "s3:///key",
        "s3://b/key",
        "s3://Bucket/key",
        "s3://bucket?x=1/key",
        "s3://bucket:80/key",
        "s3://bucket/a\x1b[0m",
        "s3://bucket/a\nb",
        "s3://bucket/" + "ü" * 513,
        "s3://bucket/\udc80",
    ],
)
def test_half_an_address_is_refused_and_no_file(text: str) -> None:
    """A file of such a name would be a surprise."""
    with pytest.raises(UsageError) as error:
        place_of(text)
    assert error.value.code == "invalid_address"


@pytest.mark.parametrize("text", ["s3://AKIA123:secret@bucket/key", "s3://secret@bucket/key"])
def test_credentials_in_an_address_are_refused_and_not_repeated(text: str) -> None:
    """What is said ends up in logs."""
    with pytest.raises(UsageError) as error:
        parse(text)
    assert "secret" not in error.value.message + str(error.value.hint)


@pytest.mark.parametrize("text", ["a.jsonl", "./s3:a", "/s3://a", "s3", "folder/s3:x"])
def test_everything_else_is_a_file(text: str) -> None:
    """One that begins with s3: is named with ./ before it."""
    assert place_of(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket", "s3://bucket/a.gz"),
        ("s3://bucket/", "s3://bucket/a.gz"),
        ("s3://bucket/x/", "s3://bucket/x/a.gz"),
        ("s3://bucket/x", "s3://bucket/x"),
    ],
)
def test_in_a_folder_an_object_gets_a_name(text: str, expected: str) -> None:
    """And one that was named keeps its own."""
    assert str(parse(text).of_file("a.gz")) == expected


def test_a_folder_in_which_no_name_fits_is_refused() -> None:
    """Rather than cut."""
    with pytest.raises(UsageError, match="longer than"):
        parse("s3://bucket/" + "x" * 1_020 + "/").of_file("archive.jsonl.gz")
