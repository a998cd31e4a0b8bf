"""Networks of the size of DCGAN's for 28 × 28 images, for `speed.py`: Radford et al. 2016, section 3."""

from collections.abc import Sequence

from torch import Tensor, nn

from gan_lightning.networks import base


class Generator(base.Generator):
    """Transposed convolutions, batch normalisation and ReLU; Tanh at the end."""

    def __init__(self, image_shape: Sequence[int], latent_dim: int = 100, width: int = 64) -> None:
        super().__init__(latent_dim)
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 4 * width * 7 * 7, bias=False),
            nn.Unflatten(1, (4 * width, 7, 7)),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, image_shape[0], 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class Discriminator(base.Discriminator):
    """Strided convolutions, batch normalisation and LeakyReLU."""

    def __init__(self, image_shape: Sequence[int], width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(image_shape[0], width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(4 * width * 4 * 4, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).squeeze(1)
