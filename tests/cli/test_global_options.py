"""The global options: before or after the command, from the environment too, the nearest one wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from opstool import __version__
from opstool.local.state import LocalStatus
from tests.cli.world import World


@pytest.mark.parametrize(
    "argv",
    [
        ["--region", "eu-west-1", "dlq", "list"],
        ["dlq", "--region", "eu-west-1", "list"],
        ["dlq", "list", "--region", "eu-west-1"],
        ["dlq", "list", "--region=eu-west-1", "orders-dlq"],
        ["--region", "us-west-2", "dlq", "list", "--region", "eu-west-1"],
        ["--region", "us-west-2", "dlq", "--region", "eu-west-1", "list"],
    ],
    ids=" ".join,
)
def test_a_global_option_stands_anywhere(world: World, argv: list[str]) -> None:
    """Before the command, between group and command, or after it; the one nearest to the command wins."""
    assert world.run(*argv).status == 0
    assert world.connections[-1].region == "eu-west-1"


def test_every_connection_option_reaches_the_connection(world: World) -> None:
    """Profile, region, endpoint, time-out, lease and workers are what the toolkit is made with."""
    options = "--profile p --region r --endpoint-url http://127.0.0.1:1 --timeout 7 --lease 60 --workers 2"
    assert world.run("dlq", "list", *options.split()).status == 0
    connection, kit = world.connections[-1], world.kits[-1]
    assert (connection.profile, connection.region, connection.timeout_s) == ("p", "r", 7)
    assert connection.endpoint_url == "http://127.0.0.1:1"
    assert (kit.lease_s, kit.workers) == (60, 2)


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_flag_wins_over_the_environment(world: World, place: str) -> None:
    """OPSTOOL_<OPTION> is used, unless the option is given, wherever it is given."""
    world.patch.setenv("OPSTOOL_REGION", "from-env")
    world.patch.setenv("OPSTOOL_PROFILE", "profile-from-env")
    flag = ["--region", "from-flag"]
    argv = [*flag, "dlq", "list"] if place == "before" else ["dlq", "list", *flag]
    assert world.run(*argv).status == 0
    assert (world.connections[-1].region, world.connections[-1].profile) == ("from-flag", "profile-from-env")
    assert world.run("dlq", "list").status == 0
    assert world.connections[-1].region == "from-env"


def test_the_queue_comes_from_the_environment_else_from_the_stack(world: World) -> None:
    """QUEUE, else OPSTOOL_QUEUE, else the DLQ of the stack."""
    other = world.make_queue("other-dlq")
    world.make_queue("other", RedrivePolicy=world.policy("other-dlq", 3))
    world.send(other, "there")
    world.kill("here")
    assert world.run("dlq", "list", "--output", "json").document["queue"] == "orders-dlq"
    world.patch.setenv("OPSTOOL_QUEUE", "other-dlq")
    assert world.run("dlq", "list", "--output", "json").document["queue"] == "other-dlq"
    assert world.run("dlq", "list", "orders-dlq", "--output", "json").document["queue"] == "orders-dlq"


def test_output_comes_from_the_environment_for_errors_too(world: World) -> None:
    """OPSTOOL_OUTPUT=json makes data and errors JSON; --output text wins."""
    world.patch.setenv("OPSTOOL_OUTPUT", "json")
    assert world.run("dlq", "list").document["type"] == "messages"
    assert world.run("dlq", "list", "nowhere").document["type"] == "error"
    assert world.run("dlq", "list", "nowhere", "--output", "text").out == ""


def test_settings_of_a_verb_come_from_the_environment(world: World) -> None:
    """A verb's own options do too: the note, the target."""
    world.kill("a")
    world.patch.setenv("OPSTOOL_NOTE", "ticket 4711")
    assert world.run("dlq", "redrive", "--yes").status == 0
    assert world.run("history", "--output", "json").document["runs"][0]["note"] == "ticket 4711"


@pytest.mark.parametrize(
    ("name", "value"),
    [("YES", "1"), ("CONFIRM", "orders-dlq"), ("NOT_A_DLQ", "1"), ("ID", "x"), ("LIMIT", "1"), ("OLDER_THAN", "9d")],
)
def test_consent_and_selection_never_come_from_the_environment(world: World, name: str, value: str) -> None:
    """On what a command acts, and that it may, is said on its command line only."""
    world.kill("a", "b")
    world.patch.setenv(f"OPSTOOL_{name}", value)
    assert world.run("dlq", "redrive").status == 4
    assert world.run("dlq", "purge").status == 4
    assert len(world.run("dlq", "list", "--output", "json").document["messages"]) == 2


