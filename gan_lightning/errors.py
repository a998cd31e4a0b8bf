"""A user's mistake: the one exception that stands for it, how it is told in one line, and what a setting must be."""

import math
from typing import Any


class UserError(Exception):
    """Something the user can put right; the message is one line: what is wrong, where, and what would be right.

    Attributes:
        exit_code: that of a command that ends with it.
    """

    exit_code = 1


class TrainingDivergedError(UserError):
    """A training whose losses, weights or images are no finite numbers any more."""

    exit_code = 3


def one_line(error: BaseException) -> str:
    """What an error says, its line breaks and runs of spaces made single spaces, without the stack of torch's C++."""
    return " ".join(str(error).partition("Exception raised from ")[0].split())


def whole_number(name: str, value: Any, at_least: int, at_most: float = math.inf) -> None:
    """Accept an integer that is large enough, and not too large.

    Raises:
        ValueError: if `value` is anything else; the message begins with `name`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not at_least <= value <= at_most:
        most = "" if at_most == math.inf else f" and at most {at_most}"
        raise ValueError(f"{name} must be a whole number of at least {at_least}{most}, not {value!r}")


def is_number(value: Any) -> bool:
    """Whether a value is an integer or a float, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(name: str, value: Any, at_least: float) -> None:
    """Accept a finite number that is large enough.

    Raises:
        ValueError: if `value` is anything else; the message begins with `name`.
    """
    if not is_number(value) or not at_least <= value < math.inf:
        raise ValueError(f"{name} must be a number of at least {at_least:g}, not {value!r}")


def true_or_false(name: str, value: Any) -> None:
    """Accept a truth value.

    Raises:
        ValueError: if `value` is anything else; the message begins with `name`.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")
