"""Say how good generators are: `python -m gan_lightning.evaluate ckpt=…`; `--help` lists the settings."""

import json
import statistics
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from gan_lightning.building import build_dataset
from gan_lightning.checkpoints import (
    check_trust,
    epochs_of,
    find_checkpoints,
    has_average,
    read_checkpoint,
    trained_player,
)
from gan_lightning.cli import as_list, entry_point
from gan_lightning.errors import UserError, whole_number
from gan_lightning.exporting.folder import exported_folder
from gan_lightning.mistakes import user_mistakes
from gan_lightning.settings import identity, images_of
from gan_lightning.whole_files import write_json
from gan_lightning.wording import counted

if TYPE_CHECKING:
    from gan_lightning.measures.subject import Reference, Subject
    from gan_lightning.measuring import Measuring

COLUMNS = 5
"""Columns of a table beside the floor; what is more goes into another table."""
ALONE = "neighbours.png"
"""The picture of the only model; those of several are numbered."""
PAIRS = 48
"""Samples that are shown beside their nearest training images."""


class Model(NamedTuple):
    """A checkpoint, and what it says of itself."""

    path: Path
    settings: dict[str, Any]
    epochs: int
    weights: str
    """Of the generator, `raw` or `ema`."""
    conditional: bool
    """Whether the generator is given labels."""
    picture: str
    """The file name of the samples beside their nearest training images."""

    @property
    def exported(self) -> bool:
        """Whether it is a generator alone, without its discriminator."""
        return exported_folder(self.path) is not None

    @property
    def dataset(self) -> str:
        """Equal for models of the same images, whatever their trainings made of them."""
        return json.dumps(images_of(self.settings), sort_keys=True)

    @property
    def identity(self) -> str:
        """Equal for models that differ by their seeds alone."""
        return json.dumps([self.epochs, identity(self.settings)], sort_keys=True)


@entry_point("evaluate")
def main(settings: DictConfig) -> None:
    """Measure the generators of some checkpoints, print tables and write `metrics.json`."""
    if not settings.ckpt and settings.ckpt != 0:
        raise UserError("which checkpoint? ckpt=… takes a run's folder, such as outputs/mnist5k/…, or a checkpoint")
    for folder in ("output_dir", "data_dir"):
        if settings[folder] in (None, ""):
            raise UserError(f"{folder} is empty; to use the current folder, say {folder}=.")
    paths = find_checkpoints(as_list(settings.ckpt))
    path = Path(str(settings.output_dir)) / "metrics.json"
    if path.exists():
        raise UserError(f"{path} exists already; choose another output_dir")

    from gan_lightning.measures.catalogue import measures_named  # not needed for --help and mistyped keys

    with user_mistakes():
        for name, at_least in (("num_samples", 1), ("batch_size", 1), ("seed", 0)):
            whole_number(name, settings[name], at_least)
        names: Any = OmegaConf.to_container(settings).get("measures")  # type: ignore[union-attr]
        features = None if settings.features is None else str(settings.features)
        measures_named(names, features or "classifier")  # of which some may not suit a data set
        models = [
            _model(path, settings, f"neighbours_{n}.png" if len(paths) > 1 else ALONE)
            for n, path in enumerate(paths, start=1)
        ]
        if names is not None and "equilibrium" in names and (alone := [each.path for each in models if each.exported]):
            raise UserError(f"equilibrium asks the discriminator, and {alone[0]} is a generator alone; leave it out")
        models.sort(key=lambda model: model.dataset)
        sets = [list(of_one_set) for _, of_one_set in groupby(models, key=lambda model: model.dataset)]
        measurings = [_measuring(of_one_set[0].settings, names, features, settings) for of_one_set in sets]
    evaluations: list[dict[str, Any]] = []
    for of_one_set, measuring in zip(sets, measurings, strict=True):
        for evaluation in _evaluate(of_one_set, measuring, settings):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {"seed": settings.seed, "evaluations": [*evaluations, evaluation]})
        evaluations.append(evaluation)
        print(_report(evaluation, settings.seed))
    print(f"in numbers: {path}")


def _model(path: Path, settings: DictConfig, picture: str) -> Model:
    """What is known of a checkpoint, once all its players have been made."""
    from gan_lightning.averaging import which_weights
    from gan_lightning.players.protocol import takes_labels

    checkpoint = read_checkpoint(str(path))
    players = ["generator"] if exported_folder(path) is not None else ["generator", "discriminator"]
    check_trust(checkpoint["hyper_parameters"], ["dataset", *players], as_list(settings.trust))
    weights = which_weights(settings.weights, has_average(checkpoint))
    conditional = takes_labels(trained_player(checkpoint, "generator", weights))
    for player in players[1:]:
        trained_player(checkpoint, player)
    return Model(path, checkpoint["hyper_parameters"], epochs_of(checkpoint), weights, conditional, picture)


def _measuring(
    of_model: dict[str, Any], names: list[str] | None, features: str | None, settings: DictConfig
) -> "Measuring":
    """With the data set that a checkpoint's settings name, with its files in `data_dir`; read, and large enough."""
    from gan_lightning.measuring import Measuring

    here = {"data_dir": str(settings.data_dir)} | ({} if settings.path is None else {"path": str(settings.path)})
    places = {name: place for name, place in here.items() if name in of_model["dataset"]}
    data = build_dataset({**of_model, "dataset": of_model["dataset"] | places})
    return Measuring(data, names, features, settings.num_samples, settings.batch_size)


