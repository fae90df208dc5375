"""SQS's way to say no, before it is known whether to a whole request or to one entry of a batch."""

from __future__ import annotations


class RefusalError(Exception):
    """An error answer: SQS's own code and text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def invalid_value(value: object, parameter: str, reason: str) -> RefusalError:
    """Return SQS's usual answer to a value it does not take."""
    return RefusalError(
        "InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    )


def in_range(value: int, low: int, high: int, parameter: str) -> int:
    """Return `value`, or refuse it when it is outside the bounds."""
    if not low <= value <= high:
        raise invalid_value(value, parameter, f"Must be >= {low} and <= {high}, if provided.")
    return value
