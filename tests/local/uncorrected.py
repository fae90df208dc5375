"""The scenarios of the departures against moto as it is: a process of its own, for corrections cannot be taken back."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable

from botocore.exceptions import ClientError
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.sqs import models

from opstool.local.client import ClientSettings
from tests.local import departures, function_departures, log_departures  # noqa: F401 they enter their scenarios
from tests.local.scenarios import SCENARIOS, Emulator


def uncorrected() -> dict[str, bool]:
    """Run every scenario."""
    logging.disable()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    skipped, seconds = [0.0], models.unix_time
    models.unix_time = lambda dt=None: seconds(dt) + skipped[0]  # type: ignore[assignment]
    models.unix_time_millis = lambda dt=None: (seconds(dt) + skipped[0]) * 1000.0  # type: ignore[assignment]

    def advance(by: float) -> None:
        skipped[0] += by

    host, port = server.get_host_and_port()
    settings = ClientSettings(endpoint_url=f"http://{host}:{port}", region="us-east-1")
    emulator = Emulator(settings=settings, advance=advance)
    return {name: _holds(run, emulator) for name, run in SCENARIOS.items()}


def _holds(run: Callable[[Emulator], bool], emulator: Emulator) -> bool:
    try:
        return run(emulator)
    except (ClientError, RuntimeError):  # a server error is a departure too, and so is a set that changed under a loop
        return False


if __name__ == "__main__":
    answers = uncorrected()
    sys.stdout.write(json.dumps(answers) + "\n")
    sys.stdout.flush()
    os._exit(0)  # moto's threads are of no more interest
