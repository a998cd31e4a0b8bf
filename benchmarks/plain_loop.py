"""The baseline as a course would write it: the yardstick of `speed.py`.

Images decoded and scaled one by one by a DataLoader, a discriminator pass for the real and one for the generated
images, a generator pass for each of the k steps, PyTorch's default Adam. Nothing of the project is used here.
"""

import argparse

import torch
from stopwatch import Stopwatch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

LATENT_DIM = 100
BATCH_SIZE = 32
DISCRIMINATOR_STEPS = 5
LEARNING_RATE = 1e-4


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(LATENT_DIM, 512),
            nn.LeakyReLU(0.2),
            nn.Linear(512, 1024),
            nn.LeakyReLU(0.2),
            nn.Linear(1024, 28 * 28),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.model(z).view(-1, 1, 28, 28)


class Maxout(nn.Module):
    def __init__(self, in_features, out_features, pieces=2):
        super().__init__()
        self.out_features = out_features
        self.pieces = pieces
        self.linear = nn.Linear(in_features, out_features * pieces)

    def forward(self, x):
        return self.linear(x).view(-1, self.out_features, self.pieces).max(dim=2)[0]


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(28 * 28, 512),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            Maxout(512, 256),
            nn.Dropout(0.3),
            nn.Linear(256, 1),
            nn.Sigmoid(),
        )

    def forward(self, images):
        return self.model(images.view(images.size(0), -1))


def main(data_dir: str, device: torch.device, stopwatch: Stopwatch) -> None:
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    dataset = datasets.MNIST(data_dir, train=True, transform=transform)
    loader = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True)
    generator = Generator().to(device)
    discriminator = Discriminator().to(device)
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=LEARNING_RATE)
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=LEARNING_RATE)
    criterion = nn.BCELoss()

    while not stopwatch.is_over:
        for images, _ in loader:
            real = images.to(device)
            ones = torch.ones(len(real), 1, device=device)
            zeros = torch.zeros(len(real), 1, device=device)
            for _ in range(DISCRIMINATOR_STEPS):
                fake = generator(torch.randn(len(real), LATENT_DIM, device=device)).detach()
                loss = criterion(discriminator(real), ones) + criterion(discriminator(fake), zeros)
                discriminator_optimizer.zero_grad()
                loss.backward()
                discriminator_optimizer.step()
            fake = generator(torch.randn(len(real), LATENT_DIM, device=device))
            loss = criterion(discriminator(fake), ones)
            generator_optimizer.zero_grad()
            loss.backward()
            generator_optimizer.step()
            if stopwatch.count():
                break


if __name__ == "__main__":
    arguments, stopwatch = Stopwatch.of_command(argparse.ArgumentParser(description=__doc__))
    main(arguments.data_dir, torch.device(arguments.device), stopwatch)
