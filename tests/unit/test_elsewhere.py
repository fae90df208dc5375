"""What a target inherits of the source's connection, and which addresses are one server."""

from __future__ import annotations

import pytest

from opstool.doors.endpoint import is_aws, is_same_server
from opstool.doors.place import inherited
from opstool.doors.session import Connection

EMULATOR, AWS = "http://127.0.0.1:4566", "https://sqs.eu-west-1.amazonaws.com"
LOCAL = Connection(
    region="us-east-1", endpoint_url=EMULATOR, access_key_id="k", secret_access_key="s", is_isolated=True, timeout_s=7
)


@pytest.mark.parametrize(
    ("source", "elsewhere", "expected"),
    [
        pytest.param(
            Connection(profile="a", region="r", timeout_s=7),
            Connection(region="q"),
            Connection(profile="a", region="q", timeout_s=7),
            id="profile and time-out are the source's",
        ),
        pytest.param(
            Connection(region="r", endpoint_url=EMULATOR),
            Connection(profile="b"),
            Connection(profile="b", region="r"),
            id="another profile does not go to the source's endpoint",
        ),
        pytest.param(
            Connection(region="r", endpoint_url=EMULATOR),
            Connection(region="q"),
            Connection(region="q", endpoint_url=EMULATOR),
            id="an emulator has every region",
        ),
        pytest.param(
            Connection(region="r", endpoint_url=AWS),
            Connection(region="q"),
            Connection(region="q"),
            id="an endpoint of AWS has one",
        ),
        pytest.param(
            Connection(region="r", endpoint_url=AWS),
            Connection(region="r"),
            Connection(region="r", endpoint_url=AWS),
            id="which is kept in its region",
        ),
        pytest.param(
            LOCAL,
            Connection(endpoint_url="http://127.0.0.1:9"),
            Connection(
                region="us-east-1",
                endpoint_url="http://127.0.0.1:9",
                access_key_id="k",
                secret_access_key="s",
                is_isolated=True,
                timeout_s=7,
            ),
            id="from the embedded AWS nothing of the user's goes anywhere",
        ),
        pytest.param(LOCAL, Connection(profile="b"), Connection(profile="b", timeout_s=7), id="unless they name it"),
    ],
)
def test_a_target_inherits_what_can_be_meant(source: Connection, elsewhere: Connection, expected: Connection) -> None:
    """Never another account's endpoint or credentials."""
    assert inherited(elsewhere, source) == expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (AWS, "https://eu-west-1.queue.amazonaws.com", True),
        (AWS, EMULATOR, False),
        (EMULATOR, "http://localhost:4566/", True),
        (EMULATOR, "http://sqs.us-east-1.localhost.localstack.cloud:4566", True),
        (EMULATOR, "http://127.0.0.1:4567", False),
        ("http://emulator", "http://EMULATOR.:80/x", True),
        ("http://emulator", "http://other", False),
        ("https://amazonaws.com.evil", AWS, False),
    ],
)
def test_one_server_may_be_spelled_in_many_ways(one: str, other: str, same: bool) -> None:
    """AWS is one server; of others host and port count."""
    assert (is_same_server(one, other), is_same_server(other, one)) == (same, same)


def test_a_name_that_only_looks_like_aws_is_not() -> None:
    """The whole suffix counts."""
    assert not is_aws("https://notamazonaws.com")
    assert not is_aws("https://amazonaws.com.example")
    assert is_aws("https://sqs.cn-north-1.amazonaws.com.cn")
