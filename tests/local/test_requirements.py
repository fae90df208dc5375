"""A function's requirements: an environment of its own, made once, without a download where that is possible."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

from opstool.local import requirements
from opstool.local.function import Function
from opstool.local.function_config import FunctionConfig
from opstool.local.requirements import already_here, provide
from opstool.local.server import EmbeddedServer
from opstool.words.errors import OpstoolError

MakeCode = Callable[[str], Path]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Make a wheel of a package that exists nowhere else."""
    path = tmp_path / "wheels" / "made_here-1.0-py3-none-any.whl"
    path.parent.mkdir()
    files = {
        "made_here.py": b"VALUE = 'from the wheel'\n",
        "made_here-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: made-here\nVersion: 1.0\n",
        "made_here-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=") for name, data in files.items()
    }
    lines = [f"{name},sha256={digests[name].decode()},{len(data)}" for name, data in files.items()]
    files["made_here-1.0.dist-info/RECORD"] = "\n".join([*lines, "made_here-1.0.dist-info/RECORD,,"]).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def make_code(tmp_path: Path) -> MakeCode:
    """Return a maker of code folders with these requirements."""

    def make(text: str) -> Path:
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / "requirements.txt").write_text(text)
        return folder

    return make


def test_a_function_imports_what_pip_installed_for_it(
    server: EmbeddedServer, make_code: MakeCode, wheel: Path, tmp_path: Path
) -> None:
    """The requirement is importable by the function, and not by this process."""
    code = make_code(f"--no-index\n{wheel}\n")
    (code / "app.py").write_text("import made_here\ndef handler(e, c): return made_here.VALUE")
    config = FunctionConfig(
        logical_id="Fn",
        name="fn",
        arn="arn",
        handler="app.handler",
        runtime="python3.13",
        directory=code,
        log_group="/with-requirements",
    )
    function = Function(config, server.settings, packages=provide(code, cache=tmp_path / "cache"))
    try:
        assert function.invoke(None).payload == '"from the wheel"'
    finally:
        function.close()


def test_an_environment_is_made_once(make_code: MakeCode, wheel: Path, tmp_path: Path) -> None:
    """The second time nothing runs; with other requirements another environment is made."""
    code = make_code(f"--no-index\n{wheel}\n")
    first = provide(code, cache=tmp_path / "cache")
    with mock.patch.object(requirements, "_run_pip", side_effect=AssertionError):
        assert provide(code, cache=tmp_path / "cache") == first
    (code / "requirements.txt").write_text(f"--no-index\n# other\n{wheel}\n")
    assert provide(code, cache=tmp_path / "cache").target != first.target


def test_two_at_once_make_one_environment(make_code: MakeCode, tmp_path: Path) -> None:
    """Whoever is second takes the first one's, and nothing half made is ever seen or left."""
    code, cache = make_code("--no-index\nmade-here\n"), tmp_path / "cache"

    def slow_pip(_: Path, target: Path) -> None:
        target.mkdir()
        (target / "made_here.py").write_text("VALUE = 1")

    with mock.patch.object(requirements, "_run_pip", slow_pip), ThreadPoolExecutor(8) as pool:
        targets = {found.target for found in pool.map(lambda _: provide(code, cache=cache), range(8))}
    assert len(targets) == 1
    assert [entry.name for entry in cache.iterdir()] == [target.name for target in targets if target]


def test_a_requirement_that_cannot_be_installed_is_a_clear_error(make_code: MakeCode, tmp_path: Path) -> None:
    """Pip's last words are in the error, and nothing stays in the cache."""
    code, cache = make_code("--no-index\nthere-is-no-such-package\n"), tmp_path / "cache"
    with pytest.raises(OpstoolError, match="there-is-no-such-package") as caught:
        provide(code, cache=cache)
    assert caught.value.code == "requirements_failed"
    assert list(cache.iterdir()) == []


def test_what_is_already_here_is_shown_and_not_downloaded(make_code: MakeCode, tmp_path: Path) -> None:
    """When this interpreter satisfies the requirements, pip is not run; what they need themselves is found too."""
    with mock.patch.object(subprocess, "run", side_effect=AssertionError):
        found = provide(make_code("boto3>=1.0  # for S3\n\n# a comment\n"), cache=tmp_path / "cache")
    assert {"boto3", "botocore", "dateutil"} <= set(found.names)
    assert "typer" not in found.names


@pytest.mark.parametrize("text", ["boto3>=1000", "there-is-no-such-package", "-r other.txt", "./local", "boto3[nope!]"])
def test_what_is_not_here_goes_to_pip(text: str) -> None:
    """Another version, an unknown name, an option, a path and a mistake are pip's to decide."""
    assert already_here(text) is None


def test_no_requirements_need_nothing(tmp_path: Path) -> None:
    """Without requirements.txt there is nothing to do."""
    assert provide(tmp_path).target is None
    assert provide(tmp_path).names == ()
