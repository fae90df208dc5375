"""Run a server for as long as the process that wants it is alive: `python guard.py FOLDER COMMAND...`.

Standard input is a pipe from that process. It ends when that process closes it, and also when that process is killed:
then the server is ended with all that it has started, and FOLDER, where it wrote, is removed.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys

STOP_TIMEOUT_S = 5.0
POLL_S = 0.1


def main(folder: str, command: list[str]) -> int:
    """Run the server until it ends by itself or is not wanted any more; return its exit status."""
    server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True)
    wanted = True
    while wanted and server.poll() is None:
        ready, _, _ = select.select([sys.stdin], [], [], POLL_S)
        wanted = not ready or bool(os.read(sys.stdin.fileno(), 1024))
    _end(server)
    if not wanted:
        shutil.rmtree(folder, ignore_errors=True)
    return server.returncode


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server's group, first by asking; also when the server has ended, for what it started may outlive it."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