def test_a_wrong_value_in_the_environment_is_named(world: World) -> None:
    """The error says which variable is wrong."""
    world.patch.setenv("OPSTOOL_LEASE", "soon")
    ended = world.run("dlq", "list")
    assert ended.status == 2
    assert "OPSTOOL_LEASE" in ended.err


def test_commands_to_paste_carry_the_options(world: World) -> None:
    """A suggested command names the same account and region."""
    [dead] = world.kill("a")
    ended = world.run("dlq", "show", dead, "--profile", "prod eu", "--region", "eu-west-1")
    assert "--profile 'prod eu' --region eu-west-1" in ended.err
    assert (
        "'prod eu' --region eu-west-1 --state-dir"
        in world.run("dlq", "list", "nowhere", "--profile", "prod eu", "--region", "eu-west-1").err
    )


def test_local_takes_endpoint_and_stack_of_the_embedded_aws(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """--local finds the running instance, with made-up credentials and nothing of the user's settings."""
    running = LocalStatus(
        endpoint_url="http://127.0.0.1:1",
        region="us-east-1",
        stack_name="local-stack",
        outputs={},
        unsupported=(),
        pid=1,
        instance_id="x",
    )
    monkeypatch.setattr("opstool.local.state.status", lambda _: running)
    assert world.run("dlq", "list", "--local").status == 0
    connection = world.connections[-1]
    assert (connection.endpoint_url, connection.is_isolated) == ("http://127.0.0.1:1", True)
    assert connection.access_key_id
    assert world.kits[-1].stack.name == "local-stack"


def test_local_without_an_embedded_aws_says_how_to_start_one(world: World) -> None:
    """Nothing runs: status 1, and the command that starts it."""
    ended = world.run("dlq", "list", "--local")
    assert ended.status == 1
    assert "no embedded AWS is running" in ended.err
    assert "local start" in ended.err


@pytest.mark.parametrize("argv", [["--version"], ["dlq", "list", "--version"]], ids=" ".join)
def test_version_is_printed_anywhere(world: World, argv: list[str]) -> None:
    """--version prints the version and does nothing else."""
    ended = world.run(*argv)
    assert (ended.status, ended.out, ended.err) == (0, f"opstool {__version__}\n", "")


COMMANDS = [
    "",
    "dlq",
    "dlq queues",
    "dlq list",
    "dlq show",
    "dlq redrive",
    "dlq purge",
    "dlq export",
    "dlq import",
    "history",
    "resume",
    "send-test-batch",
    "local",
    "local start",
    "local status",
    "local stop",
    "demo",
]


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(world: World, command: str, option: str) -> None:
    """Help is on stdout, status 0, and lists the global options on every command."""
    ended = world.run(*command.split(), option)
    assert (ended.status, ended.err) == (0, "")
    assert f"Usage: opstool {command}".strip() in ended.out
    for name in ("--profile", "--region", "--output", "--state-dir", "--lease", "--workers", "--local"):
        assert name in ended.out
    assert "<class" not in ended.out


def test_verbose_says_what_it_cost(world: World) -> None:
    """-v adds the number of requests on stderr; stdout stays the same."""
    assert "requests to SQS" in world.run("dlq", "list", "-v").err
    assert "requests to SQS" not in world.run("dlq", "list").err


def test_quiet_leaves_only_data(world: World) -> None:
    """-q says nothing on stderr when all is well."""
    world.kill("a")
    ended = world.run("dlq", "list", "-q")
    assert ended.err == ""
    assert ended.out.count("\n") == 2


def test_the_state_directory_is_where_the_journal_is(world: World, tmp_path: Path) -> None:
    """--state-dir after the command wins, and holds the journal."""
    world.kill("a")
    elsewhere = tmp_path / "elsewhere"
    assert world.run("dlq", "redrive", "--yes", "--state-dir", str(elsewhere)).status == 0
    assert (elsewhere / "journal.db").is_file()
