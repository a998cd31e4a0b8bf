"""What a report shows of the trained players, which it does not load: D's scores, nearest neighbours, walks."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from PIL import Image
from torch import Tensor

from gan_lightning.callbacks.picture import Picture
from gan_lightning.data.pixels import are_points, to_uint8
from gan_lightning.drawing.latents import between
from gan_lightning.errors import whole_number
from gan_lightning.measures.memorisation import nearest_neighbours
from gan_lightning.players import sampling
from gan_lightning.players.sampling import generate, judged, labels_to_draw, seeded_latent
from gan_lightning.whole_files import whole_file, write_json

NUM_JUDGED, BATCH_SIZE = 1000, 250
"""Images of each kind that D is asked about, and how many at a time."""
NUM_BINS, NUM_SHOWN = 25, 24
"""Bars of the histogram of their scores, and those of the images that are shown."""
NUM_NEIGHBOURS = 12
NUM_WALKS, NUM_STEPS = 3, 12


class Exhibits(Picture):
    """Leaves three sheets of images, edge to edge, and what there is to say of them, when training ends.

    `judged.png` has a row of training images and one of samples, each from the least score that D gives to the
    greatest; `neighbours.png` a row of samples and one of the training images that are nearest to them, pixel by pixel;
    `walks.png` in each row the images on the way from one latent to another. `exhibits.json`, the last to be written,
    has the scores, probabilities where D's logits are log-odds, with their histograms, and the distances, of pixels in
    [0, 1]. Players that answer NaN leave nothing, nor do those of points of the plane.

    Args:
        folder: where these four files are written.
        seed: of the samples' latents.
    """

    def __init__(self, folder: str, seed: int = 0) -> None:
        whole_number("seed", seed, at_least=0)
        super().__init__(str(Path(folder, "exhibits.json")))
        self.seed = seed

    def draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        gan: Any = pl_module
        images, labels = trainer.datamodule.train_set.tensors  # type: ignore[attr-defined]
        if are_points(images.shape[1:]):  # which the film of the game shows with what D says of them
            return
        generator = gan.ema.choose(gan.generator, None)
        chosen = torch.linspace(0, len(images) - 1, min(NUM_JUDGED, len(images))).long()
        real, of_real = images[chosen], labels[chosen]
        drawn = generate(generator, seeded_latent(generator, len(real), self.seed), of_real, BATCH_SIZE, gan.device)
        fake = to_uint8(drawn)
        scores = [judged(gan.discriminator, pixels, of_real, BATCH_SIZE, gan.device) for pixels in (real, fake)]
        if not all(each.isfinite().all() for each in (drawn, *scores)):
            return
        if gan.objective.log_odds:
            scores = [each.sigmoid() for each in scores]
        orders = [each.argsort()[torch.linspace(0, len(each) - 1, NUM_SHOWN).long()] for each in scores]

        classes = labels.unique().tolist()
        samples = sampling.draw(generator, labels_to_draw(generator, NUM_NEIGHBOURS, classes), self.seed, gan.device)
        nearest, distances = nearest_neighbours(samples.flatten(1), images.flatten(1))

        starts, ends = seeded_latent(generator, 2 * NUM_WALKS, self.seed).chunk(2)
        to = between(generator)
        on_the_way = torch.stack([to(starts, ends, step / (NUM_STEPS - 1)) for step in range(NUM_STEPS)], dim=1)
        of_walks = labels_to_draw(generator, NUM_WALKS, classes).repeat_interleave(NUM_STEPS)
        seen = to_uint8(generate(generator, on_the_way.flatten(0, 1), of_walks, BATCH_SIZE, gan.device))

        sheets = {
            "judged": torch.stack([real[orders[0]], fake[orders[1]]]),
            "neighbours": torch.stack([samples, images[nearest]]),
            "walks": seen.unflatten(0, (NUM_WALKS, NUM_STEPS)),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for name, rows in sheets.items():
            with whole_file(self.path.with_name(f"{name}.png")) as file:
                sheet(rows).save(file, "png")
        write_json(
            self.path,
            {
                "probabilities": gan.objective.log_odds,
                "scores": [each[order].tolist() for each, order in zip(scores, orders, strict=True)],
                "histograms": histograms(scores[0], scores[1], (0.0, 1.0) if gan.objective.log_odds else None),
                "distances": (distances / 255).tolist(),
            },
        )


def histograms(real: Tensor, fake: Tensor, bounds: tuple[float, float] | None) -> dict[str, list[float]]:
    """The `edges` of NUM_BINS bins, and how many `real` and `generated` scores, (N,) each, are in each of them.

    Args:
        real: scores of training images.
        fake: scores of samples.
        bounds: the first edge and the last; None for the least score and the greatest.
    """
    both = torch.cat([real, fake]).double()
    low, high = bounds or (both.min().item(), both.max().item())
    counts = [each.double().histc(NUM_BINS, low, high).tolist() for each in (real, fake)]
    edges = torch.linspace(low, high, NUM_BINS + 1, dtype=torch.float64).tolist()
    return {"edges": edges, "real": counts[0], "generated": counts[1]}


def sheet(rows: Tensor) -> Image.Image:
    """One picture of images (R, N, C, H, W), bytes, R rows of N; gray where C is not 3."""
    if rows.shape[2] not in (1, 3):
        rows = rows.float().mean(2, keepdim=True).round().to(torch.uint8)
    pixels = rows.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    return Image.fromarray((pixels if pixels.shape[2] == 3 else pixels[..., 0]).numpy())
