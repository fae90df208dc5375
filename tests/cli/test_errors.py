"""Errors as a person meets them: what happened, and what can be done, without a traceback."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from opstool.cli.main import main
from opstool.doors import toolkit
from tests.cli.world import World


def test_an_error_and_its_hint_read_as_they_should(world: World) -> None:
    """Lower case, the thing quoted, no full stop, a blank line, and a command that can be pasted."""
    ended = world.run("dlq", "list", "nowhere")
    state = f"--state-dir {world.state_dir}"
    assert ended.err == (
        'error: queue "nowhere" does not exist in us-east-1 (account 123456789012)\n'
        "\n"
        f"hint: opstool {state} dlq queues lists the dead-letter queues\n"
    )


def test_a_wrong_filter_is_pointed_at(world: World) -> None:
    """The caret stands under the character that is wrong."""
    lines = world.run("dlq", "list", "--where", "body.total = `3`").err.splitlines()
    assert lines[1:3] == ["  body.total = `3`", "             ^"]


def test_an_unknown_command_or_option_names_the_help(world: World) -> None:
    """Typer's complaints are in our words."""
    assert (
        world.run("dlq", "lst").err
        == "error: no such command `lst`. Did you mean `list`?\n\nhint: opstool dlq --help\n"
    )
    assert "hint: opstool dlq list --help" in world.run("dlq", "list", "--bogus").err


@pytest.mark.parametrize(
    ("operation", "code", "words"),
    [
        ("GetQueueUrl", "AccessDenied", ["`GetQueueUrl` was denied", "allow the action `GetQueueUrl`"]),
        ("ReceiveMessage", "AccessDenied", ["`ReceiveMessage` was denied", "allow the action `ReceiveMessage`"]),
        ("GetQueueUrl", "ExpiredToken", ["the credentials have expired", "aws sso login"]),
        ("GetQueueUrl", "InvalidClientTokenId", ["does not accept these credentials", "aws sts get-caller-identity"]),
    ],
    ids=["denied", "denied to receive", "expired", "invalid"],
)
def test_aws_says_no(world: World, operation: str, code: str, words: list[str]) -> None:
    """Each way in which AWS says no has its words, its hint, and status 1."""
    world.kill("a")
    world.fail(operation, code, "User is not authorized", 403)
    ended = world.run("dlq", "list")
    assert ended.status == 1
    assert all(each in ended.err for each in words)
    assert "Traceback" not in ended.err


