"""What the crash suites share: the warm process, and shops to crash in."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.faults.crash.shop", "tests.faults.crash.story")  # whose asserts are tests'

if sys.platform == "win32":  # no SIGKILL, no fork, no file-size limit
    collect_ignore_glob = ["test_*.py"]
else:
    from tests.faults.crash.shop import Shop, open_shop
    from tests.faults.crash.zygote import Zygote
    from tests.faults.scale import FULL
    from tests.lanes import LANES

    @pytest.fixture(scope="session")
    def zygote() -> Iterator[Zygote]:
        """Start the warm process."""
        with Zygote() as warm:
            yield warm

    @pytest.fixture(params=LANES if FULL else ["a lane"])
    def open_a_shop(request: pytest.FixtureRequest, zygote: Zygote, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
        """Return what opens a shop, closed at the end; over each lane, or over one that the test's name decides."""
        by_name = LANES[zlib.crc32(request.node.name.encode()) % len(LANES)]
        lane = request.param if FULL else by_name
        with ExitStack() as undo:
            yield lambda name="shop", **settings: undo.enter_context(
                open_shop(zygote, tmp_path / name, **{"lane": lane, **settings})
            )
