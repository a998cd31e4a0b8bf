"""Whether networks draw elsewhere what they draw here: the largest difference between two pixels in [-1, 1].

    python benchmarks/exports.py                                          all of them, of their default sizes
    python benchmarks/exports.py "model=dcgan model.conditional=true"     some of them, each by its settings
    python benchmarks/exports.py outputs/mine                             a trained one: a run's folder, or a checkpoint

Each is written in every form and read again, safetensors by this project, programs by PyTorch, ONNX by ONNX Runtime,
and draws 1, 2 and 7 images at a time. Those that are not trained have noise in all weights, some of which begin at 0.
Seconds are the processor's, to write and to read.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor

from gan_lightning.averaging import which_weights
from gan_lightning.building import build_player
from gan_lightning.checkpoints import epochs_of, has_average, last_of, read_checkpoint
from gan_lightning.exporting.comparison import largest_difference
from gan_lightning.exporting.folder import CONFIG, config_of
from gan_lightning.exporting.onnx_file import write_onnx
from gan_lightning.exporting.program import write_program
from gan_lightning.exporting.weights import write_weights
from gan_lightning.loading import TrainedGenerator, trained_generator
from gan_lightning.paths import CONF
from gan_lightning.whole_files import write_json

MODELS = [
    f"model={model}{conditional}"
    for model in ("mlp", "goodfellow", "dcgan", "dcgan model.generator.normalization=batch", "r3gan", "sngan")
    for conditional in ("", " model.conditional=true")
    if not (model == "goodfellow" and conditional)
]
SHAPES = ((1, 28, 28), (3, 32, 32))
NUM_CLASSES = 10


def untrained(words: str, shape: tuple[int, ...]) -> tuple[TrainedGenerator, dict[str, Any]]:
    """The generator of settings such as `model=dcgan` for such images, and what `config.json` says of it."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings: Any = OmegaConf.to_container(compose("config", [*words.split(), "output_dir=x"]), resolve=True)
    torch.manual_seed(0)
    network = build_player(settings, "generator", shape, NUM_CLASSES)
    for weight in network.state_dict().values():
        if weight.is_floating_point():
            weight.add_(0.01 * torch.randn_like(weight))
    facts = {"image_shape": list(shape), "num_classes": NUM_CLASSES, "class_names": [], "title": "", "log_odds": True}
    config = config_of({"hyper_parameters": {**settings, **facts}}, 0, "raw", None)
    return TrainedGenerator(network, shape, NUM_CLASSES), config


def trained(path: Path) -> tuple[TrainedGenerator, dict[str, Any]]:
    """That of a run or a checkpoint of this project's own networks, and what `config.json` says of it."""
    checkpoint = read_checkpoint(str(last_of(path)))
    weights = which_weights(None, has_average(checkpoint))
    return trained_generator(checkpoint, weights), config_of(checkpoint, epochs_of(checkpoint), weights, None)


def differences(generator: TrainedGenerator, config: dict[str, Any]) -> Iterator[str]:
    """With each form, and how long it takes."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_json(folder / CONFIG, config)
        writers: list[Callable[[], Callable[..., Tensor]]] = [
            lambda: write_weights(generator, folder, config["gan_lightning"]["weights"], []),
            lambda: write_program(generator, folder),
            lambda: write_onnx(generator, folder, opset=None),
        ]
        for write in writers:
            begun = time.process_time()
            exported = write()
            seconds = time.process_time() - begun
            yield f"{largest_difference(generator, exported, 'what was written'):.1e} ({seconds:.1f} s)"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, help="settings, or where a checkpoint is")
    print("| generator | images | safetensors | torch_export | ONNX |\n|---|---|---|---|---|")
    for words in parser.parse_args().models:
        of_settings = words.startswith("model=")
        for generator, config in (
            (untrained(words, shape) for shape in SHAPES) if of_settings else [trained(Path(words))]
        ):
            shape = " × ".join(map(str, generator.image_shape))
            print(f"| `{words}` | {shape} | {' | '.join(differences(generator, config))} |", flush=True)
