"""Say how good generators are: `python -m gan_lightning.evaluate ckpt=…`; `--help` lists the settings."""

import json
import statistics
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from gan_lightning.building import build_dataset, check_trust, has_average, trained_player
from gan_lightning.checks import whole_number
from gan_lightning.cli import door, user_mistakes, words
from gan_lightning.config import epochs_of, find_checkpoints, identity, read_checkpoint
from gan_lightning.errors import UserError
from gan_lightning.whole_files import write_json

if TYPE_CHECKING:
    import torch

    from gan_lightning.data.base import ImageDataModule
    from gan_lightning.evaluation import Metric, Reference, Subject, Values

COLUMNS = 5
"""Columns of a table beside the floor; what is more goes into another table."""
ALONE = "neighbours.png"
"""The picture of the only model; those of several are numbered."""
PAIRS = 48
"""Samples that are shown beside their nearest training images."""


OF_TRAINING = {"batch_size", "data_dir", "num_train_images", "seed"}
"""Settings of a data set that do not decide which images it has."""


class Model(NamedTuple):
    """A checkpoint, and what it says of itself."""

    path: Path
    settings: dict[str, Any]
    epochs: int
    weights: str
    """Of the generator, `raw` or `ema`."""
    picture: str
    """The file name of the samples beside their nearest training images."""

    @property
    def dataset(self) -> str:
        """Equal for models of the same images, whatever their trainings made of them."""
        others = {key: value for key, value in self.settings["dataset"].items() if key not in OF_TRAINING}
        return json.dumps(others, sort_keys=True)

    @property
    def identity(self) -> str:
        """Equal for models that differ by their seeds alone."""
        return json.dumps([self.epochs, identity(self.settings)], sort_keys=True)


@door("evaluate")
def main(settings: DictConfig) -> None:
    """Measure the generators of some checkpoints, print tables and write `metrics.json`."""
    if not settings.ckpt and settings.ckpt != 0:
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    for folder in ("output_dir", "data_dir"):
        if settings[folder] in (None, ""):
            raise UserError(f"{folder} is empty; to use the current folder, say {folder}=.")
    paths = find_checkpoints(words(settings.ckpt))
    path = Path(str(settings.output_dir)) / "metrics.json"
    if path.exists():
        raise UserError(f"{path} exists already; choose another output_dir")

    from gan_lightning.evaluation import metrics_named  # not needed for --help and mistyped keys

    with user_mistakes():
        for name, at_least in (("num_samples", 1), ("batch_size", 1), ("seed", 0)):
            whole_number(name, settings[name], at_least)
        names: Any = OmegaConf.to_container(settings).get("metrics")  # type: ignore[union-attr]
        metrics = metrics_named(names, str(settings.features))
        models = [
            _model(path, settings, f"neighbours_{n}.png" if len(paths) > 1 else ALONE)
            for n, path in enumerate(paths, start=1)
        ]
    models.sort(key=lambda model: model.dataset)
    evaluations: list[dict[str, Any]] = []
    for _, of_one_dataset in groupby(models, key=lambda model: model.dataset):
        for evaluation in _evaluate(list(of_one_dataset), metrics, settings):
            write_json(path, {"seed": settings.seed, "evaluations": [*evaluations, evaluation]})
        evaluations.append(evaluation)
        print(_report(evaluation, settings.seed))
    print(f"in numbers: {path}")


def _model(path: Path, settings: DictConfig, picture: str) -> Model:
    from gan_lightning.averaging import which_weights

    checkpoint = read_checkpoint(str(path))
    check_trust(checkpoint["hyper_parameters"], ["dataset", "generator", "discriminator"], words(settings.trust))
    weights = which_weights(settings.weights, has_average(checkpoint))
    return Model(path, checkpoint["hyper_parameters"], epochs_of(checkpoint), weights, picture)


