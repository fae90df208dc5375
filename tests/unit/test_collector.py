"""The garbage collector is patient while messages are held, and as before afterwards."""

from __future__ import annotations

import gc

import pytest

from opstool.engine.collector import patient_collector


def test_it_collects_less_often_inside_and_as_before_outside() -> None:
    """The thresholds of the process are raised for the block, and put back."""
    before = gc.get_threshold()
    with patient_collector():
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before


def test_the_last_of_two_blocks_puts_it_back() -> None:
    """Two holds at once share the setting: the first to end does not take it from the other."""
    before = gc.get_threshold()
    one, other = patient_collector(), patient_collector()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert gc.get_threshold() != before
    other.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_an_error_puts_it_back_too() -> None:
    """What goes wrong in a run does not leave the process with another collector."""
    before = gc.get_threshold()
    with pytest.raises(KeyError), patient_collector():
        raise KeyError
    assert gc.get_threshold() == before
