"""How serious a line says it is, in the words and numbers of a dozen log libraries."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """What a level means for us."""

    FAILED = "failed"
    WARNED = "warned"
    CALM = "calm"
    """Less than a warning: such a line is no error, whatever words are in it."""


_WORDS = {
    Level.FAILED: "ERROR ERR CRITICAL CRIT FATAL SEVERE EMERGENCY ALERT PANIC DPANIC FAIL",
    Level.WARNED: "WARN WARNING",
    Level.CALM: "TRACE TRCE DEBUG DBUG VERBOSE INFO INFORMATION NOTICE SUCCESS FINE",
}
_LEVELS = {word: level for level, words in _WORDS.items() for word in words.split()}
# pino's numbers (https://getpino.io, logger.levels). Python's are ten less, and Python's libraries write names.
_PINO_WARNING = 40
_PINO_ERROR = 50


def level_of(value: object) -> Level | None:
    """Return what the value of a level field, or a word of a line, means; None when it is no level."""
    if isinstance(value, str):
        return _LEVELS.get(value.strip().upper()) if len(value) < 20 else None  # noqa: PLR2004 - no level is so long
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value >= _PINO_ERROR:
        return Level.FAILED
    return Level.WARNED if value >= _PINO_WARNING else Level.CALM