def _evaluate(models: list[Model], metrics: "dict[str, Metric]", settings: DictConfig) -> Iterator[dict[str, Any]]:
    """Measure models of one data set and its floor; after each model, all that is known so far."""
    import torch
    from tqdm import tqdm

    from gan_lightning.evaluation import DivergedError, Reference, Subject, feature_space
    from gan_lightning.features.space import describe

    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    with user_mistakes():
        data = _dataset(models[0].settings, str(settings.data_dir))
        data.prepare_data()
        data.split(train=False)
    evaluation: dict[str, Any] = {"dataset": data.title}
    into_points = None
    if any(metric.needs_features for metric in metrics.values()):
        space = feature_space(settings.features, data)
        into_points = partial(describe, space, batch_size=settings.batch_size, device=device)
        evaluation["features"] = {"name": space.name, "fingerprint": space.fingerprint, "accuracy": space.accuracy}
    reference = Reference(data, settings.num_samples, into_points)
    evaluation["images"] = {
        "generated": settings.num_samples,
        "held_out": len(reference.held_out.pixels),
        "floor": len(reference.real.pixels),
    }
    evaluation["models"] = []
    with tqdm(total=(1 + len(models)) * len(metrics), unit="metric") as progress:

        def measure(subject: Subject, what: str) -> "Values":
            values: Values = {}
            for name, metric in metrics.items():
                progress.set_description(f"{what}: {name}")
                try:
                    values |= metric.measure(subject, reference)
                except DivergedError:
                    raise
                except ValueError as reason:
                    raise UserError(f"{what}: {name}: {reason} (num_samples={settings.num_samples})") from reason
                progress.update()
            return values

        evaluation["floor"] = measure(Subject(reference.real), "floor")
        for model in models:
            entry: dict[str, Any] = {"checkpoint": str(model.path), "epochs": model.epochs}
            entry |= {"seed": model.settings["seed"], "weights": model.weights}
            try:
                subject = _subject(model, settings, reference, device, into_points)
                entry["metrics"] = measure(subject, str(model.path))
                if "memorisation" in metrics:
                    _draw_neighbours(subject, reference, Path(str(settings.output_dir)) / model.picture)
                    entry["neighbours"] = model.picture
            except DivergedError as reason:
                if model.picture == ALONE:
                    raise UserError(str(reason)) from reason
                progress.write(f"{model.path}: {reason}; left out")
                entry["metrics"] = {}
            evaluation["models"].append(entry)
            evaluation["means"] = _means(models, evaluation["models"])
            yield evaluation


def _dataset(settings: dict[str, Any], data_dir: str) -> "ImageDataModule":
    """The data set that a checkpoint's settings name, with its files in `data_dir`."""
    folder = {"data_dir": data_dir} if "data_dir" in settings["dataset"] else {}
    return build_dataset({**settings, "dataset": settings["dataset"] | folder})


def _subject(
    model: Model, settings: DictConfig, reference: "Reference", device: "torch.device", into_points: Any
) -> "Subject":
    """What a checkpoint's generator draws, and its discriminator."""
    from gan_lightning.evaluation import Images, Subject, check_generated
    from gan_lightning.pixels import to_uint8
    from gan_lightning.sampling import generate, judged, seeded_latent

    checkpoint = read_checkpoint(str(model.path))
    with user_mistakes():
        generator = trained_player(checkpoint, "generator", model.weights).to(device)
        discriminator = trained_player(checkpoint, "discriminator").to(device)
    latent = seeded_latent(generator, settings.num_samples, settings.seed)
    images = generate(generator, latent, reference.labels, settings.batch_size, device)
    check_generated(images)

    logits = partial(judged, discriminator, batch_size=settings.batch_size, device=device)
    drawn = Images(to_uint8(images), reference.labels, into_points)
    return Subject(drawn, logits, model.settings["log_odds"], model.settings["dataset"].get("num_train_images"))


