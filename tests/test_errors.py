"""What is accepted as a number."""

import math
from typing import Any

import pytest

from gan_lightning.errors import number, true_or_false, whole_number


@pytest.mark.parametrize("value", [-1, -1e-4, math.inf, math.nan, True, None, "fast", "1"])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^lr must be a number of at least 0, not "):
        number("lr", value, at_least=0)


@pytest.mark.parametrize("value", [0, -7, 2.5, 1e23, True, None, "five", "5"])
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^k must be a whole number of at least 1, not "):
        whole_number("k", value, at_least=1)


def test_what_is_accepted() -> None:
    for value in (0, 0.0, 1e-30, 3):
        number("lr", value, at_least=0)
    for value in (1, 10**9):
        whole_number("k", value, at_least=1)
    for value in (True, False):
        true_or_false("flag", value)


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_what_is_neither_true_nor_false(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^flag must be true or false"):
        true_or_false("flag", value)
