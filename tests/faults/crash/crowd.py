"""Several scenes at once in one test: most of a resumed run's time is waiting for leases to lapse."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.crash.scene import Scene
from tests.faults.crash.shop import open_shop
from tests.faults.crash.story import Story, Told
from tests.faults.crash.zygote import Zygote
from tests.faults.results import RecordRun

AT_ONCE = 6


def tell_all(zygote: Zygote, folder: Path, scenes: Iterable[Scene], record_run: RecordRun, *, seeds: str = "") -> None:
    """Tell scenes and record what became of each; raise what was not as it should be, with the scene."""

    def tell(numbered: tuple[int, Scene]) -> tuple[Scene, Told | Exception]:
        number, scene = numbered
        place = folder / f"shop-{number}"
        try:
            how = {"seed": scene.seed, "workers": scene.workers}
            with open_shop(zygote, place, fifo=scene.fifo, lane=scene.lane, **how) as shop:
                told = Story(scene=scene, shop=shop).tell()
                assert told.kills, "nothing ended it early"
                return scene, told
        except Exception as error:  # noqa: BLE001 - all of them are raised once all are told
            error.add_note(str(scene))
            return scene, error

    failures = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for scene, told in pool.map(tell, enumerate(scenes)):
            if isinstance(told, Exception):
                failures.append(told)
            became = told if isinstance(told, Told) else Told()
            record_run(
                "Crashes",
                scene.row,
                messages=scene.messages,
                seeds=seeds,
                strikes=became.kills,
                doubled=became.doubled,
                counted=became.counted,
            )
    if failures:
        raise ExceptionGroup("not everything held", failures)
