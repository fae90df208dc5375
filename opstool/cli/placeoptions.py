"""The options that say where the target of a redrive lies, and the consent to send into another account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from opstool.cli.changing import PANEL as CONSENT_PANEL
from opstool.cli.globals import OptionGroup
from opstool.doors.session import Connection
from opstool.words.errors import UsageError

PANEL = "Another account or region"


@dataclass(frozen=True, kw_only=True)
class PlaceOptions(OptionGroup):
    """The options as they were typed. They say where messages go, so the environment has no say in them."""

    from_environment: ClassVar[bool] = False

    to_profile: Annotated[
        str | None,
        typer.Option("--to-profile", metavar="NAME", help="AWS profile that --to is sent with.", rich_help_panel=PANEL),
    ] = None
    to_region: Annotated[
        str | None,
        typer.Option("--to-region", metavar="REGION", help="AWS region that --to lies in.", rich_help_panel=PANEL),
    ] = None
    to_endpoint_url: Annotated[
        str | None,
        typer.Option("--to-endpoint-url", metavar="URL", help="Endpoint that --to lies at.", rich_help_panel=PANEL),
    ] = None
    confirm: Annotated[
        str | None,
        typer.Option(
            "--confirm",
            metavar="ACCOUNT",
            help="The target's account, instead of typing it when it is another one.",
            rich_help_panel=CONSENT_PANEL,
        ),
    ] = None

    def elsewhere(self, to: str | None) -> Connection | None:
        """Return where `to` lies, None for here; raise UsageError when the options make no sense."""
        typed = {
            "--to-profile": self.to_profile,
            "--to-region": self.to_region,
            "--to-endpoint-url": self.to_endpoint_url,
        }
        given = {name: value for name, value in typed.items() if value is not None}
        if to is None and (given or self.confirm is not None):
            name = next(iter([*given, "--confirm"]))
            raise UsageError(f"`{name}` is about the queue that `--to` names, and there is no `--to`")
        if empty := [name for name, value in given.items() if not value.strip()]:
            raise UsageError(f"`{empty[0]}` is empty", hint=f"leave {empty[0]} out")
        _check_url(self.to_endpoint_url)
        if not given:
            return None
        return Connection(profile=self.to_profile, region=self.to_region, endpoint_url=self.to_endpoint_url)


def _check_url(url: str | None) -> None:
    """Refuse what is no address, and a password in one: the journal keeps it."""
    if url is None:
        return
    authority = url.partition("://")[2].partition("/")[0]
    if not url.startswith(("http://", "https://")) or not authority:
        raise UsageError("`--to-endpoint-url` is an address that begins with http:// or https://")
    if "@" in authority:
        raise UsageError("`--to-endpoint-url` holds a user or a password, which the journal would keep")
