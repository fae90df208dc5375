"""A cold start is somebody waiting: what is not needed is not imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from consumer_under_test import CONSUMER, MODULES

# Powertools looks whether the bare `botocore` package is there; that costs nothing. Its parts are what is slow.
LOOK = """
import json, sys
import app
heavy = ("boto3", "botocore.", "pydantic", "aws_xray_sdk")
print(json.dumps(sorted(name for name in sys.modules if name.startswith(heavy))))
"""


def start(**environment: str) -> list[str]:
    """Import the function in a new process and return which heavy modules came with it."""
    settings = {"PATH": os.environ["PATH"], "AWS_REGION": "us-east-1", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    if "SYSTEMROOT" in os.environ:  # Windows starts no process without it
        settings["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOK],
        cwd=CONSUMER,
        env=settings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    modules = json.loads(done.stdout)
    assert isinstance(modules, list)
    return modules


def test_nothing_heavy_is_imported() -> None:
    """boto3 alone would more than double the time to start."""
    assert start() == []


def test_boto3_comes_with_pacing() -> None:
    """It is imported while the function starts, not in the time of a batch."""
    assert "boto3" in start(RETRY_PACING="on")


def test_the_failure_line_needs_nothing_but_python() -> None:
    """What describes a failure must not be what fails."""
    look = "import sys, failures; print([n for n in sys.modules if n.startswith(('aws_lambda', 'boto'))])"
    done = subprocess.run([sys.executable, "-c", look], cwd=CONSUMER, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_only_a_failure_needs_waits_for_one() -> None:
    """Most batches have none."""
    look = "import sys, app; print('masking' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], cwd=CONSUMER, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_module_of_the_consumer_hides_one_of_pythons() -> None:
    """Flat modules come first on the path, so a name of the standard library would be taken over."""
    assert sys.stdlib_module_names.isdisjoint(MODULES)
