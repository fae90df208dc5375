"""The options that say which messages are meant: the same on every command that reads a queue."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from opstool.cli.globals import OptionGroup
from opstool.words.errors import NotFoundError, StorageError, UsageError
from opstool.words.filters import Selection, select
from opstool.words.s3address import S3Address, place_of

PANEL = "Selection (all that are given must hold)"


@dataclass(frozen=True, kw_only=True)
class SelectionOptions(OptionGroup):
    """The filters as they were typed."""

    from_environment: ClassVar[bool] = False

    id: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="This message; may be given again.", rich_help_panel=PANEL),
    ] = None
    ids_from: Annotated[
        str | None,
        typer.Option("--ids-from", metavar="FILE", help="The ids in a file, - for stdin.", rich_help_panel=PANEL),
    ] = None
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Died of this error type or fingerprint.", rich_help_panel=PANEL),
    ] = None
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="AGE", help="Sent longer ago, such as 2h.", rich_help_panel=PANEL),
    ] = None
    newer_than: Annotated[
        str | None, typer.Option("--newer-than", metavar="AGE", help="Sent more recently.", rich_help_panel=PANEL)
    ] = None
    expires_within: Annotated[
        str | None,
        typer.Option("--expires-within", metavar="TIME", help="Lost to retention that soon.", rich_help_panel=PANEL),
    ] = None
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="QUEUE", help="Came from this source queue.", rich_help_panel=PANEL),
    ] = None
    group_id: Annotated[
        str | None, typer.Option("--group-id", metavar="ID", help="In this message group.", rich_help_panel=PANEL)
    ] = None
    attr: Annotated[
        list[str] | None,
        typer.Option("--attr", metavar="NAME=VALUE", help="Has this attribute.", rich_help_panel=PANEL),
    ] = None
    body_contains: Annotated[
        str | None,
        typer.Option("--body-contains", metavar="TEXT", help="Body contains the text.", rich_help_panel=PANEL),
    ] = None
    body_matches: Annotated[
        str | None,
        typer.Option("--body-matches", metavar="REGEX", help="Body matches somewhere.", rich_help_panel=PANEL),
    ] = None
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="JMESPATH", help="The message document satisfies this.", rich_help_panel=PANEL),
    ] = None

    def at(self, now_ms: int) -> Selection:
        """Return the selection with its relative times counted from `now_ms`; raise UsageError."""
        return select(
            now_ms=now_ms,
            ids=self.id or (),
            ids_from=None if self.ids_from is None else _lines(self.ids_from),
            reason=self.reason,
            older_than=self.older_than,
            newer_than=self.newer_than,
            expires_within=self.expires_within,
            source=self.source,
            group_id=self.group_id,
            attr=self.attr or (),
            body_contains=self.body_contains,
            body_matches=self.body_matches,
            where=self.where,
        )


Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many messages.", rich_help_panel=PANEL)
]
DeadLetterQueueName = Annotated[
    str | None,
    typer.Argument(
        metavar="QUEUE",
        envvar="OPSTOOL_QUEUE",
        show_default=False,
        help="Name, URL or ARN of the dead-letter queue (default: OPSTOOL_QUEUE, else the stack's).",
    ),
]


def read_text(file: str) -> str:
    """Return the text of a file, or of stdin for `-`; raise what a person can act on."""
    if file != "-":
        _refuse_s3(file)
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"`{file}` does not exist", code="file_not_found") from None
    except UnicodeDecodeError:
        raise UsageError(f"`{file}` is not UTF-8 text", code="invalid_file") from None
    except OSError as error:
        raise StorageError(f"`{file}` cannot be read: {error.strerror}", code="file_unreadable") from error


def _lines(file: str) -> list[str]:
    return read_text(file).splitlines()


def _refuse_s3(file: str) -> None:
    """Raise UsageError for an address in S3: a list of ids and a test's messages are read from this disk alone."""
    if isinstance(place_of(file), S3Address):
        raise UsageError(f"`{file}`: this is read from a file", hint=f"aws s3 cp {shlex.quote(file)} - gives it to -")
