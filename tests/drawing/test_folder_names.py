"""Names of classes as names of folders: on any system, and of no two classes the same."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_lightning.drawing.folder_names import folder_names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ["0", "1", "2"]),
        (["rote Kreise", "grün", "日本"], ["rote Kreise", "grün", "日本"]),
        (["T-shirt/top", "Bag", "Ankle boot"], ["0", "Bag", "Ankle boot"]),
        (["..", ".git", "a."], ["0", "1", "2"]),
        (["con", "COM1.x", "console"], ["0", "1", "console"]),
        (["Cat", "cat", "dog"], ["0", "1", "dog"]),
        (["x" * 256, "ü" * 128, "ü" * 127], ["0", "1", "ü" * 127]),
        (["0", "1", "2"], ["0", "1", "2"]),
        (["9", "10", "11"], ["9", "10", "11"]),
        (["1", "a/b", "c"], ["0", "1", "c"]),
        (["a:b", "c\\d", ""], ["0", "1", "2"]),
    ],
)
def test_a_name_or_else_the_number(names: list[str], expected: list[str]) -> None:
    assert list(folder_names(range(3), names).values()) == expected
    assert folder_names([2], names) == {2: expected[2]}


@settings(max_examples=100, derandomize=True, deadline=5000)
@given(st.lists(st.text("aA0123/.: ", max_size=3) | st.text(max_size=4), min_size=1, max_size=8, unique=True))
def test_folders_are_different_and_safe(names: list[str]) -> None:
    found = list(folder_names(range(len(names)), names).values())
    assert len({name.casefold() for name in found}) == len(names)
    assert not any(re.search(r"[/\\:\x00-\x1f]|^[. ]|[. ]$|^$", name) for name in found)
