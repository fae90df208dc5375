from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.world import World
from tests.hostile.corpus import ARGUMENTS, FILE_NAMES
from tests.hostile.harmless import assert_harmless, documents

EXPECTED = {0, 1, 2, 3, 4}
"""Every ending but a signal's; a bug ends with 1 too, so its words are looked for."""
PLACES = (
    ["dlq", "list", "{}"],
    ["dlq", "show", "{}"],
    ["dlq", "list", "--id", "{}"],
    ["dlq", "list", "--ids-from", "{}"],
    ["dlq", "list", "--reason", "{}"],
    ["dlq", "list", "--older-than", "{}"],
    ["dlq", "list", "--source", "{}"],
    ["dlq", "list", "--group-id", "{}"],
    ["dlq", "list", "--attr", "{}"],
    ["dlq", "list", "--attr", "{}={}"],
    ["dlq", "list", "--body-contains", "{}"],
    ["dlq", "list", "--body-matches", "{}"],
    ["dlq", "list", "--where", "{}"],
    ["dlq", "list", "--where", "body == '{}'"],
    ["dlq", "list", "--limit", "{}"],
    ["dlq", "export", "--to-file", "no/such/{}"],
    ["dlq", "import", "{}"],
    ["dlq", "redrive", "--yes", "--to", "{}"],
    ["dlq", "redrive", "--yes", "--note", "{}"],
    ["dlq", "redrive", "--dry-run", "--group-id", "{}"],
    ["dlq", "purge", "--confirm", "{}"],
    ["dlq", "purge", "--confirm", "orders-dlq", "--archive", "no/such/{}"],
    ["history", "{}"],
    ["resume", "{}"],
    ["send-test-batch", "{}"],
    ["send-test-batch", "--file", "{}"],
    ["send-test-batch", "orders", "--attr", "{}=x"],
    ["send-test-batch", "orders", "--group-id", "{}"],
    ["send-test-batch", "orders", "--body", "{}", "--dry-run"],
    ["--stack-name", "{}", "dlq", "queues"],
    ["--output", "{}", "dlq", "queues"],
    ["--lease", "{}", "dlq", "queues"],
    ["{}"],
    ["dlq", "{}"],
    ["dlq", "list", "--{}"],
)


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_a_hostile_command_line_is_answered_safely(world: World, place: list[str]) -> None:
    """Whatever is pasted wherever, what is said about it can be seen, and it is never a crash."""
    world.kill("body")
    for number, argument in enumerate(ARGUMENTS):
        argv = [word.replace("{}", argument) for word in place]
        if "\0" in "".join(argv):
            argv = [word.replace("\0", "") for word in argv]  # the system passes no NUL
        form = ((), ("--output", "json"), ("-vv",))[number % 3]
        ended = world.run(*form, *argv, terminal=number % 2 == 0)
        assert ended.status in EXPECTED
        assert "please report" not in ended.out + ended.err, (argv, ended)
        assert_harmless(ended)
        if form == ("--output", "json") and "--output" not in place:
            documents(ended, "json")


@pytest.mark.parametrize("name", FILE_NAMES, ids=ascii)
def test_hostile_file_names_are_only_names(world: World, tmp_path: Path, name: str) -> None:
    """A file may be called anything: it is written, read and named, and nothing of its name acts."""
    world.kill("body")
    file = tmp_path / name
    assert_harmless(world.run("dlq", "import", str(file), "--yes"))
    for argv in (
        ["dlq", "export", "--to-file", str(file)],
        ["dlq", "export", "--to-file", str(file)],
        ["dlq", "list", "--ids-from", str(file)],
        ["dlq", "import", str(file), "--dry-run"],
        ["dlq", "import", str(file), "--yes"],
        ["dlq", "purge", "--confirm", "orders-dlq", "--archive", f"{file}2"],
        ["send-test-batch", "orders", "--file", str(file)],
        ["history"],
    ):
        for form in ([], ["--output", "json"]):
            ended = world.run(*form, *argv)
            assert "please report" not in ended.out + ended.err, (argv, ended)
            assert_harmless(ended)
    file.write_bytes(b"not an archive")
    for argv in (["dlq", "import", str(file), "--yes"], ["dlq", "list", "--ids-from", str(file)]):
        ended = world.run(*argv)
        assert ended.status == 2
        assert_harmless(ended)
    assert sorted(os.listdir(tmp_path)) == sorted([name, f"{name}2", "state"])  # noqa: PTH208 - names, not paths


def test_a_hostile_state_folder_is_only_a_folder(world: World, tmp_path: Path) -> None:
    """The folder of the journal may have any name, too."""
    world.state_dir = tmp_path / "a\x1b]0;owned\x07\nhint: forged"
    world.kill("body")
    for argv in (["history"], ["-v", "dlq", "purge", "--confirm", "orders-dlq"], ["history"], ["-v", "history", "2"]):
        assert_harmless(world.run(*argv))
