"""Every server that the suites run against, by name: `opened(name)` gives one to ask."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pytest

from tests.lanes import session_over
from tests.servers import embedded, in_memory, local_aws_sqs, localstack, ministack
from tests.servers.environments import MissingServerError
from tests.servers.server import Server

__all__ = ["SERVERS", "MissingServerError", "Server", "opened", "opened_over"]

SERVERS: dict[str, Callable[[], Server]] = {
    "fake": in_memory.open,
    "moto": embedded.open,
    # A process of its own takes seconds to start: it serves everybody until this process ends.
    "local-aws-sqs": functools.cache(local_aws_sqs.open),
    "localstack": functools.cache(localstack.open),
    "ministack": functools.cache(ministack.open),
}


def opened(name: str) -> Server:
    """Open a server; where it is not installed, skip the test on a laptop and fail it in CI."""
    try:
        return SERVERS[name]()
    except MissingServerError as missing:
        _do_without(f"{missing}; `make servers` installs it")


def opened_over(name: str, lane: str) -> Server:
    """Open a server that speaks HTTP, and ask it over a lane."""
    server = opened(name)
    assert server.connection, "no lane leads there"
    return replace(server, call=session_over(lane, server.connection).sqs_call)


def _do_without(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
