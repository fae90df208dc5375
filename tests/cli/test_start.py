"""What the program loads before it answers: names and lines for help, one file for a command, and nothing for later."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from opstool.cli import commands
from opstool.cli.catalog import CATALOG, paths_under
from opstool.cli.main import main
from opstool.cli.options import DECLARED
from opstool.cli.tree import load, program
from tests.cli.test_processes import PROGRAM

ROOT = Path(__file__).parents[2]
# What another command, another engine or the emulator needs, and each of them is felt at a prompt.
HEAVY = {"boto3", "botocore", "flask", "moto", "rich", "s3transfer", "samtranslator", "werkzeug", "yaml"}
# What a command that works needs, and no help does.
FOR_WORK = {"concurrent", "jmespath", "pydantic", "sqlite3", "ssl", "urllib3"}
FILES = {path.stem for path in Path(str(commands.__file__)).parent.glob("*.py")} - {"__init__"}


def loaded_by(code: str) -> set[str]:
    """Return the modules that are loaded after running some code in a fresh interpreter."""
    code = f"{code}\nimport sys; print('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def loaded_for(*argv: str) -> set[str]:
    """Return the modules that are loaded after one command line."""
    return loaded_by(f"from opstool.cli.main import main; main({list(argv)!r})")


def packages(modules: set[str]) -> set[str]:
    """Return the first names of modules."""
    return {each.partition(".")[0] for each in modules}


def parts(modules: set[str]) -> set[str]:
    """Return which parts of the library are loaded: its packages, a level deep."""
    return {each.split(".")[1] for each in modules if each.startswith("opstool.")}


def files(modules: set[str]) -> set[str]:
    """Return which files of commands are loaded."""
    prefix = "opstool.cli.commands."
    return {each.removeprefix(prefix) for each in modules if each.startswith(prefix)}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_program_answers_for_itself_out_of_its_catalog(option: str) -> None:
    """Neither an AWS nor a command is loaded, only the program's own face: some forty modules more than Typer."""
    loaded = loaded_for(option)
    assert packages(loaded) & (HEAVY | FOR_WORK) == set()
    assert parts(loaded) == {"cli", "words"}
    assert files(loaded) == set()
    assert len(loaded - loaded_by("import typer")) <= 60


@pytest.mark.parametrize("argv", [["dlq", "--help"], ["dlq"], ["dlq", "lst"], ["bogus"]], ids=" ".join)
def test_names_and_lines_load_no_command(argv: list[str]) -> None:
    """The help of a branch, and the suggestion for a misspelt name, need what stands in the catalog."""
    loaded = loaded_for(*argv)
    assert packages(loaded) & HEAVY == set()
    assert parts(loaded) == {"cli", "words"}
    assert files(loaded) == set()


@pytest.mark.parametrize("path", [path for path, entry in CATALOG.items() if entry.file])
def test_help_of_a_command_loads_its_file_and_nothing_heavy(path: str) -> None:
    """Whatever the other commands need stays where it is."""
    loaded = loaded_for(*path.split(), "--help")
    assert packages(loaded) & HEAVY == set()
    assert files(loaded) == {CATALOG[path].file}


def test_a_short_listing_loads_what_it_needs(tmp_path: Path) -> None:
    """Ten messages are listed without the commands that change something, the emulator, S3's transfers, or rich."""
    program_text = PROGRAM.format(state=str(tmp_path), messages=10, prepare="", argv=["dlq", "list"])
    loaded = loaded_by(program_text.replace("sys.exit(status)", "assert status == 0"))
    assert packages(loaded) & HEAVY == set()
    assert files(loaded) == {"listing"}
    assert {each for each in loaded if each.startswith("opstool.verbs.")} == {"opstool.verbs.browse"}
    assert {each for each in loaded if each.startswith("opstool.local")} == set()


def test_the_catalog_says_what_the_commands_say() -> None:
    """The line of each command is the first of its docstring, and every command that a file declares can be called."""
    for file in FILES:
        import_module(f"opstool.cli.commands.{file}")
    assert {path: entry.line for path, entry in CATALOG.items() if entry.file} == {
        path: declared.help.splitlines()[0] for path, declared in DECLARED.items()
    }


def test_a_command_is_built_once() -> None:
    """A second command line in one process, as the demo has many, finds it as it was."""
    assert load("dlq list") is load("dlq list")
    assert list(program().commands) == list(paths_under(""))


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("opstool d", ["dlq", "doctor", "demo"]),
        ("opstool dlq ex", ["export", "extend"]),
        ("opstool dlq list --body-c", ["--body-contains"]),
    ],
    ids=["commands", "commands of a branch", "options"],
)
def test_the_shell_completes(
    words: str, offered: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names and options are offered for what is typed so far."""
    monkeypatch.setenv("_OPSTOOL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert main([]) == 0
    assert capsys.readouterr().out.split() == offered
