"""Images one by one, more than fit into memory: as PNGs in a folder, as one array."""

import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.pixels import are_points
from gan_lightning.drawing.pictures import image_of
from gan_lightning.errors import UserError
from gan_lightning.whole_files import whole_file, whole_folder
from gan_lightning.wording import counted

Batches = Iterable[tuple[Tensor, Tensor]]
"""Images (B, C, H, W), bytes or points, and their labels (B,), again and again."""
SMALLEST_FILE = 4096
"""Bytes of the disk that a file takes at least."""


def save_folder(path: Path, batches: Batches, number: int, folders: Mapping[int, str]) -> None:
    """Write so many images as `path`/000.png …, or, where there are folders for labels, as `path`/<folder>/000.png …

    Raises:
        UserError: if there is too little room on the disk.
    """
    _check_room(path, number, SMALLEST_FILE)
    digits = len(str(number - 1))
    written = 0
    with whole_folder(path, durable=False) as folder:
        for images, labels in batches:
            for image, label in zip(images, labels.tolist(), strict=True):
                home = folder / folders[label] if folders else folder
                home.mkdir(exist_ok=True)
                image_of(image).save(home / f"{written:0{digits}}.png")
                written += 1


def save_npz(path: Path, batches: Batches, shape: tuple[int, ...], labelled: bool) -> None:
    """Write images (N, C, H, W) of this shape as the array `images`, bytes, or float32 if they are points, and their
    labels, int64, as `labels`.

    Raises:
        UserError: if there is too little room on the disk.
    """
    kept = np.dtype("<f4" if are_points(shape[1:]) else "|u1")
    _check_room(path, shape[0], kept.itemsize * int(np.prod(shape[1:])))
    all_labels = []
    with whole_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as part:
            header = {"descr": kept.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(part, header)
            for images, labels in batches:
                part.write(images.contiguous().numpy().data)
                if labelled:
                    all_labels.append(labels)
        if labelled:
            with archive.open("labels.npy", "w", force_zip64=True) as part:
                np.lib.format.write_array(part, torch.cat(all_labels).numpy())


def _check_room(path: Path, number: int, bytes_each: int) -> None:
    there = next(folder for folder in path.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(there).free
    if number * bytes_each > free:
        raise UserError(
            f"{counted(number, 'image')} take {number * bytes_each / 1e9:,.1f} GB, and there are {free / 1e9:,.1f} GB"
            f" left for {path}; draw fewer"
        )


def save_arrays(path: Path, arrays: dict[str, Tensor]) -> None:
    """Write a few arrays as an .npz."""
    with whole_file(path) as file:
        np.savez(file, allow_pickle=False, **{name: array.numpy() for name, array in arrays.items()})
