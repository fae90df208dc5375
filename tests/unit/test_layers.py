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

WORDS, DOORS, ENGINE, VERBS, FACE = range(5)
LAYERS = {
    WORDS: """
        awserrors caret clock document durations errors failureline filters limits matching message plan queue reason
        reasons report selection times where
    """,
    DOORS: """
        archive archivefile archiveline archivereader archivetail journal locking logs samconfig session sqs stack
        toolkit
    """,
    ENGINE: "delivery dlq hold lease routes run scan sinks survey throttle transfer",
    VERBS: "browse export history importing purge queues redrive testbatch",
    FACE: "__main__ cli local",
}
"""Each module, or subpackage, and where it stands; it may import its own layer and those below."""
FAKE = "fake"
"""In-memory SQS, for tests: it stands on the words, and nothing of opstool stands on it."""

ALLOWED = {
    "boto3": {"session", "local"},
    "botocore": {"session", "local"},
    "flask": {"local"},
    "moto": {"local"},
    "packaging": {"local"},
    "rich": {"cli"},
    "samtranslator": {"local"},
    "sqlite3": {"journal"},
    "typer": {"cli"},
    "werkzeug": {"local"},
}
"""Which packages of others may be imported, and by whom alone."""
INPUT_OUTPUT = {"http", "os", "shutil", "socket", "subprocess", "tempfile", "urllib"}
"""What a module that is pure has no use for."""

PACKAGE = Path(opstool.__file__).parent
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names.split()}


def places() -> Iterator[tuple[str, Path]]:
    """Yield every source file with the name under which the table knows it."""
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
            names |= {f"{module}.{alias.name}" for alias in node.names} if module == "opstool" else {module}
    return names


def own_imports(path: Path, *, for_types: bool = True) -> set[str]:
    """Return the places of opstool that a file imports."""
    names = {name.split(".")[1] for name in imports(path, for_types=for_types) if name.startswith("opstool.")}
    return {name for name in names if not name.startswith("__")}


FILES = [pytest.param(place, path, id=str(path.relative_to(PACKAGE))) for place, path in places()]


def test_every_module_has_its_place() -> None:
    """And every place its module: the table is the architecture."""
    assert {place for place, _ in places()} == {*LAYER_OF, FAKE}


@pytest.mark.parametrize(("place", "path"), FILES)
def test_imports_point_one_way(place: str, path: Path) -> None:
    """To the same layer or a lower one; to the fake from nowhere."""
    wanted = own_imports(path) - {place}
    assert FAKE not in wanted
    own = WORDS if place == FAKE else LAYER_OF[place]
    assert {name for name in wanted if LAYER_OF[name] > own} == set()


@pytest.mark.parametrize(("place", "path"), FILES)
def test_others_packages_are_imported_by_those_who_may(place: str, path: Path) -> None:
    """One seam to AWS, one face, one emulator."""
    tops = {name.split(".")[0] for name in imports(path)}
    assert {name for name in tops if name in ALLOWED and place not in ALLOWED[name]} == set()
    known = {*ALLOWED, "jmespath", "opstool", *sys.stdlib_module_names, "yaml"}
    assert tops - known == set(), "a dependency that nobody declared"


@pytest.mark.parametrize(
    ("place", "path"),
    [each for each in FILES if LAYER_OF.get(str(each.values[0])) == WORDS and each.values[0] != "clock"],
)
def test_words_are_pure(place: str, path: Path) -> None:
    """No file, no socket, no process."""
    assert {name.split(".")[0] for name in imports(path)} & INPUT_OUTPUT == set()


def test_no_two_modules_import_each_other() -> None:
    """Not even within a layer; what only a type checker reads does not count."""
    graph: dict[str, set[str]] = {}
    for place, path in places():
        graph.setdefault(place, set()).update(own_imports(path, for_types=False) - {place})
    list(TopologicalSorter(graph).static_order())


def loaded_by(module: str) -> set[str]:
    """Return the packages of others that importing a module loads, in a process of its own."""
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()} & set(ALLOWED)


@pytest.mark.parametrize("module", ["opstool.history", "opstool.cli.main", "opstool.local", "opstool.fake"])
def test_what_is_slow_to_import_is_imported_when_it_is_used(module: str) -> None:
    """A help text must not wait for boto3, nor for the embedded AWS."""
    assert loaded_by(module) & {"boto3", "botocore", "moto", "samtranslator", "flask", "werkzeug"} == set()
