"""The one-way street: cli -> verbs -> engine -> doors -> words, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import opstool

LAYERS = ("words", "doors", "engine", "verbs", "local", "cli")
"""The packages from the bottom up; each may import itself and those before it."""
FAKE = "fake"
"""SQS in memory, for tests: it stands on the doors, and nothing of opstool stands on it."""
ENTRY = "__main__"
"""`python -m opstool`: it stands on the face."""

ALLOWED = {
    "boto3": {"doors", "local"},
    "botocore": {"doors", "local"},
    "flask": {"local"},
    "moto": {"local"},
    "packaging": {"local"},
    "rich": {"cli"},
    "s3transfer": {"doors"},
    "samtranslator": {"local"},
    "sqlite3": {"doors"},
    "typer": {"cli"},
    "urllib3": {"doors"},
    "werkzeug": {"local"},
}
"""Which packages of others may be imported, and by whom alone."""
INPUT_OUTPUT = {"http", "os", "shutil", "socket", "subprocess", "tempfile", "urllib"}
"""What a module that is pure has no use for."""

PACKAGE = Path(opstool.__file__).parent
RANK = {name: rank for rank, name in enumerate(LAYERS)} | {FAKE: LAYERS.index("doors"), ENTRY: len(LAYERS)}


def places() -> Iterator[tuple[str, Path]]:
    """Yield every source file with the package that it belongs to."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if place != "__init__":
            yield place, path


class _WithoutTypes(ast.NodeTransformer):
    """Take out what is imported for type checkers only."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" else node


def imports(path: Path, *, for_types: bool = True) -> set[str]:
    """Return the full names of what a file imports, wherever in it."""
    names: set[str] = set()
    tree: ast.AST = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree if for_types else _WithoutTypes().visit(tree)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            names |= {_imported(module, alias.name) for alias in node.names}
    return names


def _imported(module: str, name: str) -> str:
    """Return the module that `from module import name` loads: the submodule of that name, where there is one."""
    path = PACKAGE.parent.joinpath(*module.split("."), name)
    return f"{module}.{name}" if path.is_dir() or path.with_suffix(".py").is_file() else module


def own_imports(path: Path, *, for_types: bool = True) -> set[str]:
    """Return the places of opstool that a file imports."""
    names = {name.split(".")[1] for name in imports(path, for_types=for_types) if name.startswith("opstool.")}
    return {name for name in names if not name.startswith("__")}


FILES = [pytest.param(place, path, id=str(path.relative_to(PACKAGE))) for place, path in places()]


def test_every_module_has_its_place() -> None:
    """Nothing stands beside the layers."""
    assert {place for place, _ in places()} == {*LAYERS, FAKE, ENTRY}


@pytest.mark.parametrize(("place", "path"), FILES)
def test_imports_point_one_way(place: str, path: Path) -> None:
    """To the same layer or a lower one; to the fake from nowhere."""
    wanted = own_imports(path) - {place}
    assert FAKE not in wanted
    assert {name for name in wanted if RANK[name] > RANK[place]} == set()


@pytest.mark.parametrize(("place", "path"), FILES)
def test_others_packages_are_imported_by_those_who_may(place: str, path: Path) -> None:
    """One seam to AWS, one face, one emulator."""
    tops = {name.split(".")[0] for name in imports(path)}
    assert {name for name in tops if name in ALLOWED and place not in ALLOWED[name]} == set()
    known = {*ALLOWED, "jmespath", "opstool", *sys.stdlib_module_names, "yaml"}
    assert tops - known == set(), "a dependency that nobody declared"


@pytest.mark.parametrize(
    ("place", "path"),
    [each for each in FILES if each.values[0] == "words"],
)
def test_words_are_pure(place: str, path: Path) -> None:
    """No file, no socket, no process."""
    assert {name.split(".")[0] for name in imports(path)} & INPUT_OUTPUT == set()


def test_no_two_modules_import_each_other() -> None:
    """Not even within a layer; what only a type checker reads does not count."""
    graph = {_module(path): imports(path, for_types=False) for _, path in places()}
    list(TopologicalSorter({name: wanted & set(graph) - {name} for name, wanted in graph.items()}).static_order())


def _module(path: Path) -> str:
    """Return the full name of the module in a file."""
    return ".".join(("opstool", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def loaded_by(module: str) -> set[str]:
    """Return the packages of others that importing a module loads, in a process of its own."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()} & set(ALLOWED)


@pytest.mark.parametrize("module", ["opstool.verbs.history", "opstool.cli.main", "opstool.local", "opstool.fake"])
def test_what_is_slow_to_import_is_imported_when_it_is_used(module: str) -> None:
    """A help text must not wait for boto3, nor for the embedded AWS."""
    assert loaded_by(module) & {"boto3", "botocore", "moto", "samtranslator", "flask", "werkzeug"} == set()
