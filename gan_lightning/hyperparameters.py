"""The settings that decide what a run comes to, flat: what TensorBoard's table and the reports show of it."""

from typing import Any

HYPERPARAMETERS = (
    "dataset",
    "gan",
    "model",
    "objective",
    "penalty",
    "augmentation",
    "optimizer",
    "seed",
    "trainer.max_epochs",
    "trainer.precision",
)
"""The settings that are meant: not where a run is written, nor where it takes place."""
MAY_BE_NONE = {"penalty", "augmentation"}
"""Those that name a class, or none."""


def hyperparameters(settings: dict[str, Any]) -> dict[str, float | str]:
    """All of them, in the order of the settings."""
    shown = tuple(f"{name}." for name in HYPERPARAMETERS)
    return {
        name: value
        for name, value in flatten(settings).items()
        if f"{name}.".startswith(shown) and name != "dataset.data_dir"
    }


def flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, float | str]:
    """Nested settings as one flat dict for TensorBoard: `{"gan": {"seed": 0}}` becomes `{"gan.seed": 0}`.

    A `_target_` stands for its parent by the class's name. None becomes NaN, because TensorBoard hides a run whose
    value is of another type than in the first run it reads; lists become text, and the absence of a class `none`.
    """
    flat: dict[str, float | str] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= flatten(value, f"{name}.")
        elif key == "_target_":
            flat[prefix.removesuffix(".")] = value.rpartition(".")[2]
        elif key.startswith("_"):
            continue
        elif value is None:
            flat[name] = "none" if name in MAY_BE_NONE else float("nan")
        else:
            flat[name] = value if isinstance(value, bool | int | float | str) else str(value)
    return flat