def _draw_neighbours(subject: "Subject", reference: "Reference", path: Path) -> None:
    """Samples, each beside its nearest training image."""
    import torch

    from gan_lightning.metrics.memorisation import nearest_neighbours
    from gan_lightning.sampling import grid, save_png

    samples = subject.images.pixels[:PAIRS]
    nearest = nearest_neighbours(subject.images.vectors[:PAIRS], reference.training.vectors).nearest
    path.parent.mkdir(parents=True, exist_ok=True)
    save_png(grid(torch.cat([samples, reference.training.pixels[nearest]], dim=3), columns=6), path)


def _means(models: list[Model], entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The mean and the standard deviation over the seeds of models that differ by nothing else."""
    together: dict[str, dict[int, dict[str, Any]]] = {}
    for model, entry in zip(models, entries, strict=False):  # some may not be measured yet
        if entry["metrics"]:
            # The same epoch of the same run may lie there under two names.
            together.setdefault(model.identity, {}).setdefault(entry["seed"], entry)
    return [
        {
            "checkpoints": [entry["checkpoint"] for entry in entries],
            "epochs": entries[0]["epochs"],
            "seeds": [entry["seed"] for entry in entries],
            "mean": {name: statistics.fmean(values) for name, values in columns.items()},
            "std": {name: statistics.stdev(values) for name, values in columns.items() if len(values) > 1},
        }
        for by_seed in together.values()
        for entries in [list(by_seed.values())]
        for columns in [{name: [entry["metrics"][name] for entry in entries] for name in entries[0]["metrics"]}]
    ]


def _report(evaluation: dict[str, Any], seed: int) -> str:
    """The tables of one data set, and what they were computed with."""
    from gan_lightning.quantities import QUANTITIES

    counts, features, means = evaluation["images"], evaluation.get("features"), evaluation["means"]
    lines = [
        "",
        f"{evaluation['dataset']}: {counts['generated']:,} generated images (seed {seed}) and"
        f" {counts['held_out']:,} test images; floor: {counts['floor']:,} training images in place of generated ones",
    ]
    if features is not None:
        accuracy = features["accuracy"]
        right = "" if accuracy is None else f", {accuracy:.2%} of the test images right"
        lines.append(f"features: {features['name']} {features['fingerprint']}{right}")
    for number, mean in enumerate(means, start=1):
        seeds = ", ".join(map(str, mean["seeds"]))
        one = len(mean["seeds"]) == 1
        epochs = "1 epoch" if mean["epochs"] == 1 else f"{mean['epochs']} epochs"
        deviation = "" if one else "; mean ± standard deviation"
        lines.append(
            f"[{number}] {', '.join(mean['checkpoints'])} ({epochs}, {'seed' if one else 'seeds'} {seeds}{deviation})"
        )
    floor = {"mean": evaluation["floor"], "std": {}}
    shown = [name for name in QUANTITIES if any(name in column["mean"] for column in [floor, *means])]
    titles = [QUANTITIES[name].title + _ARROWS[QUANTITIES[name].better] for name in shown]
    for start in range(0, len(means), COLUMNS):
        columns = {f"[{start + i + 1}]": mean for i, mean in enumerate(means[start : start + COLUMNS])} | {
            "floor": floor
        }
        cells = [[head, *(_cell(column, name) for name in shown)] for head, column in columns.items()]
        widths = [max(map(len, column)) for column in cells]
        left = max(map(len, titles))
        for title, *row in zip(["", *titles], *cells, strict=True):
            aligned = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            lines.append(f"{title.ljust(left)}  {aligned}".rstrip())
        lines.append("")
    return "\n".join(lines)


_ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}


def _cell(column: dict[str, Any], name: str) -> str:
    if name not in column["mean"]:
        return "–"
    deviation = f" ± {column['std'][name]:.2g}" if name in column["std"] else ""
    return f"{column['mean'][name]:.4g}{deviation}"


if __name__ == "__main__":
    main()
