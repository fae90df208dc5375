"""The npm package local-aws-sqs: strict about requests, with move tasks, and fast."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.servers.environments import Environment
from tests.servers.program import Program
from tests.servers.server import Server

HERE = Path(__file__).parent
ENVIRONMENT = Environment(name=".node-local-aws-sqs", pins=HERE / "local-aws-sqs-package.json")


def install() -> None:
    """Install it with its exact dependencies."""
    ENVIRONMENT.make_node()


def open() -> Server:  # noqa: A001 - each server's module has one
    """Start it; raise MissingServerError when it is not installed."""
    packages = ENVIRONMENT.require() / "node_modules"
    return (
        Program(
            name="local-aws-sqs",
            command=[shutil.which("node") or "node", str(HERE / "local-aws-sqs.cjs")],
            settings=lambda port, _: {"PORT": str(port), "NODE_PATH": str(packages)},
            health="/",
            has_move_tasks=True,
        )
        .start()
        .server()
    )
