"""How far members of a pack are from the same trainings alone: `python benchmarks/packed_equality.py`.

Four small trainings of other seeds, learning rates, dropouts and strengths of the penalty take a hundred alternations,
as one and one after the other. A cell is the largest difference between any of their weights; beside it how far weights
moved. Adam makes a whole step of a rounding error where a gradient is zero: so the biases that an objective of
differences, or batch normalisation, does not feel are left out.
"""

import argparse
import contextlib
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from gan_lightning.averaging import ExponentialMovingAverage
from gan_lightning.gan import GAN
from gan_lightning.networks import mlp
from gan_lightning.objectives import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticPairing,
    Wasserstein,
)
from gan_lightning.packing.stack import Stack
from gan_lightning.packing.streams import Stream
from gan_lightning.penalties import R1, R1R2, GradientPenalty

SHAPE, BATCH_SIZE, MEMBERS = (1, 8, 8), 16, 4
GRADIENT_PENALTY, RELATIVISTIC = (lambda member: GradientPenalty(5.0 + member)), RelativisticPairing
GAMES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "minimax": (Minimax, None, {}),
    "non_saturating": (NonSaturating, None, {}),
    "lsgan": (LeastSquares, None, {}),
    "hinge": (Hinge, None, {}),
    "wasserstein, gradient penalty": (Wasserstein, GRADIENT_PENALTY, {}),
    "non_saturating, R1": (NonSaturating, lambda member: R1(0.1 + member), {}),
    "rpgan, R1 and R2": (RELATIVISTIC, lambda member: R1R2(0.1 + member), {}),
    "non_saturating, fresh": (NonSaturating, None, {"discriminator_batches": "fresh"}),
    "non_saturating, simultaneous": (NonSaturating, None, {"simultaneous": True}),
}
PRECISIONS = {"float64": torch.float64, "float32": torch.float32, "bf16": torch.float32}
UNFELT = ("discriminator.layers.7.bias",)
"""Of an objective of differences: the bias of D's last layer."""


def made(game: str, member: int, trainer: Trainer) -> tuple[GAN, Stream]:
    objective, penalty, settings = GAMES[game]
    torch.manual_seed(member)
    networks = (
        mlp.Generator(SHAPE, 8, hidden_dims=[32, 32]),
        mlp.Discriminator(SHAPE, hidden_dim=32, maxout_dim=16, dropout=0.1 * member),
    )
    adam = partial(torch.optim.Adam, lr=2e-4 * (member + 1), betas=(0.5, 0.9))
    gan = GAN(
        *networks,
        objective(),
        adam,
        adam,
        penalty=penalty(member) if penalty else None,
        ema=ExponentialMovingAverage(100.0 * (member + 1)),
        discriminator_steps=2,
        seed=member,
        **settings,
    )
    gan.trainer = trainer
    return gan, Stream()


def before(gan: GAN, images: int) -> None:
    """What a training step does before it alternates."""
    gan.follow_schedules()
    gan.images_seen += images
    gan.ema.set_at(gan.images_seen, images)


def difference(game: str, precision: str, alternations: int, trainer: Trainer) -> tuple[float, float]:
    """The largest between weights alone and packed, and between weights at the end and at the start."""
    torch.set_default_dtype(PRECISIONS[precision])
    cast = partial(torch.autocast, "cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext
    images = BATCH_SIZE * (2 if "discriminator_batches" in GAMES[game][2] else 1)
    random = torch.Generator().manual_seed(0)
    batches = [
        (torch.rand(MEMBERS, images, *SHAPE, generator=random) * 2 - 1, torch.zeros(MEMBERS, images, dtype=torch.int64))
        for _ in range(alternations)
    ]
    alone = [made(game, member, trainer) for member in range(MEMBERS)]
    starts = [weights(gan) for gan, _ in alone]
    for member, (gan, stream) in enumerate(alone):
        for pictures, labels in batches:
            before(gan, images)
            with stream, cast():
                gan.eager_alternation((pictures[member], labels[member]), gan.objective)
    packed, streams = zip(*(made(game, member, trainer) for member in range(MEMBERS)), strict=True)
    stack = Stack(packed, streams)
    for batch in batches:
        for gan in packed:
            before(gan, images)
        with cast():
            stack.alternate(batch, packed[0].objective)
    ends = [weights(gan) for gan, _ in alone]
    return farthest(ends, [weights(gan) for gan in packed]), farthest(ends, starts)


def weights(gan: GAN) -> dict[str, Tensor]:
    unfelt = UNFELT if isinstance(gan.objective, RelativisticPairing | Wasserstein) else ()
    return {name: tensor.detach().clone() for name, tensor in gan.state_dict().items() if name not in unfelt}


def farthest(some: list[dict[str, Tensor]], others: list[dict[str, Tensor]]) -> float:
    pairs = [(one[name], other[name]) for one, other in zip(some, others, strict=True) for name in one]
    return max((one - other).abs().max().item() for one, other in pairs)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--alternations", type=int, default=100, help="(100)")
options = parser.parse_args()
quiet = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
print("| game | float64 | float32 | bf16 | moved |\n|---|---|---|---|---|")
for title in GAMES:
    cells = {name: difference(title, name, options.alternations, quiet) for name in PRECISIONS}
    print(f"| {title} | {' | '.join(f'{cells[name][0]:.1g}' for name in PRECISIONS)} | {cells['float32'][1]:.2g} |")
