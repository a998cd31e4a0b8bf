"""Small data sets in the real formats of those that torchvision reads; their checksums are told to its classes."""

import bz2
import csv
import hashlib
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import idx_bytes
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

NUM = {True: 24, False: 9}
"""How many training images each set has, and how many others."""
Written = dict[bool, tuple[np.ndarray, list[int | None]]]
"""By split: the images as bytes (N, H, W) or (N, H, W, 3), and their labels."""
RANDOM = np.random.default_rng(0)


def written(size: tuple[int, ...], num_classes: int, first: int = 0) -> Written:
    """Random images, of which every class has some, and all of them labels from `first` on."""
    return {
        train: (
            RANDOM.integers(0, 256, (number, *size), dtype=np.uint8),
            [first + index % num_classes for index in range(number)],
        )
        for train, number in NUM.items()
    }


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_idx(folder: Path, images: str, labels: str, content: Written) -> None:
    folder.mkdir(parents=True)
    for split, (pixels, kinds) in content.items():
        word = {True: "train", False: "test"}[split]
        (folder / images.format(word)).write_bytes(idx_bytes(pixels))
        (folder / labels.format(word)).write_bytes(idx_bytes(np.array(kinds)))


def kmnist(root: Path, patch: pytest.MonkeyPatch) -> Written:
    content = written((28, 28), 10)
    write_idx(root / "KMNIST/raw", "{}-images-idx3-ubyte", "{}-labels-idx1-ubyte", content)
    for name in ("images-idx3", "labels-idx1"):
        (root / f"KMNIST/raw/test-{name}-ubyte").rename(root / f"KMNIST/raw/t10k-{name}-ubyte")
    return content


