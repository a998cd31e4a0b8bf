"""The baseline as tightly as it can be written by hand in eager PyTorch, on the project's own networks.

Images in memory as bytes, one generator pass for the k batches of fakes, one discriminator pass for real and generated
images, fused Adam, no statistics, no pictures, no checkpoints.
"""

import argparse

import torch
from stopwatch import Stopwatch
from torch.nn.functional import softplus
from torchvision import datasets

from gan_lightning.networks import mlp
from gan_lightning.pixels import from_uint8

LATENT_DIM = 100
BATCH_SIZE = 32
DISCRIMINATOR_STEPS = 5
LEARNING_RATE = 1e-4


def main(data_dir: str, device: torch.device, precision: str, stopwatch: Stopwatch) -> None:
    pixels = datasets.MNIST(data_dir, train=True).data.unsqueeze(1).to(device)
    generator = mlp.Generator((1, 28, 28), LATENT_DIM).to(device)
    discriminator = mlp.Discriminator((1, 28, 28)).to(device)
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=LEARNING_RATE, fused=True)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=LEARNING_RATE, fused=True)
    weights = list(discriminator.parameters())

    def autocast() -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed", cache_enabled=False)

    while not stopwatch.is_over:
        for indices in torch.randperm(len(pixels), device=device).split(BATCH_SIZE):
            real = from_uint8(pixels[indices])
            with torch.no_grad(), autocast():
                fakes = generator(torch.randn(DISCRIMINATOR_STEPS * len(real), LATENT_DIM, device=device))
            for fake in fakes.split(len(real)):
                with autocast():
                    logits = discriminator(torch.cat([real, fake])).float()
                loss = softplus(-logits[: len(real)]).mean() + softplus(logits[len(real) :]).mean()
                discriminator_optimizer.zero_grad()
                loss.backward()
                discriminator_optimizer.step()
            for weight in weights:
                weight.requires_grad_(False)
            with autocast():
                logits = discriminator(generator(torch.randn(len(real), LATENT_DIM, device=device))).float()
            generator_optimizer.zero_grad()
            softplus(-logits).mean().backward()
            generator_optimizer.step()
            for weight in weights:
                weight.requires_grad_(True)
            if stopwatch.alternation_done():
                break


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    Stopwatch.add_arguments(parser)
    parser.add_argument("--precision", choices=["32-true", "bf16-mixed"], default="32-true")
    arguments = parser.parse_args()
    main(arguments.data_dir, torch.device(arguments.device), arguments.precision, Stopwatch.of(arguments))