def test_no_region_is_said_plainly(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Without any region, boto3 is not asked to guess."""
    status = main(["dlq", "list", "q", "--state-dir", str(world.state_dir)], connect=toolkit.connect)
    error = capsys.readouterr().err
    assert status == 1
    assert error == "error: no region is set\n\nhint: --region, or AWS_REGION\n"


def test_no_credentials_are_said_plainly(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Without credentials nothing is sent to anybody."""
    argv = ["dlq", "list", "q", "--region", "us-east-1", "--endpoint-url", "http://127.0.0.1:1"]
    status = main(argv, connect=toolkit.connect)
    error = capsys.readouterr().err
    assert status == 1
    assert "no usable credentials" in error
    assert "AWS_PROFILE" in error


def test_an_unknown_profile_is_wrong_usage(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A profile that is not configured is the caller's slip."""
    assert main(["dlq", "list", "q", "--profile", "nobody"], connect=toolkit.connect) == 2
    assert "nobody" in capsys.readouterr().err


def test_an_endpoint_that_does_not_answer_is_status_1(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A connection that cannot be made is said with its address."""
    world.patch.setenv("AWS_ACCESS_KEY_ID", "x")
    world.patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    world.patch.setenv("AWS_MAX_ATTEMPTS", "1")
    argv = ["dlq", "list", "q", "--region", "us-east-1", "--endpoint-url", "http://127.0.0.1:1"]
    assert main(argv, connect=toolkit.connect) == 1
    assert "http://127.0.0.1:1" in capsys.readouterr().err


def test_a_dlq_with_a_redrive_policy_of_its_own_is_refused(world: World) -> None:
    """Reading it would push messages onward."""
    world.make_queue("next-dlq")
    world.sqs(
        "SetQueueAttributes", {"QueueUrl": world.dlq, "Attributes": {"RedrivePolicy": world.policy("next-dlq", 3)}}
    )
    ended = world.run("dlq", "list")
    assert (ended.status, world.receives()) == (4, 0)
    assert "redrive policy of its own" in ended.err


def test_redriving_into_the_queue_itself_is_refused(world: World) -> None:
    """--to the DLQ would go round in circles."""
    world.kill("a")
    assert world.run("dlq", "redrive", "--to", "orders-dlq", "--yes").status == 4


def test_a_test_batch_is_not_sent_into_a_dlq(world: World) -> None:
    """Test messages go to a source queue; the hint names it."""
    ended = world.run("send-test-batch", "orders-dlq")
    assert ended.status == 4
    assert "send-test-batch orders" in ended.err


def test_a_file_that_is_not_there_is_said(world: World) -> None:
    """Files are named, whichever option they came by."""
    for argv in (["dlq", "import", "nowhere.jsonl", "--yes"], ["dlq", "list", "--ids-from", "nowhere"]):
        ended = world.run(*argv)
        assert ended.status == 1
        assert "nowhere" in ended.err
    assert world.run("send-test-batch", "--file", "nowhere").status == 1


def test_an_existing_file_is_not_overwritten(world: World, tmp_path: Path) -> None:
    """An export refuses an existing file, and replaces it with --overwrite."""
    world.kill("a")
    file = tmp_path / "here.jsonl"
    file.write_text("precious")
    assert world.run("dlq", "export", "--to-file", str(file)).status == 4
    assert file.read_text() == "precious"
    assert world.run("dlq", "export", "--to-file", str(file), "--overwrite").status == 0
    assert '"body":"a"' in file.read_text()


def test_an_archive_with_wrong_lines_is_not_imported(world: World, tmp_path: Path) -> None:
    """The lines that are wrong are named, without what is in them."""
    file = tmp_path / "bad.jsonl"
    file.write_text('{"body": "fine"}\nsecret nonsense\n')
    ended = world.run("dlq", "import", str(file), "--to", "orders", "--yes")
    assert (ended.status, world.depth(world.source)) == (2, 0)
    assert "line 2" in ended.err
    assert "secret" not in ended.err


def test_ids_come_from_stdin_too(world: World) -> None:
    """The output of one list says what the next command is about."""
    first, _ = world.kill("a", "b")
    lines = world.run("dlq", "list", "--output", "jsonl", "--id", first).out
    ended = world.run("dlq", "redrive", "--ids-from", "-", "--yes", stdin=lines)
    assert ended.status == 0
    assert world.bodies(world.source) == ["a"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a folder that cannot be written")
def test_a_read_only_state_directory_is_said_before_anything_is_sent(world: World) -> None:
    """Without a journal nothing is sent."""
    world.kill("a")
    world.state_dir.mkdir()
    world.state_dir.chmod(0o500)
    ended = world.run("dlq", "redrive", "--yes")
    assert (ended.status, world.depth(world.dlq)) == (1, 1)
    assert "--state-dir" in ended.err


def test_a_state_directory_that_is_a_file_is_said_before_anything_is_sent(world: World) -> None:
    """Whatever keeps the journal from being written stops the run before its first send."""
    world.kill("a")
    world.state_dir.write_text("a file")
    ended = world.run("dlq", "redrive", "--yes")
    assert (ended.status, world.depth(world.dlq)) == (1, 1)
    assert "--state-dir" in ended.err


def test_a_bug_is_one_line_without_its_words(world: World) -> None:
    """An exception that nobody expected is told by kind and place; -vv adds files and lines, never a value."""

    def break_it(_: object) -> None:
        raise KeyError("a secret body")

    world.on_connect = break_it
    ended = world.run("dlq", "list")
    assert ended.status == 1
    assert "error: unexpected KeyError in opstool/cli/" in ended.err
    assert "please report" in ended.err
    verbose = world.run("dlq", "list", "-vv")
    assert "invocation.py:" in verbose.err
    assert "secret" not in ended.err + verbose.err


def test_a_keyboard_interrupt_outside_a_run_is_130(world: World) -> None:
    """Ctrl-C while connecting ends with 130 and one line."""

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    world.on_connect = interrupt
    ended = world.run("dlq", "list")
    assert (ended.status, ended.err) == (130, "error: interrupted\n")
    document = world.run("dlq", "list", "--output", "json").document
    assert (document["code"], document["exit_status"]) == ("interrupted", 130)
