"""The seam to every service but SQS: one request, in the API's own names and boto3's types."""

from __future__ import annotations

from typing import Any, Protocol

from opstool.words.errors import ServiceError


class Ask(Protocol):
    """One request to a service, named as boto3 names it; raises OpstoolError. `session.Session.ask` is one."""

    def __call__(self, service: str, operation: str, request: dict[str, Any], /) -> dict[str, Any]:
        """Carry out `operation`, such as DescribeStacks."""


def refuse(service: str, operation: str, _request: dict[str, Any], /) -> dict[str, Any]:
    """Say no: what a toolkit over SQS alone answers for every other service."""
    raise ServiceError(f"`{operation}`: there is no {service} here", code="no_service")
