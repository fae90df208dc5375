"""Runs `sam` and `opstool` as a person types them, shows what is done, and stops at the first surprise."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REGION = "us-east-1"
COMMAND_TIMEOUT_S = 300


class SurpriseError(Exception):
    """Something is not as the template promises."""


def require(condition: object, otherwise: str) -> None:
    """Raise SurpriseError with the words given unless the condition holds."""
    if not condition:
        raise SurpriseError(otherwise)


def say(step: str) -> None:
    """Print what is done next, at once, so that a log that stops says where."""
    sys.stdout.write(f"==> {step}\n")
    sys.stdout.flush()


def clean_settings(folder: Path, sam_programs: Path) -> dict[str, str]:
    """Return the environment of every command: made-up credentials, and nothing of this machine's AWS settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OPSTOOL_", "SAM_"))}
    return kept | {
        "PATH": f"{sam_programs}{os.pathsep}{os.environ['PATH']}",  # where `sam build` looks for the interpreter
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "NO_COLOR": "1",
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(folder / "sam-cli"),
        "XDG_STATE_HOME": str(folder / "state"),
    }


@dataclass(frozen=True, kw_only=True)
class Commands:
    """The commands of one proof, all run in one folder with one environment."""

    folder: Path
    settings: Mapping[str, str]
    sam_program: Path

    def sam(self, *arguments: str) -> None:
        """Run SAM CLI."""
        self._run([str(self.sam_program), *arguments], shown=" ".join(["sam", *arguments]))

    def opstool(self, *arguments: str) -> dict[str, Any]:
        """Run opstool and return its JSON document."""
        said = self._run(
            [sys.executable, "-m", "opstool", *arguments, "--output", "json"], shown=" ".join(["opstool", *arguments])
        )
        document: dict[str, Any] = json.loads(said)
        return document

    def _run(self, command: list[str], *, shown: str) -> str:
        """Run a command and return its stdout; any status but 0 is a surprise."""
        say(shown)
        started = time.monotonic()
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        require(done.returncode == 0, f"`{shown}` ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
        sys.stdout.write(f"    ({time.monotonic() - started:.1f} s)\n")
        return done.stdout
