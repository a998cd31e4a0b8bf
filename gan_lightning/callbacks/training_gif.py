"""The training as a film."""

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from PIL import Image

from gan_lightning.callbacks.picture import Picture
from gan_lightning.errors import number
from gan_lightning.whole_files import whole_file


class TrainingGif(Picture):
    """The sample grids of all epochs, one after the other.

    Args:
        path: of the GIF.
        folder: where the grids are, `epoch_0001.png` ….
        seconds: how long it plays before it rests on the last grid for two seconds.
    """

    def __init__(self, path: str, folder: str, seconds: float = 10.0) -> None:
        super().__init__(path)
        number("seconds", seconds, at_least=0)
        self.folder = Path(folder)
        self.seconds = seconds

    def draw(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Later epochs may be there from a run that went on differently from the same checkpoint.
        history: Any = pl_module.history
        epochs = int(history.points[-1]["epoch"]) if history.points else 0
        paths = [self.folder / f"epoch_{epoch + 1:04d}.png" for epoch in range(epochs)]
        grids = [path for path in paths if path.exists()]
        if not grids:
            return
        first, *others = [Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE) for path in grids]
        each = min(500, int(1000 * self.seconds / len(grids)))
        durations = [each] * len(others) + [2000]
        with whole_file(self.path) as file:
            first.save(file, "gif", save_all=True, append_images=others, duration=durations, loop=0)