def _evaluate(models: list[Model], measuring: "Measuring", settings: DictConfig) -> Iterator[dict[str, Any]]:
    """Measure models of one data set and its floor; after each model, all that is known so far."""
    from tqdm import tqdm

    from gan_lightning.measures.subject import DivergedError

    evaluation: dict[str, Any] = {**measuring.protocol(), "models": []}
    with tqdm(total=(1 + len(models)) * len(measuring.measures), unit="measure") as progress:
        evaluation["floor"] = measuring.floor(progress, conditional=any(model.conditional for model in models))
        for model in models:
            entry: dict[str, Any] = {"checkpoint": str(model.path), "epochs": model.epochs}
            entry |= {"seed": model.settings["seed"], "weights": model.weights, "metrics": {}}
            try:
                subject = _subject(model, settings, measuring)
                entry["metrics"] = measuring.take(subject, str(model.path), progress)
                if "memorisation" in measuring.measures:
                    _draw_neighbours(subject, measuring.reference, Path(str(settings.output_dir)) / model.picture)
                    entry["neighbours"] = model.picture
            except DivergedError as reason:
                if model.picture == ALONE:
                    raise UserError(f"{model.path}: {reason}") from reason
                entry["left_out"] = str(reason)
            evaluation["models"].append(entry)
            evaluation["means"] = _means(models, evaluation["models"])
            yield evaluation


def _subject(model: Model, settings: DictConfig, measuring: "Measuring") -> "Subject":
    """What a checkpoint's generator draws, and its discriminator if it has one."""
    from gan_lightning.data.pixels import as_kept
    from gan_lightning.measures.subject import Subject, check_generated
    from gan_lightning.players.sampling import generate, judged, seeded_latent

    reference, device = measuring.reference, measuring.device
    checkpoint = read_checkpoint(str(model.path))
    generator = trained_player(checkpoint, "generator", model.weights).to(device)
    latent = seeded_latent(generator, settings.num_samples, settings.seed)
    images = generate(generator, latent, reference.labels, settings.batch_size, device)
    check_generated(images)

    logits = None
    if not model.exported:
        discriminator = trained_player(checkpoint, "discriminator").to(device)
        logits = partial(judged, discriminator, batch_size=settings.batch_size, device=device)
    drawn = reference.drawn(as_kept(images))
    num_train_images = model.settings["dataset"].get("num_train_images")
    return Subject(drawn, logits, model.settings["log_odds"], num_train_images, model.conditional)


def _draw_neighbours(subject: "Subject", reference: "Reference", path: Path) -> None:
    """Samples, each beside its nearest training image."""
    import torch

    from gan_lightning.drawing.layouts import grid
    from gan_lightning.drawing.pictures import save_png
    from gan_lightning.measures.memorisation import nearest_neighbours

    samples = subject.images.pixels[:PAIRS]
    nearest = nearest_neighbours(samples.flatten(1), reference.training.pixels.flatten(1)).nearest
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
        for columns in [{name: [entry["metrics"][name] for entry in entries] for name in _of_all(entries)}]
    ]


def _of_all(entries: list[dict[str, Any]]) -> list[str]:
    """The metrics that all entries have: an exported generator has those of a discriminator not."""
    return [name for name in entries[0]["metrics"] if all(name in entry["metrics"] for entry in entries)]


def _report(evaluation: dict[str, Any], seed: int) -> str:
    """The tables of one data set, and what they were computed with."""
    from gan_lightning.measures.metrics import METRICS

    counts, features, means = evaluation["images"], evaluation.get("features"), evaluation["means"]
    lines = [
        "",
        f"{evaluation['dataset']}: {counts['generated']:,} generated images (seed {seed}) and"
        f" {counts['held_out']:,} test images; floor: {counts['floor']:,} training images in place of generated ones",
    ]
    if features is not None:
        accuracy = features["accuracy"]
        right_of = "turned test images" if features["name"] == "clusters" else "the test images"
        right = "" if accuracy is None else f", {accuracy:.2%} of {right_of} right"
        lines.append(f"features: {features['name']} {features['fingerprint']}{right}")
    for number, mean in enumerate(means, start=1):
        seeds = ", ".join(map(str, mean["seeds"]))
        one = len(mean["seeds"]) == 1
        epochs = counted(mean["epochs"], "epoch")
        deviation = "" if one else "; mean ± standard deviation"
        lines.append(
            f"[{number}] {', '.join(mean['checkpoints'])} ({epochs}, {'seed' if one else 'seeds'} {seeds}{deviation})"
        )
    left_out = [model for model in evaluation["models"] if "left_out" in model]
    lines += [f"left out: {model['checkpoint']}: {model['left_out']}" for model in left_out]
    floor = {"mean": evaluation["floor"], "std": {}}
    shown = [name for name in METRICS if any(name in column["mean"] for column in [floor, *means])]
    titles = [METRICS[name].title + _ARROWS[METRICS[name].better] for name in shown]
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
