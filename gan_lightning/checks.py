"""What a setting must be."""

from typing import Any


def whole_number(name: str, value: Any, at_least: int) -> None:
    """Accept an integer that is large enough.

    Raises:
        ValueError: if `value` is anything else; the message begins with `name`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise ValueError(f"{name} must be a whole number of at least {at_least}, not {value!r}")
