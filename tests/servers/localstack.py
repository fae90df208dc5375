"""localstack-core in host mode, without Docker: the most faithful, with move tasks."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.servers.environments import Environment, find_interpreter
from tests.servers.program import Program, Running
from tests.servers.server import Server

ENVIRONMENT = Environment(name=".venv-localstack", pins=Path(__file__).parent / "localstack-requirements.txt")
PYTHON = "python3.13"  # the one that it supports
LATE_S = 1.0  # it looks once a second for messages whose visibility timeout is over
CATALOG = "service-catalog-*.dill"
CACHE = Path("filesystem", "var", "lib", "localstack", "cache")


def install() -> None:
    """Make its environment, and keep in it what its first start works out in many seconds."""
    ENVIRONMENT.make_python(find_interpreter(PYTHON))
    if not list(ENVIRONMENT.folder.glob(CATALOG)):
        running = _start()
        for catalog in (running.folder / CACHE).glob(CATALOG):
            shutil.copy(catalog, ENVIRONMENT.folder)
        running.close()


def open() -> Server:  # noqa: A001 - each server's module has one
    """Start it; raise MissingServerError when it is not installed."""
    return _start().server()


def _start() -> Running:
    """Start it and let it load SQS, which it does at the first request."""
    python = ENVIRONMENT.require() / "bin" / "python"
    running = Program(
        name="localstack",
        command=[str(python), "-m", "localstack.runtime.main"],
        settings=_settings,
        health="/_localstack/health",
        late_s=LATE_S,
        has_move_tasks=True,
    ).start()
    running.server().ask("ListQueues")
    return running


def _settings(port: int, folder: Path) -> dict[str, str]:
    """Keep it on loopback, off the network, and inside its folder, where it finds its catalog."""
    (folder / CACHE).mkdir(parents=True)
    for catalog in ENVIRONMENT.folder.glob(CATALOG):
        shutil.copy(catalog, folder / CACHE)
    return {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_SERVER": "hypercorn",  # the default one takes the port only, and listens on every address
        "OVERRIDE_IN_DOCKER": "0",  # it would write to /var/lib in a container
        "FILESYSTEM_ROOT": str(folder / "filesystem"),
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "SERVICES": "sqs,sts",
        "SQS_ENDPOINT_STRATEGY": "dynamic",  # queue URLs name the address that was asked, and no public domain
        "DISABLE_EVENTS": "1",  # telemetry
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }
