"""What has been measured of an exported generator, and how."""

from pathlib import Path
from typing import Any

from gan_lightning.averaging import which_weights
from gan_lightning.checkpoints import epochs_of, has_average
from gan_lightning.errors import UserError, is_number, whole_number
from gan_lightning.measures.metrics import METRICS
from gan_lightning.whole_files import read_json

FILE = "metrics.json"


def measured_by_training(checkpoint: dict[str, Any], weights: str) -> dict[str, Any] | None:
    """What `callbacks=evaluation` measured of a checkpoint at the end of its run; None if that is not there.

    It is a dict of `metrics` by their names, `floor`, the same of real images, `generated` and `held_out`, the numbers
    of images, `features`, `seed` and `by`; what is not known is None.
    """
    callbacks = checkpoint["hyper_parameters"].get("callbacks")
    evaluation = callbacks.get("evaluation") if isinstance(callbacks, dict) else None
    folder = Path(checkpoint["path"]).parent
    results = read_json(folder.parent / FILE) if folder.name == "checkpoints" else None
    if not isinstance(evaluation, dict) or results is None or results.get("epochs") != epochs_of(checkpoint):
        return None
    if which_weights(evaluation.get("weights"), has_average(checkpoint)) != weights:
        return None
    num_samples, features, seed = (evaluation.get(name) for name in ("num_samples", "features", "seed"))
    return _measured(results, num_samples, seed, "training", features={"name": features})


def measured_by_evaluation(folder: Path, checkpoint: dict[str, Any], weights: str) -> dict[str, Any]:
    """What :mod:`gan_lightning.evaluate` wrote of a checkpoint into a folder, in the same form.

    Raises:
        UserError: if it wrote nothing of it there.
    """
    path = folder / FILE
    found = read_json(path)
    measured = None
    try:
        assert found is not None
        for evaluation in found["evaluations"]:
            counts, floor, features = evaluation["images"], evaluation["floor"], evaluation.get("features")
            for model in evaluation["models"]:
                is_it = Path(model["checkpoint"]).resolve() == Path(checkpoint["path"]).resolve()
                if is_it and (model["weights"], model["epochs"]) == (weights, epochs_of(checkpoint)):
                    sizes = counts["generated"], found["seed"]
                    measured = _measured(model["metrics"], *sizes, "evaluation", counts["held_out"], floor, features)
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{path} is not what an evaluation writes; evaluation=… takes its output_dir") from None
    if measured is None:
        raise UserError(f"{path} has no numbers of the {weights} weights of {checkpoint['path']} as it is now")
    return measured


def measured_before(checkpoint: dict[str, Any]) -> dict[str, Any] | None:
    """What an exported generator, which is exported again, says of itself, in the same form.

    Raises:
        UserError: if it has another form.
    """
    found = checkpoint.get("measured")
    try:
        return None if found is None else _measured(**found)
    except (TypeError, ValueError, AttributeError):
        raise UserError(f"{checkpoint['path']}: measured has no form that is known here") from None


def _measured(
    metrics: Any, generated: Any, seed: Any, by: Any, held_out: Any = None, floor: Any = None, features: Any = None
) -> dict[str, Any] | None:
    """What was measured, if it was something; it may have been a stranger who wrote it down.

    Raises:
        TypeError, ValueError, AttributeError: if it has another form.
    """
    for name, value in (("generated", generated), ("seed", seed), ("held_out", held_out or 0)):
        whole_number(name, value, at_least=0)
    if by not in ("training", "evaluation"):
        raise ValueError
    known = {name: str((features or {}).get(name) or "") for name in ("name", "fingerprint")}
    about = {"generated": generated, "held_out": held_out, "seed": seed, "by": by, "features": known}
    numbers = _numbers(metrics)
    return {"metrics": numbers, "floor": _numbers(floor or {}), **about} if numbers else None


def _numbers(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: metrics[name] for name in METRICS if is_number(metrics.get(name))}
