"""The traceback of a failure line shows the code that failed, and nothing that the message or the machine said."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from consumer_under_test import CONSUMER, Consumer, RecordFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Rule = Callable[[Any], Any]


def traceback_of(consumer: Consumer, record: RecordFactory, rule: Rule, body: str = "{}") -> str:
    """Return the traceback that is logged when `rule` fails."""
    consumer.processing.process = rule
    consumer.invoke(record(body))
    traceback = consumer.failure()["traceback"]
    assert isinstance(traceback, str)
    return traceback


def test_it_shows_file_line_function_and_code(consumer: Consumer, record: RecordFactory) -> None:
    """An engineer finds the place without opening the log group, and the cause above what it led to."""
    consumer.invoke(record("[]"))
    lines = inspect.getsource(consumer.processing).splitlines()
    at = {text: lines.index(text) + 1 for text in lines if text.strip()}
    call, fault = (next(text for text in at if part in text) for part in ("_parse(message.body)", "not an object"))
    assert consumer.failure()["traceback"].splitlines() == [
        f'File "processing.py", line {at[call]}, in process',
        f"  {call.strip()}",
        f'File "processing.py", line {at[fault]}, in _parse',
        f"  {fault.strip()}",
        "PermanentError",
    ]


def test_the_cause_comes_before_what_it_led_to(consumer: Consumer, record: RecordFactory) -> None:
    """The library below the rule is in it, named as its import names it, and no path of this machine."""
    consumer.invoke(record("not json"))
    traceback = consumer.failure()["traceback"]
    cause, effect = traceback.split("\nThe above exception was the direct cause of the following exception:\n")
    assert cause.endswith("\nJSONDecodeError\n")
    assert 'File "json/decoder.py", line ' in cause
    assert effect.splitlines()[1].startswith('File "processing.py"')
    assert str(CONSUMER) not in traceback
    assert not re.search(r'"(/|[A-Za-z]:|\.\.)', traceback)


def _in_handling(message: Any) -> None:
    try:
        {}["first"]
    except KeyError:
        raise ValueError("second")  # noqa: B904 - how an error in an except clause comes about


def _without_context(message: Any) -> None:
    try:
        {}["first"]
    except KeyError:
        raise ValueError("second") from None


def test_an_error_in_handling_another_shows_both(consumer: Consumer, record: RecordFactory) -> None:
    """As Python shows them, but for their texts."""
    traceback = traceback_of(consumer, record, _in_handling)
    assert "\nKeyError\n\nDuring handling of the above exception, another exception occurred:\n" in traceback
    assert traceback.endswith("\nValueError")


def test_what_the_code_hid_stays_hidden(consumer: Consumer, record: RecordFactory) -> None:
    """`from None` says that the first error tells nothing."""
    assert "KeyError\n" not in traceback_of(consumer, record, _without_context)


def test_the_ways_of_the_batch_are_left_out(consumer: Consumer, record: RecordFactory) -> None:
    """Powertools' frames and ours above the rule are the same in every failure."""
    traceback = traceback_of(consumer, record, _in_handling)
    assert "powertools" not in traceback
    assert '"app.py"' not in traceback


def test_a_fault_of_the_wiring_itself_is_shown(consumer: Consumer, record: RecordFactory) -> None:
    """There is then no frame below it."""

    async def process(message: Any) -> None:
        await asyncio.sleep(0)

    assert traceback_of(consumer, record, process).startswith('File "app.py", line ')


@pytest.mark.parametrize("end", [SystemExit, GeneratorExit], ids=["SystemExit", "GeneratorExit"])
def test_an_exit_has_its_frames_too(consumer: Consumer, record: RecordFactory, end: type[BaseException]) -> None:
    """The error that carried it through the batch is not part of it."""

    def process(message: Any) -> None:
        raise end

    traceback = traceback_of(consumer, record, process)
    assert traceback.splitlines()[-1] == end.__name__
    assert "_Exited" not in traceback


def test_what_was_not_attempted_has_none(consumer: Consumer, record: RecordFactory) -> None:
    """A message whose predecessor failed met no code."""
    consumer.invoke(record("not json", group="g"), record(group="g"))
    first, second = consumer.lines("record_failed")
    assert (bool(first["traceback"]), second["error_type"], second["traceback"]) == (True, "PredecessorFailed", "")


def _recurse(message: Any) -> None:
    _recurse(message)


def _fail_in_a_chain(message: Any) -> None:
    error: Exception | None = None
    for number in range(50):
        try:
            _nest(15, number, error)
        except ValueError as raised:
            error = raised
    assert error is not None
    raise error


def _nest(depth: int, number: int, cause: Exception | None) -> None:
    if depth:
        _nest(depth - 1, number, cause)
    raise ValueError(number) from cause


@pytest.mark.parametrize("rule", [_recurse, _fail_in_a_chain])
def test_it_is_bounded_and_keeps_the_innermost_frames(consumer: Consumer, record: RecordFactory, rule: Rule) -> None:
    """A recursion or a long chain costs no more of the log than another failure, and says what it left out."""
    traceback = traceback_of(consumer, record, rule)
    assert len(traceback) <= consumer.frames.TRACEBACK_MAX_CHARACTERS == 4_000
    assert re.search(r"^\[\d+ outer frames left out\]$", traceback, re.MULTILINE)
    last = (
        "_recurse(message)\nRecursionError" if rule is _recurse else "raise ValueError(number) from cause\nValueError"
    )
    assert traceback.endswith(f"\n  {last}")


