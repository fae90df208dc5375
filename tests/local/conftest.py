"""What the tests of the embedded AWS share: a corrected server, queues with names of their own, and small functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opstool.local.function import Function
from opstool.local.function_config import FunctionConfig
from opstool.local.server import EmbeddedServer

_numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """Serve corrected moto for one test file."""
    server = EmbeddedServer(instance_id="secret")
    yield server
    server.close()


@pytest.fixture(scope="module")
def sqs(server: EmbeddedServer) -> Any:
    """Return an SQS client of the server."""
    return server.settings.client("sqs")


@pytest.fixture
def make_queue(sqs: Any) -> Callable[..., str]:
    """Return a maker of queues; each call makes another one."""

    def make(*, fifo: bool = False, **attributes: str) -> str:
        name = f"queue-{next(_numbers)}" + (".fifo" if fifo else "")
        if fifo:
            attributes["FifoQueue"] = "true"
        return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    return make


@pytest.fixture
def make_function(server: EmbeddedServer, tmp_path: Path) -> Iterator[Callable[..., Function]]:
    """Return a maker of functions from source text; all of them end with the test."""
    made: list[Function] = []

    def make(source: str, *, handler: str = "app.handler", file: str = "app.py", **settings: Any) -> Function:
        folder = tmp_path / f"code-{next(_numbers)}"
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_text(source, encoding="utf-8")
        config = FunctionConfig(
            logical_id="Fn",
            name=f"fn-{next(_numbers)}",
            arn="arn:aws:lambda:us-east-1:123456789012:function:fn",
            handler=handler,
            runtime="python3.13",
            directory=folder,
            log_group=f"/aws/lambda/fn-{next(_numbers)}",
            **{"timeout_s": 5, **settings},
        )
        made.append(Function(config, server.settings))
        return made[-1]

    yield make
    for function in made:
        function.close()


def log_of(server: EmbeddedServer, function: Function) -> list[str]:
    """Return the lines of a function's log group."""
    events = server.settings.client("logs").filter_log_events(logGroupName=function.config.log_group)["events"]
    return [event["message"] for event in events]
