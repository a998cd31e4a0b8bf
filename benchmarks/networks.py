"""What the networks cost: weights, multiply-adds an image, and how long a thousand alternations take on this machine.

    python benchmarks/networks.py                                     all of them
    python benchmarks/networks.py "model=dcgan model.width=64"        some of them, each by its settings
    python benchmarks/networks.py --seconds 60                        each timed for a minute

An alternation is one step of each player, k = 1, on 64 images, `objective=rpgan penalty=r1_r2`, with Adam and without
the rest of a training. Its time is the processor's, of one thread, so that other work beside it hardly counts: the
median of as many as fit the seconds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gan_lightning.building import build_player
from gan_lightning.objectives import RelativisticPairing
from gan_lightning.paths import CONF
from gan_lightning.penalties import R1R2, penalised_loss
from gan_lightning.players.judge import Judge
from gan_lightning.players.protocol import call, frozen, sample_latent

NETWORKS = (
    "model=mlp",
    "model=goodfellow",
    "model=dcgan",
    "model=dcgan model.width=64",
    "model=r3gan model.blocks=1",
    "model=r3gan",
    "model=sngan",
)
SHAPES = ((1, 28, 28), (3, 32, 32))
PRECISIONS = {"32-true": False, "bf16-mixed": True}
NUM_CLASSES = 10
BATCH_SIZE = 64


def players(words: str, shape: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator that settings such as `model=dcgan model.width=64` make for such images."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        model = compose("config", words.split()).model
    settings = {"model": OmegaConf.to_container(model, resolve=True)}
    torch.manual_seed(0)
    generator, discriminator = (
        build_player(settings, player, shape, NUM_CLASSES) for player in ("generator", "discriminator")
    )
    return generator, discriminator


def num_weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def multiply_adds(network: nn.Module, inputs: torch.Tensor) -> int:
    """Of the matrix products and convolutions for one of the inputs (B, …)."""
    labels = torch.zeros(len(inputs), dtype=torch.int64)
    # oneDNN's linear layer is not among the operations whose work PyTorch knows.
    without = patch("torch.backends.mkldnn.is_available", return_value=False)
    with without, FlopCounterMode(display=False) as counter, torch.no_grad():
        call(network, inputs, labels)
    return counter.get_total_flops() // 2 // len(inputs)


def alternation(
    generator: nn.Module, discriminator: nn.Module, shape: tuple[int, ...], autocast: bool
) -> Callable[[], None]:
    """One step of each player, on images of its own."""
    objective, penalty = RelativisticPairing(), R1R2()
    adams = {player: torch.optim.Adam(player.parameters(), 2e-4, (0.0, 0.99)) for player in (generator, discriminator)}
    real, labels = torch.rand(BATCH_SIZE, *shape) * 2 - 1, torch.arange(BATCH_SIZE) % NUM_CLASSES

    random = torch.Generator().manual_seed(0)

    def step(player: nn.Module, loss: torch.Tensor) -> None:
        adams[player].zero_grad()
        loss.backward()
        adams[player].step()

    def both_steps() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            with torch.no_grad():
                fake = call(generator, sample_latent(generator, BATCH_SIZE, random), labels)
            judge = Judge(discriminator, labels, remembers=True)
            loss, _ = penalised_loss(objective, penalty, judge, real, fake)
        step(discriminator, loss)
        with frozen(discriminator), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            fake = call(generator, sample_latent(generator, BATCH_SIZE, random), labels)
            loss = objective.generator_loss(Judge(discriminator, labels), real, fake)
        step(generator, loss)

    return both_steps


def seconds_each(step: Callable[[], None], seconds: float) -> float:
    """The median time of the processor for a step, after one that is not timed."""
    step()
    times: list[float] = []
    while not times or sum(times) < seconds:
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    return statistics.median(times)


def row(words: str, shape: tuple[int, ...], seconds: float) -> str:
    """A line of the table."""
    generator, discriminator = players(words, shape)
    weights = num_weights(generator) + num_weights(discriminator)
    latent, image = sample_latent(generator, 2, torch.Generator()), torch.zeros(2, *shape)
    work = [multiply_adds(generator, latent), multiply_adds(discriminator, image)]
    times = [
        1000 * seconds_each(alternation(*players(words, shape), shape, autocast), seconds)
        for autocast in PRECISIONS.values()
    ]
    cells = [f"{weights / 1e6:.2f}", *(f"{each / 1e6:.1f}" for each in work), *(f"{each:,.0f}" for each in times)]
    return f"| `{words}` | {' × '.join(map(str, shape))} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="settings", help='such as "model=dcgan model.width=64"')
    parser.add_argument("--seconds", type=float, default=10, help="to time each for (default: 10)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    timed = (f"s a thousand, {precision}" for precision in PRECISIONS)
    print(f"| network | images | million weights | million multiply-adds: G | D | {' | '.join(timed)} |")
    print("|---|---|---|---|---|---|---|")
    for words in arguments.networks or NETWORKS:
        for shape in SHAPES:
            print(row(words, shape, arguments.seconds), flush=True)


if __name__ == "__main__":
    main()