def test_one_endless_line_of_code_is_cut(consumer: Consumer, record: RecordFactory, tmp_path: Path) -> None:
    """A generated file may be one line."""
    rule = _rule_in(tmp_path / "endless.py", f"def process(message): raise ValueError({'1 + ' * 2_000}1)")
    try:
        traceback = traceback_of(consumer, record, rule)
    finally:
        del sys.modules["endless"]
    assert max(map(len, traceback.splitlines())) <= consumer.frames.LINE_MAX_CHARACTERS + 2


def _rule_in(file: Path, source: str) -> Rule:
    """Return `process` of a module that was loaded from a file."""
    file.write_text(source, encoding="utf-8")
    module = types.ModuleType(file.stem)
    module.__file__ = str(file)
    sys.modules[file.stem] = module
    exec(compile(source, str(file), "exec"), module.__dict__)
    rule: Rule = module.process
    return rule


def test_a_cycle_of_causes_ends(consumer: Consumer, record: RecordFactory) -> None:
    """Errors can be each other's cause."""

    def process(message: Any) -> None:
        one, two = ValueError(), KeyError()
        one.__cause__, two.__cause__ = two, one
        raise one

    assert traceback_of(consumer, record, process).endswith("\nValueError")


def test_no_value_of_a_variable_is_in_it(consumer: Consumer, record: RecordFactory) -> None:
    """Source lines are code: an f-string shows its expression, a call the names of its arguments."""

    def process(message: Any) -> None:
        card, holder = message.body.split()
        raise ValueError(f"refused {card} of {holder}", card)

    traceback = traceback_of(consumer, record, process, "4111111111111111 Abernathy")
    assert 'raise ValueError(f"refused {card} of {holder}", card)' in traceback
    assert "4111" not in traceback
    assert "Abernathy" not in traceback


def test_no_text_of_a_chained_error_is_in_it(consumer: Consumer, record: RecordFactory) -> None:
    """A cause quotes the message more often than what it led to; `error` has the masked text of the last."""

    def process(message: Any) -> None:
        try:
            int(message.body)
        except ValueError as error:
            error.add_note(f"while reading {message.body}")
            raise RuntimeError(message.body) from error

    assert "Abernathy" not in traceback_of(consumer, record, process, "Abernathy")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8), where=st.integers(0, 3))
def test_code_made_of_a_message_shows_none_of_it(consumer: Consumer, body: str, where: int) -> None:
    """Its file name, its function's name, its module's name and its text may all be the message."""
    own: dict[str, Any] = {"__name__": body if where == 1 else __name__, "__file__": body}
    file = body if where < 2 else __file__ if where == 2 else "<string>"
    exec(compile("def process():\n    raise ValueError", file, "exec"), own)
    code = own["process"].__code__.replace(co_name=body, co_qualname=body)
    try:
        types.FunctionType(code, own)()
    except ValueError as error:
        traceback = consumer.failures.describe({"body": body}, error, request_id="", permanent=False).traceback
    assert traceback.splitlines()[-2:] == ['File "<unknown>", line 2', "ValueError"]


@pytest.mark.parametrize("own", [globals(), {"__name__": __name__}], ids=["the module's names", "names of its own"])
def test_no_file_is_read_because_code_names_it(
    consumer: Consumer, record: RecordFactory, tmp_path: Path, own: dict[str, Any]
) -> None:
    """A file name in compiled code may come from a message: that file's lines are not the program's."""
    secret = tmp_path / "secret"
    secret.write_text("the password is Abernathy\n")

    def process(message: Any) -> None:
        exec(compile("1 / 0", message.body, "exec"), own)

    for name in (str(secret), f"{secret}/../secret"):
        traceback = traceback_of(consumer, record, process, name)
        assert "Abernathy" not in traceback
        assert "secret" not in traceback


def test_an_error_that_cannot_be_looked_at_has_none(consumer: Consumer) -> None:
    """The line is written all the same."""
    failure = consumer.failures.describe({}, _Closed("x"), request_id="r", permanent=False)
    assert (failure.traceback, json.dumps(failure.line()) != "") == ("", True)


class _Closed(Exception):  # noqa: N818 - it is what it is called
    """An error whose cause cannot be read."""

    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("not today")

    @__cause__.setter
    def __cause__(self, _: Any) -> None:
        pass


def test_it_costs_little(consumer: Consumer) -> None:
    """Formatting by `traceback` takes some 150 microseconds a failure; this is bounded even for a deep recursion."""

    def best_of(error: BaseException) -> float:
        times = []
        for _ in range(20):
            started = time.perf_counter()
            consumer.frames.traceback_of(error)
            times.append(time.perf_counter() - started)
        return min(times)

    errors = []
    for rule in (_in_handling, _recurse):
        try:
            rule(None)
        except (ValueError, RecursionError) as error:
            errors.append(error)
    plain, deep = map(best_of, errors)
    assert plain < 0.001
    assert deep < 0.005


def test_a_success_and_a_cold_start_do_without_it() -> None:
    """It is imported at the first failure."""
    look = "import sys, app; print('frames' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], cwd=CONSUMER, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
