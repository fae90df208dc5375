"""Amounts of data as people type them: `500MB`, `10GB`."""

from __future__ import annotations

import re

from opstool.words.caret import point_at

_BYTES = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"([0-9]{1,6})([KMGT]B)", re.ASCII | re.IGNORECASE)


def parse_size(text: str, *, option: str) -> int:
    """Return the bytes of a whole number with one of the units KB, MB, GB and TB, which are powers of a thousand.

    Raises UsageError that points at the value of `option`.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise point_at(option, text, 0, f"a size is a whole number and one of {', '.join(_BYTES)}, such as 10GB")
    return int(found[1]) * _BYTES[found[2].upper()]
