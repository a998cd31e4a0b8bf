"""Damage real images and see which measure notices: the tables in `README.md` here, and the picture beside them.

    python benchmarks/measures.py                       MNIST and CIFAR-10, 1,000 images a set
    python benchmarks/measures.py mnist5k --images 200  what needs no download
    python benchmarks/measures.py fashion_mnist cifar10 --features clusters    as if they had no classes

The test images are shuffled, because the first half of MNIST's is by other writers than the second, and cut in five
sets. One is compared with, one is damaged; it and the other three, undamaged, give the floor and how far it is from one
set to the next. An answer counts where it is three times as far from the floor as any of the undamaged sets. What was
measured is in `outputs/measures/`, and is not measured again.
"""

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from damages import COPIED, DAMAGES, DROPPED, without_classes
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm

from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.cifar10 import CIFAR10
from gan_lightning.data.fashion_mnist import FashionMNIST
from gan_lightning.data.mnist import MNIST
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.features.named import feature_space
from gan_lightning.features.space import describe
from gan_lightning.features.spatial import spatial_of, spatial_points
from gan_lightning.measures.catalogue import MEASURES
from gan_lightning.measures.metrics import METRICS
from gan_lightning.measures.subject import Images, Reference, Subject

DATASETS: dict[str, type[ImageDataModule]] = {
    "mnist5k": MNIST5k, "mnist": MNIST, "fashion_mnist": FashionMNIST, "cifar10": CIFAR10,
}  # fmt: skip
COLUMNS = {
    "frechet_distance": "Fréchet",
    "spatial_frechet_distance": "Fréchet, spatial",
    "kernel_distance": "kernel",
    "classifier_score": "score",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "class_divergence": "KL",
    "memorisation": "distance",
    "parzen_fine": "Parzen, fine",
}
"""The metrics of the table, and their heads."""
NUM_SETS = 5
NUM_TRAINING = 5000
"""Training images among which the nearest is sought, and which are copied."""
STRENGTHS = range(1, 6)
UNDAMAGED = "undamaged"
SEED = 0

Conditions = dict[str, list[dict[str, float]]]
"""For each damage, the metrics at each strength; for `UNDAMAGED`, those of each set."""


def shuffled_test(data: ImageDataModule) -> tuple[Tensor, Tensor]:
    """All test images and their labels, in the same order every time."""
    images, labels = data.split(train=False)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(SEED))
    return images[order], labels[order]


def damaged_sets(data: ImageDataModule, size: int) -> Iterator[tuple[str, Tensor, Tensor]]:
    """The name of each condition with its images (size, C, H, W) and their labels, in the order of strengths."""
    (images, labels), (training, training_labels) = shuffled_test(data), data.split(train=True)
    for first in range(size, NUM_SETS * size, size):
        yield UNDAMAGED, images[first : first + size], labels[first : first + size]
    ours, our_labels = images[size : 2 * size], labels[size : 2 * size]
    for name, (damage, values, _) in DAMAGES.items():
        for value in values:
            yield name, damage(ours, value, torch.Generator().manual_seed(SEED)), our_labels
    for dropped in DROPPED:
        kept = without_classes(labels[size:], dropped)
        yield "classes dropped", images[size:][kept][:size], labels[size:][kept][:size]
    for share in COPIED:
        copies = round(share * size)
        mixed = [torch.cat([t[:copies], o[copies:]]) for t, o in ((training, ours), (training_labels, our_labels))]
        yield "copies", mixed[0], mixed[1]


def measured(data: ImageDataModule, size: int, features: str) -> Conditions:
    """Every metric of every condition."""
    cpu = torch.device("cpu")
    into_points = partial(describe, feature_space(features, data), batch_size=500, device=cpu)
    into_positions = partial(spatial_points, spatial_of(data), device=cpu)
    reference = Reference(data, size, into_points, into_positions)
    held_out, held_out_labels = shuffled_test(data)
    reference.held_out = Images(held_out[:size], held_out_labels[:size], into_points, into_positions)
    reference.training = Images(reference.training.pixels[:NUM_TRAINING], reference.training.labels[:NUM_TRAINING])
    found: Conditions = {}
    for name, images, labels in tqdm(list(damaged_sets(data, size)), desc=data.title, unit="set"):
        subject = Subject(Images(images, labels, into_points, into_positions))
        metrics = [measure.take(subject, reference) for measure in MEASURES[features].values()]
        found.setdefault(name, []).append({key: value for each in metrics for key, value in each.items()})
    return found


def answers(found: Conditions, damage: str, metric: str) -> list[float]:
    """At each strength how much worse than the floor a metric is, in units of what counts; negative where it is better.

    A metric of which neither more nor less is better is the worse the further it is from the floor.
    """
    undamaged = [metrics[metric] for metrics in found[UNDAMAGED]]
    floor = sum(undamaged) / len(undamaged)
    counts = 3 * max(abs(value - floor) for value in undamaged)
    away = [metrics[metric] - floor for metrics in found[damage]]
    signed = {"higher": [-each for each in away], "lower": away, "": [abs(each) for each in away]}
    return [each / max(counts, 1e-9) for each in signed[METRICS[metric].better]]


