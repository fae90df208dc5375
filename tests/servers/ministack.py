"""ministack: the server that `make template` deploys to."""

from __future__ import annotations

from pathlib import Path

from tests.servers.environments import ROOT, Environment, find_interpreter, runtime
from tests.servers.program import Program
from tests.servers.server import Server

ENVIRONMENT = Environment(name=".venv-ministack", pins=ROOT / "tests" / "sam" / "ministack-requirements.txt")


def install() -> None:
    """Make its environment, of the template's runtime: it is also where the functions run."""
    ENVIRONMENT.make_python(find_interpreter(runtime()))


def open() -> Server:  # noqa: A001 - each server's module has one
    """Start it; raise MissingServerError when it is not installed."""
    python = ENVIRONMENT.require() / "bin" / "python"
    return (
        Program(
            name="ministack",
            command=[str(python), "-m", "ministack"],
            settings=_settings,
            health="/_ministack/health",
        )
        .start()
        .server()
    )


def _settings(port: int, folder: Path) -> dict[str, str]:
    """Keep it on loopback and inside its folder."""
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "S3_DATA_DIR": str(folder / "s3"),
    }
