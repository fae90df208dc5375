from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.hostile.test_archives import line

WATCHED = """
import json, os, sys

touched = []


def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        flags = arguments[2] if isinstance(arguments[2], int) else 0
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            touched.append(os.fsdecode(arguments[0]))
    elif event in CHANGES:
        touched.extend(os.fsdecode(each) for each in arguments if isinstance(each, (str, bytes)))
    elif event in {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "ctypes.dlopen"}:
        touched.append(event)


CHANGES = {
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "os.setxattr", "os.mkfifo", "shutil.rmtree", "shutil.copyfile", "shutil.move",
}
folder, *commands = sys.argv[1:]
from pathlib import Path
import pytest
import opstool.doors.journal, opstool.verbs.history
from tests.cli.world import World

with pytest.MonkeyPatch.context() as patch:
    world = World(state_dir=Path(folder, "state"), patch=patch)
    world.make_queue("orders-dlq-2")
    world.run("history")
    sys.addaudithook(watch)
    statuses = [world.run(*json.loads(each)).status for each in commands]
    found = list(touched)
print(json.dumps({"touched": found, "statuses": statuses}))
"""
"""Runs command lines, and tells which paths were opened for writing, made, renamed or taken away meanwhile."""

PATHS = "../../etc/passwd", "/etc/passwd", "~/.ssh/authorized_keys", "file:///etc/passwd", "..\\..\\x", "/dev/null"


def test_nothing_in_an_archive_is_taken_for_a_path(tmp_path: Path) -> None:
    """An import writes into the state folder and to nameless temporary files, whatever the archive's texts are."""
    given, state = tmp_path / "given", tmp_path / "state"
    given.mkdir()
    lines = [
        line(
            body=path, message_id=path, archive=path, source_queue=path, group_id="g", deduplication_id=path,
            attributes={"path": {"type": "String", "value": path}}, body_sha256=path, reason=path,
        )
        for path in PATHS
    ]  # fmt: skip
    good, bad, out = given / "good.jsonl", given / "bad.jsonl", given / "out.jsonl"
    good.write_bytes(b"".join(lines))
    bad.write_bytes(b"".join(lines) + line(queue="arn:aws:sqs:us-east-1:1:../../etc/passwd"))
    commands = [
        ["dlq", "import", str(good), "--yes"],
        ["dlq", "import", str(good), "--to", "orders-dlq-2", "--yes"],
        ["dlq", "import", str(bad), "--yes"],
        ["dlq", "list", "--ids-from", str(good)],
        ["dlq", "export", "--to-file", str(out)],
        ["dlq", "purge", "--confirm", "orders-dlq"],
        ["history"],
    ]
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path), *map(json.dumps, commands)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path.cwd()), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["statuses"] == [0, 0, 2, 3, 0, 0, 0]
    elsewhere = [path for path in told["touched"] if not Path(path).is_relative_to(state) and path != str(out)]
    assert elsewhere == []
    assert any(Path(path).is_relative_to(state) for path in told["touched"])
