"""The library's face: what a Python user imports from `opstool` itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

import opstool


@pytest.mark.parametrize("name", opstool.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    """Each name of the face leads to something that says what it is for."""
    assert getattr(opstool, name).__doc__


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    """A typing error is not an import error somewhere deep."""
    with pytest.raises(AttributeError, match="no attribute 'redirve'"):
        _ = opstool.redirve


def test_importing_the_library_imports_no_aws() -> None:
    """boto3 takes longer than all the rest; it is loaded when a client is made."""
    code = "import sys, opstool; opstool.redrive; print('boto3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