def short(value: float) -> str:
    """A number of the table."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{round(value, 6):.3g}"


def cell(found: Conditions, damage: str, metric: str) -> str:
    """The least strength from which on the metric says that there is damage, and its value at the greatest."""
    noticed = [answer > 1 for answer in answers(found, damage, metric)]
    blind_at = [strength for strength in STRENGTHS if not noticed[strength - 1]]
    least = max(blind_at, default=0) + 1
    seen = str(least) if least in STRENGTHS else "–"
    return f"{seen} ({short(found[damage][-1][metric])})"


def table(title: str, found: Conditions) -> str:
    """A row for each damage, a column for each metric."""
    shown = [name for name in COLUMNS if name in found[UNDAMAGED][0]]
    lines = [f"| {title} | {' | '.join(COLUMNS[name] for name in shown)} |", f"|---{'|---' * len(shown)}|"]
    floors = [[metrics[name] for metrics in found[UNDAMAGED]] for name in shown]
    lines.append(f"| {UNDAMAGED} | {' | '.join(short(sum(values) / len(values)) for values in floors)} |")
    lines += [
        f"| {damage} | {' | '.join(cell(found, damage, name) for name in shown)} |"
        for damage in found
        if damage != UNDAMAGED
    ]
    return "\n".join(lines)


def draw(everything: dict[str, tuple[Conditions, dict[str, Tensor]]], path: Path) -> None:
    """For each damage a row: an image at five strengths, and how every metric answers; a pair of columns a data set."""
    damages = [name for name in next(iter(everything.values()))[0] if name != UNDAMAGED]
    figure = Figure(figsize=(9 * len(everything), 1.9 * len(damages)), layout="constrained")
    panels = figure.subplots(len(damages), 2 * len(everything), squeeze=False, width_ratios=[3, 2] * len(everything))
    for number, (title, (found, strips)) in enumerate(everything.items()):
        for row, damage in zip(panels[:, 2 * number : 2 * number + 2], damages, strict=True):
            picture, curves = row
            strip = torch.cat(list(strips[damage]), dim=2).expand(3, -1, -1).permute(1, 2, 0)
            picture.imshow(strip.numpy(), interpolation="nearest")
            picture.set_title(f"{title}, {damage}", fontsize=10)
            picture.set_axis_off()
            for place, (metric, head) in enumerate(COLUMNS.items()):
                if metric not in found[UNDAMAGED][0]:
                    continue
                style = "-" if place < 6 else "--"
                curves.plot(STRENGTHS, answers(found, damage, metric), style, color=f"C{place % 6}", label=head)
            curves.axhspan(-1, 1, color="gray", alpha=0.2, linewidth=0)
            curves.set_yscale("symlog", linthresh=1)
            curves.set_xticks(STRENGTHS)
            curves.grid(alpha=0.3)
    figure.supylabel("worse than the floor, in units of what counts; gray: not told from undamaged images", fontsize=10)
    handles, names = panels[0, 1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(COLUMNS))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=70)


def strips(data: ImageDataModule) -> dict[str, Tensor]:
    """For each damage an image at each strength, (5, C, H, W)."""
    firsts: dict[str, list[Tensor]] = {}
    for name, images, _ in damaged_sets(data, size=10):
        firsts.setdefault(name, []).append(images[0])
    return {name: torch.stack(images) for name, images in firsts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", metavar="dataset", help=f"some of {', '.join(DATASETS)}")
    parser.add_argument("--images", type=int, default=1000, help="of a set; five sets are needed (default: 1000)")
    parser.add_argument("--features", choices=["classifier", "clusters"], default="classifier", help="the space")
    parser.add_argument("--folder", type=Path, default=Path("outputs/measures"), help="of what was measured")
    parser.add_argument("--data-dir", default="data", help="where the data sets and their classifiers are")
    parser.add_argument("--picture", type=Path, default=Path("outputs/measures/measures.png"))
    arguments = parser.parse_args()
    if unknown := set(arguments.datasets) - DATASETS.keys():
        parser.error(f"there is no data set {unknown.pop()!r} here; there is {', '.join(DATASETS)}")
    everything = {}
    for name in arguments.datasets or ["mnist", "cifar10"]:
        data = DATASETS[name](data_dir=arguments.data_dir)
        data.prepare_data()
        if NUM_SETS * arguments.images > len(data.split(train=False)[0]):
            parser.error(f"{name} has {len(data.split(train=False)[0])} test images, too few for {NUM_SETS} sets")
        of_space = "" if arguments.features == "classifier" else f"_{arguments.features}"
        kept = arguments.folder / f"{name}_{arguments.images}{of_space}.json"
        if not kept.exists():
            found = measured(data, arguments.images, arguments.features)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found))
        found = json.loads(kept.read_text())
        everything[data.title] = found, strips(data)
        print(table(data.title, found), end="\n\n")
    draw(everything, arguments.picture)


if __name__ == "__main__":
    main()
