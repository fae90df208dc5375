"""What only a process of its own can show: pipes that close, signals, a full disk, and what is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A command line over the in-memory SQS, in a process of its own; `{prepare}` may bend the world.
PROGRAM = """
import os, signal, sys, threading
from pathlib import Path
from opstool.cli.main import main
from opstool.fake import Faults
from tests.cli.world import World

world = World(state_dir=Path({state!r}), patch=None)
world.kill(*[str(number) for number in range({messages})])
{prepare}
status = main({argv!r}, connect=world.connect)
print("DEPTHS", world.depth(world.dlq), world.depth(world.source), file=sys.stderr)
sys.exit(status)
"""

INTERRUPT = """
class Interrupting(Faults):
    seen = 0
    def before(self, operation, request):
        if operation == {operation!r}:
            self.seen += 1
            if self.seen == {call}:
                os.kill(os.getpid(), signal.{signal})
                assert world.kits[-1].stop.wait(10)
                {then}
world.sqs.faults = Interrupting()
"""


def run(
    tmp_path: Path, argv: list[str], *, prepare: str = "", messages: int = 30, shell: str = "", stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of its own; `shell` is what its output is piped into."""
    script = tmp_path / "program.py"
    state = str(tmp_path / "state")
    argv = ["--state-dir", state, *argv]
    script.write_text(PROGRAM.format(state=state, messages=messages, prepare=prepare, argv=argv))
    command = f'"{sys.executable}" "{script}" {shell}'
    return subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        input=stdin,
        timeout=60,
        check=False,
    )


def test_the_module_is_the_program() -> None:
    """`python -m opstool` is opstool."""
    done = subprocess.run(
        [sys.executable, "-m", "opstool", "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout[:8]) == (0, "opstool ")


def test_a_ctrl_c_while_the_program_loads_leaves_no_traceback() -> None:
    """Loading takes a third of a second, and a person may think better of it in that time."""
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'opstool.cli.main': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from opstool.__main__ import run; run()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes as POSIX has them")


@posix_only
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`list | head -1` leaves no traceback and keeps the status of the command."""
    argv = ["dlq", "list", "--limit", "30", "--output", "jsonl"]
    done = run(tmp_path, argv, shell="| head -1")
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert "error" not in done.stderr


@posix_only
@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["dlq", "list"], 0),
        (["dlq", "list", "--output", "json"], 0),
        (["dlq", "redrive", "--yes"], 0),
        (["dlq", "export"], 1),
    ],
    ids=["list", "list as JSON", "redrive", "export"],
)
def test_a_closed_stdout_keeps_the_status(tmp_path: Path, argv: list[str], status: int) -> None:
    """A run whose report nobody reads is still done; only an export, whose output is its result, has failed."""
    close = "import time\nreader, writer = os.pipe(); os.close(reader); os.dup2(writer, 1)"
    done = run(tmp_path, argv, prepare=close)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if argv[1] == "redrive":
        assert "DEPTHS 0 30" in done.stderr
    if argv[1] == "export":
        assert "pipe_closed" in done.stderr
        assert "DEPTHS 30 0" in done.stderr


@posix_only
@pytest.mark.parametrize("argv", ["history", "history --output json", "dlq bogus --output json"])
def test_a_program_without_a_stdout_keeps_its_status(tmp_path: Path, argv: str) -> None:
    """Started with `>&-`, as some schedulers do, there is nobody to write to and nothing to complain about."""
    command = f'"{sys.executable}" -m opstool --state-dir "{tmp_path}" {argv} >&-'
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == (2 if "bogus" in argv else 0)
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "argv", [["dlq", "list"], ["dlq", "export"], ["dlq", "list", "--output", "json"]], ids=" ".join
)
def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path, argv: list[str]) -> None:
    """A full disk behind stdout is status 1, said once."""
    done = run(tmp_path, argv, prepare="os.dup2(os.open('/dev/full', os.O_WRONLY), 1)")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


@posix_only
@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_the_first_signal_ends_a_run_in_good_order(tmp_path: Path, signal: str) -> None:
    """What is in hand is settled, the rest is released, the status is 130, and the run can be resumed."""
    prepare = INTERRUPT.format(operation="SendMessageBatch", call=2, signal=signal, then="pass")
    argv = ["--workers", "1", "dlq", "redrive", "--yes", "--output", "json"]
    done = run(tmp_path, argv, prepare=prepare)
    assert done.returncode == 130, done.stderr
    assert "interrupted: finishing what is in hand" in done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "interrupted"
    assert report["received"] == sum(
        report[each] for each in ("succeeded", "skipped", "failed", "released", "returned")
    )
    left, sent = (int(number) for number in done.stderr.split("DEPTHS ")[1].split())
    assert (left + sent, sent) == (30, report["succeeded"])
    assert 0 < sent < 30


@posix_only
def test_the_second_signal_leaves_at_once(tmp_path: Path) -> None:
    """A second Ctrl-C ends the process with 130 while a call is still under way."""
    then = "[os.kill(os.getpid(), signal.SIGINT) for _ in range(500) if not threading.Event().wait(0.1)]"
    prepare = INTERRUPT.format(operation="SendMessageBatch", call=1, signal="SIGINT", then=then)
    done = run(tmp_path, ["dlq", "redrive", "--yes"], prepare=prepare)
    assert done.returncode == 130
    assert "DEPTHS" not in done.stderr


@posix_only
@pytest.mark.parametrize(
    "argv",
    [
        ["dlq", "list"],
        ["dlq", "list", "--body-contains", "1"],
        ["dlq", "redrive", "--yes"],
        ["dlq", "redrive", "--yes", "--body-contains", "1"],
        ["dlq", "export"],
    ],
    ids=" ".join,
)
def test_an_interrupted_look_changes_nothing(tmp_path: Path, argv: list[str]) -> None:
    """Ctrl-C while looking releases everything and ends with 130; a redrive that was still planning sends nothing."""
    prepare = INTERRUPT.format(operation="ReceiveMessage", call=1, signal="SIGINT", then="pass")
    done = run(tmp_path, ["--workers", "1", *argv], prepare=prepare)
    assert done.returncode == 130, done.stderr
    assert "DEPTHS 30 0" in done.stderr
    assert "Traceback" not in done.stderr
    if argv[1] == "redrive":
        assert "nothing was changed" in done.stderr
        assert done.stdout == ""
