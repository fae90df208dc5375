"""The tree of commands, empty: each file of commands fills one of its branches."""

from __future__ import annotations

import typer

from opstool.cli.helptext import SETTINGS, GroupedGroup
from opstool.cli.options import group_callback


def _group() -> typer.Typer:
    # No rich: help must be on the screen at once. No pretty exceptions: their local variables are message bodies.
    return typer.Typer(
        cls=GroupedGroup,
        context_settings=SETTINGS,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        subcommand_metavar="COMMAND [ARGS]...",
    )


app = _group()
dlq = _group()
consumer = _group()
local = _group()
app.add_typer(dlq, name="dlq")
app.add_typer(consumer, name="consumer")
app.add_typer(local, name="local")


@group_callback(app, from_environment=True)
def opstool() -> None:
    """See why messages died in an SQS dead-letter queue, and redrive, purge or export exactly those you mean.

    Every option but selection and consent can be set in the environment too, as OPSTOOL_<OPTION>; a flag wins.
    """


@group_callback(dlq)
def dead_letter_queues() -> None:
    """Look into dead-letter queues, and empty them."""


@group_callback(consumer)
def event_source_mappings() -> None:
    """Stop and start the Lambda functions that consume a source queue."""


@group_callback(local)
def embedded_aws() -> None:
    """Run the embedded AWS: the template deployed on this machine, without an account."""
