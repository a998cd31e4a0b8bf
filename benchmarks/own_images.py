"""How long it takes until one's own images train: made for it, decoded the first time, and there the second time.

    python benchmarks/own_images.py                             20,000 JPEGs, of which a quarter has odd sizes
    python benchmarks/own_images.py --images 200000 --size 64   more of them, prepared at 64 × 64
    python benchmarks/own_images.py --folder images             kept there, and made once

Prints a table: the seconds from the command to the end of the first training step, the processor's seconds until then,
the greatest memory, and what the prepared images take on disk. `1 % changed` is a run after one file in a hundred has
changed; `without` is the same training of the digits that come with the install, which decodes nothing.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ODD = [(150, 400), (37, 91), (640, 480), (1200, 900)]
"""(W, H) of every fourth; the others have 224 × 224."""
PICTURES = 240


def jpeg(seed: int) -> bytes:
    """A JPEG of soft random colours with some noise."""
    random = np.random.default_rng(seed)
    size = ODD[seed // 4 % len(ODD)] if seed % 4 == 0 else (224, 224)
    soft = Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    noise = random.integers(0, 24, (*size[::-1], 1), np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.asarray(soft) // 2 + noise).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_images(folder: Path, numbers: range) -> None:
    """JPEGs in ten folders: a few hundred pictures, of which no two files are the same, as each has its number."""
    pictures = [jpeg(seed) for seed in range(PICTURES)]
    for number in numbers:
        path = folder / f"kind {number % 10}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pictures[number % PICTURES] + f"{number}".encode())  # after what is the end to a decoder


def first_step(folder: Path, *words: str) -> tuple[float, float, float]:
    """Of a training: seconds and processor seconds to the end of its first step, and the greatest memory in GB."""
    told = folder / "first_step.json"
    command = [
        *(sys.executable, "-m", "gan_lightning.train", *words, "trainer.accelerator=cpu", "logger=none"),
        *("+callbacks.first_step._target_=training_callbacks.FirstStep", f"+callbacks.first_step.path='{told}'"),
        f"output_dir='{folder / f'run_{time.time_ns()}'}'",
    ]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    began = time.time()
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    step = json.loads(told.read_text())
    return step["clock"] - began, step["processor"], step["memory"] / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000, help="how many")
    parser.add_argument("--size", type=int, default=32, help="the height and width they are prepared in")
    parser.add_argument("--folder", type=Path, help="where they are made and kept; a temporary folder otherwise")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(arguments.folder or stack.enter_context(tempfile.TemporaryDirectory())).resolve()
        images = folder / "my images"
        if not images.exists():
            write_images(images, range(arguments.images))
        data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        size = f"dataset.image_size={arguments.size}"
        own = ["dataset=folder", f"dataset.path='{images}'", size, f"data_dir='{data_dir}'", "dataset.batch_size=16"]
        print("| | seconds to the first step | processor seconds | GB memory | MB prepared |\n|---|---|---|---|---|")
        for what in ("first time", "second time", "1 % changed", "without"):
            if what == "1 % changed":
                write_images(images, range(0, arguments.images, 100))
            words = ["dataset=mnist5k", "dataset.batch_size=16"] if what == "without" else own
            seconds, processor, memory = first_step(data_dir, *words)
            prepared = sum(path.stat().st_size for path in (data_dir / "prepared").rglob("*") if path.is_file())
            print(f"| {what} | {seconds:.1f} | {processor:.1f} | {memory:.2f} | {prepared / 1e6:.1f} |", flush=True)


if __name__ == "__main__":
    main()
