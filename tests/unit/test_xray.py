"""A trace id becomes a link to AWS's own console, and nothing else of a stranger's text does."""

from __future__ import annotations

import pytest

from opstool.words.xray import console_url, trace_id_in

TRACE_ID = "1-6774a2f0-0123456789abcdef01234567"


def arn(partition: str = "aws", region: str = "eu-west-1") -> str:
    """Return the ARN of a queue there."""
    return f"arn:{partition}:sqs:{region}:123456789012:orders-dlq"


@pytest.mark.parametrize(
    "text",
    [
        TRACE_ID,
        f"Root={TRACE_ID}",
        f"Root={TRACE_ID};Parent=53995c3f42cd8ad8;Sampled=1",
        f"Self=1-67891234-12456789abcdef012345678;Root={TRACE_ID};CalledFrom=app",
        f" Sampled=0 ; Root={TRACE_ID} ",
        f"Root=nonsense;Root={TRACE_ID}",
    ],
)
def test_an_id_is_found_in_a_header_and_on_its_own(text: str) -> None:
    """A message has the header, a log line the id."""
    assert trace_id_in(text) == TRACE_ID


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "Root=",
        f"Parent={TRACE_ID}",
        f"Root={TRACE_ID}0",
        f"Root={TRACE_ID}\n",
        f"Root={TRACE_ID}/../../evil",
        f"Root=2{TRACE_ID[1:]}",
        f"Root={TRACE_ID.replace('a', 'g')}",
        "Root=1-6774a2f0-\u0660123456789abcdef0123456",
        "Root=https://evil.example/",
        ";" * 1000,
    ],
    ids=ascii,
)
def test_what_has_not_the_form_is_no_id(text: str | None) -> None:
    """The header is whatever its sender wrote."""
    assert trace_id_in(text) is None


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "console.aws.amazon.com"),
        ("aws", "ap-southeast-4", "console.aws.amazon.com"),
        ("aws-cn", "cn-northwest-1", "console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_the_link_leads_to_the_console_of_the_partition(partition: str, region: str, host: str) -> None:
    """The region stands in the link, because the console would open in the one that was used last."""
    url = console_url(TRACE_ID, arn=arn(partition, region))
    assert url == f"https://{host}/cloudwatch/home?region={region}#xray:traces/{TRACE_ID}"


@pytest.mark.parametrize(
    ("trace_id", "of"),
    [
        (f"{TRACE_ID}&x=y", arn()),
        ("javascript:alert(1)", arn()),
        (TRACE_ID, arn("aws-iso", "us-iso-east-1")),
        (TRACE_ID, arn("aws.evil.example/", "eu-west-1")),
        (TRACE_ID, arn("aws", "eu-west-1#evil")),
        (TRACE_ID, arn("aws", "")),
        (TRACE_ID, "orders-dlq"),
        (TRACE_ID, ""),
    ],
)
def test_where_any_part_is_not_what_it_should_be_there_is_no_link(trace_id: str, of: str) -> None:
    """A server that lies about the ARN makes no link either."""
    assert console_url(trace_id, arn=of) is None
