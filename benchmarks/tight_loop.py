"""The baseline as tightly as it can be written by hand in eager PyTorch, on the project's own networks.

Images in memory as bytes, one generator pass for the k batches of fakes, one discriminator pass for real and generated
images, fused Adam, no statistics, no pictures, no checkpoints.
"""

import argparse

import torch
from plain_loop import BATCH_SIZE, DISCRIMINATOR_STEPS, LATENT_DIM, LEARNING_RATE
from stopwatch import Stopwatch
from torch import Tensor
from torch.nn.functional import softplus
from torchvision import datasets

from gan_lightning.data.pixels import from_uint8
from gan_lightning.networks import mlp


class Players:
    """Both networks and their optimizers."""

    def __init__(self, device: torch.device, precision: str = "32-true") -> None:
        self.device = device
        self.precision = precision
        self.generator = mlp.Generator((1, 28, 28), LATENT_DIM).to(device)
        self.discriminator = mlp.Discriminator((1, 28, 28)).to(device)
        self.generator_optimizer, self.discriminator_optimizer = (
            torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
            for network in (self.generator, self.discriminator)
        )
        self.weights = list(self.discriminator.parameters())

    def autocast(self) -> torch.autocast:
        is_half = self.precision == "bf16-mixed"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=is_half, cache_enabled=False)

    def alternate(self, real: Tensor) -> None:
        with torch.no_grad(), self.autocast():
            fakes = self.generator(torch.randn(DISCRIMINATOR_STEPS * len(real), LATENT_DIM, device=self.device))
        for fake in fakes.split(len(real)):
            with self.autocast():
                logits = self.discriminator(torch.cat([real, fake])).float()
            loss = softplus(-logits[: len(real)]).mean() + softplus(logits[len(real) :]).mean()
            self.discriminator_optimizer.zero_grad()
            loss.backward()
            self.discriminator_optimizer.step()
        for weight in self.weights:
            weight.requires_grad_(False)
        with self.autocast():
            fake = self.generator(torch.randn(len(real), LATENT_DIM, device=self.device))
            logits = self.discriminator(fake).float()
        self.generator_optimizer.zero_grad()
        softplus(-logits).mean().backward()
        self.generator_optimizer.step()
        for weight in self.weights:
            weight.requires_grad_(True)


def main(data_dir: str, device: torch.device, precision: str, stopwatch: Stopwatch) -> None:
    pixels = datasets.MNIST(data_dir, train=True).data.unsqueeze(1).to(device)
    players = Players(device, precision)
    while not stopwatch.is_over:
        for indices in torch.randperm(len(pixels), device=device).split(BATCH_SIZE):
            players.alternate(from_uint8(pixels[indices]))
            if stopwatch.count():
                break


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", choices=["32-true", "bf16-mixed"], default="32-true")
    arguments, stopwatch = Stopwatch.of_command(parser)
    main(arguments.data_dir, torch.device(arguments.device), arguments.precision, stopwatch)
