"""The signer against the published vectors, and against botocore's on whatever a request may be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from opstool.doors.lean.signer import Credentials, Scope, canonical_head, signature, signing_key
from opstool.doors.lean.signing import Form, Signing

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html points to the suite;
# its files: https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
DATE = "20150830T123600Z"
SCOPE = Scope(day="20150830", region="us-east-1", service="service")
HOST = {"host": "example.amazonaws.com", "x-amz-date": DATE}
VECTORS = {
    "get-vanilla": (
        ("GET", "/", "", HOST),
        b"",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    "post-vanilla": (
        ("POST", "/", "", HOST),
        b"",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "get-vanilla-query-order-key-case": (
        ("GET", "/", "Param1=value1&Param2=value2", HOST),
        b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "post-header-value-case": (
        ("POST", "/", "", {**HOST, "my-header1": "VALUE1"}),
        b"",
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    "get-header-value-trim": (
        ("GET", "/", "", {**HOST, "my-header1": " value1", "my-header2": ' "a   b   c"'}),
        b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-x-www-form-urlencoded": (
        ("POST", "/", "", {**HOST, "content-type": "application/x-www-form-urlencoded"}),
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
}


@pytest.mark.parametrize(("request_of", "body", "expected"), VECTORS.values(), ids=VECTORS)
def test_the_published_vectors_are_met(
    request_of: tuple[str, str, str, dict[str, str]], body: bytes, expected: str
) -> None:
    """As far as a client of one POST may need them."""
    head = canonical_head(*request_of, signed=request_of[3])
    assert signature(signing_key(SECRET, SCOPE), SCOPE, DATE, head, body) == expected


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
TOKENS = st.none() | WORDS
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1))  # noqa: DTZ001 - hypothesis wants them so
HOSTS = st.sampled_from(["sqs.eu-west-1.amazonaws.com", "localhost:4566", "127.0.0.1", "[::1]:80", "[::1]:8443"])


@given(
    body=st.binary(max_size=300) | st.text(max_size=100).map(str.encode),
    secret=WORDS,
    token=TOKENS,
    moment=MOMENTS,
    url=st.builds("{}://{}{}".format, st.sampled_from(["http", "https"]), HOSTS, st.sampled_from(["/", "", "/a/b"])),
    region=st.sampled_from(["us-east-1", "cn-north-1", "us-gov-west-1", "local"]),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
)
def test_it_signs_as_botocore_does(
    *, body: bytes, secret: str, token: str | None, moment: datetime, url: str, region: str, value: str
) -> None:
    """Whatever body, token, time, region and address it is."""
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"x{value}", "User-Agent": "u"}
    theirs = AWSRequest("POST", url, headers=headers, data=body)
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        SigV4Auth(ReadOnlyCredentials("key", secret, token, None), "sqs", region).add_auth(theirs)
    signed = frozenset({"content-type", "host", "x-amz-date", "x-amz-target"})
    signing = Signing({"op": Form(url=url, headers=headers, signed=signed)}, region=region, service="sqs")
    credentials = Credentials(access_key="key", secret_key=secret, token=token)
    head = signing.head("op", body, credentials, int(moment.timestamp()), "attempt=1; max=1").decode()
    assert f"\r\nAuthorization: {theirs.headers['Authorization']}\r\n" in head
    assert f"\r\nX-Amz-Date: {theirs.headers['X-Amz-Date']}\r\n" in head
    assert (f"\r\nX-Amz-Security-Token: {token}\r\n" in head) is bool(token)


def test_a_moments_state_is_another_when_second_day_or_credentials_change() -> None:
    """The kept key must not sign for yesterday, nor for somebody else."""
    form = Form(url="http://h/", headers={}, signed=frozenset({"host", "x-amz-date"}))
    one, other = (Credentials(access_key="a", secret_key=secret) for secret in ("s", "t"))
    kept = Signing({"op": form}, region="r", service="s")
    for second, who in [(0, one), (0, other), (1, one), (86_400, one), (86_400, other), (0, one)]:
        fresh = Signing({"op": form}, region="r", service="s")
        heads = [each.head("op", b"", who, second, "").split(b"amz-sdk")[0] for each in (kept, fresh)]
        assert heads[0] == heads[1]


def test_threads_that_share_a_moment_sign_each_with_their_own() -> None:
    """Whatever second, day and credentials the others are at."""
    form = Form(url="http://h/", headers={}, signed=frozenset({"host", "x-amz-date"}), counts_attempts=False)
    who = [Credentials(access_key=f"a{number}", secret_key=f"s{number}", token=f"t{number}") for number in range(3)]
    asked = [(second, each) for second in (0, 1, 86_399, 86_400) for each in who] * 100
    fresh = {
        each: Signing({"op": form}, region="r", service="s").head("op", b"", each[1], each[0], "") for each in asked
    }
    shared = Signing({"op": form}, region="r", service="s")
    with ThreadPoolExecutor(8) as threads:
        heads = threads.map(lambda each: shared.head("op", b"", each[1], each[0], ""), asked)
        assert all(head == fresh[each] for each, head in zip(asked, heads, strict=True))


def test_secrets_stand_in_no_representation() -> None:
    """What is logged or raised may be printed."""
    shown = repr(Credentials(access_key="a", secret_key="hidden", token="hidden"))
    assert "hidden" not in shown
