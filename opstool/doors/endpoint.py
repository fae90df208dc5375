"""Where an SQS listens: whether two addresses are one server, so that one ARN there is one queue.

An ARN names one queue of AWS, wherever it is asked. On servers that are not AWS everybody has the same few accounts,
so there the address counts too.
"""

from __future__ import annotations

from urllib.parse import urlsplit

_AWS = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".amazonaws.eu",
    ".api.amazonwebservices.eu",
    ".c2s.ic.gov",
    ".api.aws.ic.gov",
    ".sc2s.sgov.gov",
    ".api.aws.scloud",
    ".cloud.adc-e.uk",
    ".api.cloud-aws.adc-e.uk",
    ".csp.hci.ic.gov",
    ".api.aws.hci.ic.gov",
)
"""The names under which AWS's partitions answer, VPC endpoints included: partitions.json of botocore 1.40."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared, and never listened on
_NAMES_OF_THIS_MACHINE = (".localhost", ".localhost.localstack.cloud")
"""RFC 6761 reserves the one; LocalStack's own name leads to 127.0.0.1: https://docs.localstack.cloud/references/network-troubleshooting/"""
_PORTS = {"http": 80, "https": 443}


def is_aws(endpoint_url: str) -> bool:
    """Tell whether AWS itself answers at this address."""
    return f".{_host(endpoint_url)}".endswith(_AWS)


def is_same_server(one: str, other: str) -> bool:
    """Tell whether two addresses, spelled in any way, are one server: AWS is one, everything else its host and port.

    An address of your own that leads to AWS, or to a server which has another address as well, is not recognised.
    """
    return one == other or (is_aws(one) and is_aws(other)) or _listens(one) == _listens(other)


def _listens(endpoint_url: str) -> tuple[str, int | None]:
    parts = urlsplit(endpoint_url)
    host = _host(endpoint_url)
    here = host in _THIS_MACHINE or f".{host}".endswith(_NAMES_OF_THIS_MACHINE)
    return "this machine" if here else host, parts.port or _PORTS.get(parts.scheme)


def _host(endpoint_url: str) -> str:
    return (urlsplit(endpoint_url).hostname or "").rstrip(".")
