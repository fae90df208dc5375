"""The process that is killed: opstool's own command line, on a disk that may end, with a point at which it dies."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import boto3
from botocore.loaders import JSONFileLoader

from opstool.cli import main
from tests.faults.crash.disk import enter
from tests.faults.crash.points import Point, arm, note_syncs_of
from tests.lanes import DEFAULT, environment_of

_NO_EXIT_STATUS = 99
"""An exception that opstool let through: no promise allows it."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One process: a command line, where its output goes, and what becomes of it.

    `file_bytes` is the size that no file of the process can outgrow. `torn`: the write that does kills the process in
    its middle; otherwise it fails, as on a disk that is full. `disk_of` is the process that holds a SmallDisk, `lane`
    the lane to SQS that it takes. `notes_syncs_of` is the file ("journal" or "archive") of which it tells how much a
    power cut cannot take.
    """

    argv: tuple[str, ...]
    folder: str
    name: str
    point: Point | None = None
    file_bytes: int | None = None
    torn: bool = False
    disk_of: int | None = None
    lane: str = DEFAULT
    notes_syncs_of: str = ""

    @property
    def out(self) -> Path:
        """Return the file that its stdout goes to."""
        return Path(self.folder) / f"{self.name}.out"

    @property
    def err(self) -> Path:
        """Return the file that its stderr goes to."""
        return Path(self.folder) / f"{self.name}.err"

    def fields(self) -> dict[str, Any]:
        """Return what `of` makes a task of, in another process."""
        return asdict(self)

    @staticmethod
    def of(fields: Mapping[str, Any]) -> Task:
        """Return the task of these fields."""
        point = fields["point"]
        return Task(**{**fields, "argv": tuple(fields["argv"]), "point": Point(**point) if point else None})


def warm() -> None:
    """Load once what each victim would: boto3's parts, and the descriptions of the services."""
    load, known = JSONFileLoader.load_file, dict[str, Any]()

    def load_once(loader: JSONFileLoader, path: str) -> Any:
        if path not in known:
            known[path] = load(loader, path)
        return known[path]

    setattr(JSONFileLoader, "load_file", load_once)  # noqa: B010 - mypy does not let a method be assigned
    for service in ("sqs", "sts"):
        boto3.Session(region_name="us-east-1").client(service)


def become(task: Task) -> NoReturn:
    """Be the victim until the end."""
    status = _NO_EXIT_STATUS
    try:
        _redirect(task)
        if task.disk_of:
            enter(task.disk_of)
        os.chdir(task.folder)
        os.environ.update(environment_of(task.lane))
        if task.point:
            arm(task.point)
        if task.notes_syncs_of:
            note_syncs_of(task.notes_syncs_of)
        _bound_files(task)
        sys.argv = ["opstool", *task.argv]
        main.run()
    except SystemExit as left:
        status = int(left.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _redirect(task: Task) -> None:
    """Put the streams where the task wants them; they are opened before the disk ends."""
    for stream, path in ((1, task.out), (2, task.err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(each, mode) for each, mode in ((0, "r"), (1, "w"), (2, "w")))


def _bound_files(task: Task) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if task.torn else signal.SIG_IGN)
    if task.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (task.file_bytes, task.file_bytes))
