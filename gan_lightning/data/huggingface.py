"""Hugging Face data sets: of the Hub, or of this machine."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from gan_lightning.data.fitting import FORMATS
from gan_lightning.data.labelled import TEST_SPLITS, LabelledDataModule, Split
from gan_lightning.errors import UserError, one_line

if TYPE_CHECKING:
    import datasets

LABELS = ("label", "labels")
"""What a column is called that holds labels without saying that they are classes."""


class HuggingFaceSet(LabelledDataModule):
    """A data set of https://huggingface.co/datasets, or in a folder or a parquet file of this machine.

    It is downloaded below `data_dir/huggingface/` where it is not there yet, and not asked for again once its images
    are prepared; of this machine's files, a change is noticed.

    Args:
        name: on the Hub, such as `ylecun/mnist`, or a path.
        subset: which one of those that a data set on the Hub may have; None for its own choice.
        train_split: the name of the split to train with; None for `train`, or the only one.
        test_split: the name of the split that is held out; None for `test` or `validation`, if there is one that has
            labels; else some of the training images are held out.
        image_column: where the images are; None for the only column that has some.
        label_column: where the labels are; None for the only column of classes, or the one called `label`. Without
            one, all images are of one class.
        image_size: height and width of the images; None for those that they have, if they are all alike.
        channels: 1 for gray or 3 for RGB; None for 1 if all of them are gray, else 3.
        fit: what is done with images of other proportions: `crop`, `pad` or `stretch`.
        held_out: the share of the images held out for measuring, where there is no test split.
        mirrors: whether an image's mirror image could be one of the data; a digit's could not.
        batch_size: images a discriminator step sees.
        data_dir: the folder that holds the data sets.
        num_train_images: take only the first so many training images; None for all.
        seed: of the shuffles, which it and the epoch decide.

    Raises:
        ValueError: if `name` is no text; and as of every data set.
    """

    def __init__(
        self,
        name: str = "ylecun/mnist",
        subset: str | None = None,
        train_split: str | None = None,
        test_split: str | None = None,
        image_column: str | None = None,
        label_column: str | None = None,
        image_size: int | None = None,
        channels: int | None = None,
        fit: str = "crop",
        held_out: float = 0.1,
        mirrors: bool = False,
        batch_size: int = 32,
        data_dir: str = "data",
        num_train_images: int | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be a data set of the Hub, such as ylecun/mnist, or a path, not {name!r}")
        path = Path(name).expanduser()
        title = path.stem if path.exists() else name
        super().__init__(
            title if subset is None else f"{title} {subset}",
            image_size, channels, fit, held_out, mirrors, batch_size, data_dir, num_train_images, seed,
        )  # fmt: skip
        self.source = str(path.resolve()) if path.exists() else name
        self.subset = subset
        self.train_split, self.test_split = train_split, test_split
        self.image_column, self.label_column = image_column, label_column

    @property
    def made_from(self) -> list[Any]:
        path = Path(self.source)
        files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
        stamps = [(str(file), status.st_size, status.st_mtime_ns) for file in files if (status := file.stat())]
        columns = self.image_column, self.label_column
        return [self.source, self.subset, self.train_split, self.test_split, *columns, stamps]

    def opened(self) -> tuple[Split, Split | None]:
        splits = self._loaded()
        names = list(splits)
        train_split = self.train_split or ("train" if "train" in splits or len(names) > 1 else names[0])
        for setting, split in (("train_split", train_split), ("test_split", self.test_split)):
            if split is not None and split not in splits:
                raise ValueError(
                    f"dataset.{setting} should be a split of {self.title}: {', '.join(names)}; there is no {split!r}"
                )
        training = self._rows(splits[train_split])
        if self.test_split:
            return training, self._rows(splits[self.test_split])
        for name in TEST_SPLITS:
            if name in splits and name != train_split:
                test = self._rows(splits[name])
                if self._has_labels(test) or not self._has_labels(training):
                    return training, test
        return training, None

    def label_names(self, split: Split) -> Sequence[str]:
        return split.names if isinstance(split, _Rows) else ()

    def _has_labels(self, rows: "_Rows") -> bool:
        """Whether the first image has one, which sets hide of their test images."""
        return len(rows) > 0 and self.label_of(rows.label(0)) is not None

    def _loaded(self) -> "datasets.DatasetDict":
        try:
            import datasets
        except ModuleNotFoundError as reason:
            raise UserError(
                f"dataset=huggingface needs the package {reason.name};"
                " pip install 'gan-lightning[huggingface]' brings it"
            ) from reason
        datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # the rest comes as exceptions, too
        which: dict[str, Any] = {"path": self.source, "name": self.subset}
        if Path(self.source).is_file():
            which = {"path": "parquet", "data_files": {"train": self.source}}
        try:
            return datasets.load_dataset(**which, cache_dir=str(Path(self.data_dir) / "huggingface"))
        except MemoryError:
            raise
        except Exception as reason:  # a download has many ways to fail, and so has a file
            raise UserError(
                f"the Hugging Face data set {self.source} is not to be had ({one_line(reason)}); dataset.name must be"
                " one of https://huggingface.co/datasets, such as ylecun/mnist, or a folder or a parquet file"
            ) from reason

    def _rows(self, split: "datasets.Dataset") -> "_Rows":
        from datasets import ClassLabel
        from datasets import Image as ImageColumn

        kinds = split.features
        # Other programs write encoded images without saying that they are some.
        images = [name for name, kind in kinds.items() if isinstance(kind, ImageColumn) or _is_encoded(kind)]
        labels = [name for name, kind in kinds.items() if isinstance(kind, ClassLabel)] or [*{*LABELS} & kinds.keys()]
        image_column = self._column("image_column", images, kinds)
        label_column = self._column("label_column", labels, kinds) if labels or self.label_column else None
        try:
            split = split.cast_column(image_column, ImageColumn(decode=False))
        except (TypeError, ValueError, NotImplementedError) as reason:
            raise ValueError(f"dataset.image_column: {image_column} holds no images ({one_line(reason)})") from reason
        names = kinds[label_column].names if isinstance(kinds.get(label_column), ClassLabel) else ()
        return _Rows(split, image_column, label_column, names)

    def _column(self, setting: str, found: list[str], known: dict[str, Any]) -> str:
        wanted = getattr(self, setting)
        if wanted is not None and wanted not in known:
            raise ValueError(
                f"dataset.{setting} should be a column of {self.title}: {', '.join(known)}; there is no {wanted!r}"
            )
        if wanted is None and len(found) != 1:
            could_be = " and ".join(found) if found else "none"
            raise ValueError(
                f"dataset.{setting} must be said: of {self.title}'s columns {', '.join(known)} {could_be} could be it"
            )
        return wanted or found[0]


def _is_encoded(kind: Any) -> bool:
    return isinstance(kind, dict) and kind.keys() == {"bytes", "path"}


class _Rows(Split):
    """The images of a split, not decoded yet, their labels, and what these are called where they are numbers."""

    def __init__(
        self, split: "datasets.Dataset", image_column: str, label_column: str | None, names: Sequence[str]
    ) -> None:
        self.images = split.select_columns([image_column])
        self.image_column = image_column
        self.names = names
        self.labels = None if label_column is None else split.select_columns([label_column])[:][label_column]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Image.Image, Any]:
        encoded = self.images[index][self.image_column]
        file = encoded["path"] if encoded["bytes"] is None else io.BytesIO(encoded["bytes"])
        return Image.open(file, formats=FORMATS), self.label(index)

    def label(self, index: int) -> Any:
        """The label of an image; None if the set has none."""
        return None if self.labels is None else self.labels[index]
