"""The detached embedded AWS: started by detached.py, it runs until it is told to stop."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from opstool.local.aws import start
from opstool.words.errors import OpstoolError

LOG = logging.getLogger("opstool.local")


def main() -> None:
    """Be the detached process: start, say so, and run until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    wanted = json.load(sys.stdin)
    try:
        local = start(
            Path(wanted["template"]),
            stack_name=wanted["stack_name"],
            parameters=wanted["parameters"],
            state_dir=Path(wanted["state_dir"]),
            region=wanted["region"],
            cache=Path(wanted["cache"]) if wanted["cache"] else None,
        )
    except OpstoolError as error:
        _say({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
        sys.exit(1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: local.stopped.set())
    with local:
        LOG.info("ready on %s", local.endpoint_url)
        _say({"ready": True})
        local.stopped.wait()
        LOG.info("stopping")


def _say(content: dict[str, Any]) -> None:
    """Say one line to the parent, and let go of its pipe."""
    sys.stdout.write(json.dumps(content))
    sys.stdout.flush()
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


if __name__ == "__main__":
    main()