def emnist_letters(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """Their labels begin with 1."""
    content = written((28, 28), 9, first=1)
    name = "emnist-letters-{}-"
    write_idx(root / "EMNIST/raw", f"{name}images-idx3-ubyte", f"{name}labels-idx1-ubyte", content)
    return content


def qmnist(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """Their labels are eight integers of four bytes each, of which the first is the class."""
    content = written((28, 28), 9)
    write_idx(root / "QMNIST/raw", "qmnist-{}-images-idx3-ubyte", "qmnist-{}-labels-idx2-int", content)
    for train, (_, labels) in content.items():
        table = np.zeros((len(labels), 8), ">i4")
        table[:, 0] = labels
        header = struct.pack(">4B2I", 0, 0, 12, 2, *table.shape)
        path = root / f"QMNIST/raw/qmnist-{'train' if train else 'test'}-labels-idx2-int"
        path.write_bytes(header + table.tobytes())
    return content


def usps(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """Lines of libsvm: a label from 1 on, and a number from -1 to 1 for each pixel."""
    content = written((16, 16), 9)
    for train, (pixels, labels) in content.items():
        lines = []
        for image, label in zip(pixels, labels, strict=True):
            values = image.ravel() / 255 * 2 - 1 + 1e-6  # which is rounded down
            lines.append(f"{label + 1} " + " ".join(f"{n}:{value:.6f}" for n, value in enumerate(values, 1)))
        (root / f"usps{'' if train else '.t'}.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))
    return content


def svhn(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """MATLAB's files, in which a 0 has the label 10."""
    content = written((32, 32, 3), 9)
    checked = dict(datasets.SVHN.split_list)
    for train, (pixels, labels) in content.items():
        split = "train" if train else "test"
        path = root / f"{split}_32x32.mat"
        savemat(path, {"X": pixels.transpose(1, 2, 3, 0), "y": np.array([[label or 10] for label in labels], np.uint8)})
        checked[split] = [*checked[split][:2], md5(path)]
    patch.setattr(datasets.SVHN, "split_list", checked)
    return content


def stl10(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """Columns before rows, labels from 1 on, and a third split that has none."""
    content = written((96, 96, 3), 9)
    folder = root / "stl10_binary"
    folder.mkdir()
    for train, (pixels, labels) in content.items():
        split = "train" if train else "test"
        (folder / f"{split}_X.bin").write_bytes(pixels.transpose(0, 3, 2, 1).tobytes())
        (folder / f"{split}_y.bin").write_bytes((np.array(labels, np.uint8) + 1).tobytes())
    (folder / "unlabeled_X.bin").write_bytes(bytes(range(256)) * (3 * 96 * 96 // 256 * 30))
    for names in ("train_list", "test_list"):
        patch.setattr(datasets.STL10, names, [[name, md5(folder / name)] for name, _ in getattr(datasets.STL10, names)])
    return content


def omniglot(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """Folders of alphabets with folders of characters, black and white; nothing is held out."""
    pixels = RANDOM.integers(0, 2, (24, 105, 105), dtype=np.uint8) * 255
    folder = root / "omniglot-py"
    for number, image in enumerate(pixels):
        path = folder / f"images_background/Greek/character{1 + number // 6:02d}/{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).convert("1").save(path)
    with zipfile.ZipFile(folder / "images_background.zip", "w") as archive:
        archive.write(folder / "images_background", "images_background")
    known = {"images_background": md5(folder / "images_background.zip")}
    patch.setattr(datasets.Omniglot, "zips_md5", known)
    return {True: (pixels, [0] * 6 + [1] * 6 + [2] * 6 + [3] * 6)}


def celeba(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """JPEGs and five tables of text; of one class."""
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    content: Written = {}
    tables: dict[str, list[str]] = {"partition": [], "identity": [], "bbox": [], "landmarks": [], "attr": []}
    number = 0
    for train, count in NUM.items():
        images = []
        for _ in range(count):
            number += 1
            name = f"{number:06d}.jpg"
            Image.fromarray(np.full((218, 178, 3), 7 * number, np.uint8)).save(folder / "img_align_celeba" / name)
            images.append(np.full((218, 178, 3), 7 * number, np.uint8))
            tables["partition"].append(f"{name} {0 if train else 2}")
            tables["identity"].append(f"{name} {1 + number % 5}")
            tables["bbox"].append(f"{name}    95  71 226 313")
            tables["landmarks"].append(f"{name} 69 109 106 113 77 142 73 152 108 154")
            tables["attr"].append(f"{name} -1  1 -1")
        content[train] = np.stack(images), [None] * count
    headers = {"bbox": "image_id x y w h", "landmarks": "lefteye_x", "attr": "Smiling Young Male"}
    names = {
        "partition": "list_eval_partition.txt",
        "identity": "identity_CelebA.txt",
        "bbox": "list_bbox_celeba.txt",
        "landmarks": "list_landmarks_align_celeba.txt",
        "attr": "list_attr_celeba.txt",
    }
    for table, rows in tables.items():
        head = [str(len(rows)), headers[table]] if table in headers else []
        (folder / names[table]).write_text("\n".join([*head, *rows]) + "\n")
    patch.setattr(datasets.CelebA, "file_list", [("", md5(folder / name), name) for name in names.values()])
    return content


def flowers102(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """JPEGs of many sizes, and two files of MATLAB's."""
    folder = root / "flowers-102"
    (folder / "jpg").mkdir(parents=True)
    numbers = {True: range(1, 25), False: range(25, 34)}
    content: Written = {}
    for train, of_split in numbers.items():
        for number in of_split:
            size = (500 + number, 500) if number % 2 else (500, 600)
            Image.new("RGB", size, (5 * number, 90, 90)).save(folder / f"jpg/image_{number:05d}.jpg")
        colours = np.array([[5 * number, 90, 90] for number in of_split], np.uint8)
        content[train] = colours[:, None, None].repeat(8, 1).repeat(8, 2), [number % 4 for number in of_split]
    savemat(folder / "imagelabels.mat", {"labels": [[1 + number % 4 for number in range(1, 34)]]})
    savemat(folder / "setid.mat", {"trnid": [[*numbers[True]]], "valid": [[1]], "tstid": [[*numbers[False]]]})
    checked = {
        "label": ("imagelabels.mat", md5(folder / "imagelabels.mat")),
        "setid": ("setid.mat", md5(folder / "setid.mat")),
    }
    patch.setattr(datasets.Flowers102, "_file_dict", datasets.Flowers102._file_dict | checked)
    return content


def food101(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """JPEGs in folders of dishes, and lists in JSON."""
    folder, content = root / "food-101", {}
    (folder / "meta").mkdir(parents=True)
    for train, number in NUM.items():
        lists: dict[str, list[str]] = {"pizza": [], "apple_pie": []}
        for index in range(number):
            dish = ("pizza", "apple_pie")[index % 2]
            lists[dish].append(f"{dish}/{train}{index}")
            (folder / "images" / dish).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (512, 384), (10 * index, 0, 0)).save(folder / "images" / f"{lists[dish][-1]}.jpg")
        (folder / f"meta/{'train' if train else 'test'}.json").write_text(json.dumps(lists))
        order = [*range(0, number, 2), *range(1, number, 2)]
        colours = np.array([[10 * index, 0, 0] for index in order], np.uint8)
        content[train] = colours[:, None, None].repeat(8, 1).repeat(8, 2), [1 - index % 2 for index in order]
    return content


def eurosat(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """A folder a class; nothing is held out."""
    pixels = RANDOM.integers(0, 256, (24, 64, 64, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        path = root / f"eurosat/2750/{('Forest', 'River')[number // 12]}/{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return {True: (pixels, [0] * 12 + [1] * 12)}


def fer2013(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """One table of all pixels; the test images have no labels."""
    content = written((48, 48), 7)
    (root / "fer2013").mkdir()
    checked = {}
    for train, (pixels, labels) in content.items():
        name = "train" if train else "test"
        with (root / f"fer2013/{name}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["emotion", "pixels"] if train else ["pixels"])
            for image, label in zip(pixels, labels, strict=True):
                row = " ".join(map(str, image.ravel()))
                table.writerow([label, row] if train else [row])
        checked[name] = (f"{name}.csv", md5(root / f"fer2013/{name}.csv"))
    patch.setattr(datasets.FER2013, "_RESOURCES", datasets.FER2013._RESOURCES | checked)
    return {True: content[True]}


def gtsrb(root: Path, patch: pytest.MonkeyPatch) -> Written:
    """PPMs: a folder a class for training, a table for the others."""
    content = written((30, 30, 3), 3)
    ordered = np.argsort(content[True][1], kind="stable")
    content[True] = content[True][0][ordered], sorted(content[True][1])
    folder = root / "gtsrb"
    (folder / "GTSRB/Final_Test/Images").mkdir(parents=True)
    for number, (image, label) in enumerate(zip(*content[True], strict=True)):
        path = folder / f"GTSRB/Training/{label:05d}/{number:05d}.ppm"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    rows = ["Filename;ClassId"]
    for number, (image, label) in enumerate(zip(*content[False], strict=True)):
        Image.fromarray(image).save(folder / f"GTSRB/Final_Test/Images/{number:05d}.ppm")
        rows.append(f"{number:05d}.ppm;{label}")
    (folder / "GT-final_test.csv").write_text("\n".join(rows))
    return content


SETS: dict[str, tuple[dict, Callable[[Path, pytest.MonkeyPatch], Written]]] = {
    "KMNIST": ({}, kmnist),
    "EMNIST": ({"arguments": {"split": "letters"}}, emnist_letters),
    "QMNIST": ({}, qmnist),
    "USPS": ({}, usps),
    "SVHN": ({}, svhn),
    "STL10": ({}, stl10),
    "Omniglot": ({}, omniglot),
    "CelebA": ({}, celeba),
    "Flowers102": ({"image_size": 8}, flowers102),
    "Food101": ({"image_size": 8}, food101),
    "EuroSAT": ({}, eurosat),
    "FER2013": ({}, fer2013),
    "GTSRB": ({}, gtsrb),
}
"""By name: the settings with which it is taken, and what writes its files."""
