"""One of torchvision's classes of data sets, by its name: whether it will do, and how it is called for a split."""

import difflib
import inspect
from typing import Any

from torchvision import datasets
from torchvision.datasets import VisionDataset

from gan_lightning.data.labelled import TEST_SPLITS

NO_SET = {
    *("DatasetFolder", "FakeData", "ImageFolder", "VisionDataset"),
    *("LSUN", "LSUNClass"),  # these unpickle what they find in the current folder
}
WITHOUT_LABELS = {
    *("Cityscapes", "CocoCaptions", "CocoDetection", "Flickr8k", "Flickr30k", "Kitti", "LFWPairs", "MovingMNIST"),
    *("PhotoTour", "SBDataset", "SBU", "VOCDetection", "VOCSegmentation", "WIDERFace"),
    *("HMDB51", "Kinetics", "UCF101"),
    *("FlyingChairs", "FlyingThings3D", "HD1K", "KittiFlow", "Sintel"),
    *("CREStereo", "CarlaStereo", "ETH3DStereo", "FallingThingsStereo", "InStereo2k", "Kitti2012Stereo"),
    *("Kitti2015Stereo", "Middlebury2014Stereo", "SceneFlowStereo", "SintelStereo"),
}
"""Nothing in their signatures says so, and seeing it in the images would take gigabytes of download."""
ARGUMENTS: dict[str, dict[str, Any]] = {
    "CelebA": {"target_type": []},  # its default is 40 labels an image
    "EMNIST": {"split": "balanced"},  # it has no default; this is the one that its authors recommend
    "LFWPeople": {"split": "train"},  # its default holds the test images, too
}
"""What a class is called with where its own defaults do not do."""
OURS = {"root", "train", "download", "transform", "target_transform", "transforms", "loader"}
"""Arguments that are not for the user to choose."""
SPLIT_NAMES = ("split", "what", "version")
"""What classes call the argument that takes a split's name."""


def torchvision_class(name: str) -> type[VisionDataset]:
    """The class of that name, a set of images with one label each.

    Raises:
        ValueError: if there is none.
    """
    names = {each for each in datasets.__all__ if inspect.isclass(getattr(datasets, each))} - NO_SET
    if name in WITHOUT_LABELS:
        raise ValueError(f"torchvision's {name} has no images with one label each, but boxes, texts, pairs or films")
    if name not in names:
        by_lower = {each.lower(): each for each in sorted(names - WITHOUT_LABELS)}
        close = difflib.get_close_matches(str(name).lower(), by_lower, n=3)
        meant = f"did you mean {' or '.join(by_lower[each] for each in close)}?" if close else "KMNIST would be one"
        raise ValueError(
            f"torchvision has no set of images {name!r} to take; {meant} (images of your own: dataset=folder)"
        )
    return getattr(datasets, name)


def takes(set_class: type[VisionDataset]) -> dict[str, inspect.Parameter]:
    """What a class takes, with what it hands on to the class that it extends."""
    found: dict[str, inspect.Parameter] = {}
    for each in set_class.__mro__:
        own = inspect.signature(each.__init__).parameters  # type: ignore[misc]
        found = {**own, **found}
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in own.values()):
            break
    return {name: each for name, each in found.items() if each.kind is each.POSITIONAL_OR_KEYWORD and name != "self"}


def calls_of_splits(
    set_class: type[VisionDataset], arguments: dict[str, Any], train_split: str | None, test_split: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a class is called with, but for its folder: for the training images, and for those that are held out.

    Args:
        set_class: the class.
        arguments: what else it is called with, such as `{"split": "letters"}` of EMNIST.
        train_split: the name of the training split; None for the one that the class takes by itself.
        test_split: the name of the test split; None for the one that it should have.

    Returns:
        for the training split, and for splits of which the first that is there, and has labels, is the test split.

    Raises:
        ValueError: if the class has no such argument, or splits are named and it has none by name.
    """
    name, known = set_class.__name__, takes(set_class)
    free = [each for each in known if each not in OURS]
    for each in arguments:
        if each not in free:
            there_is = f"there is {', '.join(free)}" if free else "it has none to choose"
            raise ValueError(f"arguments: torchvision's {name} takes no {each!r}; {there_is}")
    call = {**ARGUMENTS.get(name, {}), **arguments}
    # EMNIST's split, which has no default, is something else: each has training and test images.
    of_split = [each for each in SPLIT_NAMES if each in free and known[each].default is not inspect.Parameter.empty]
    if (train_split or test_split) and not of_split:
        raise ValueError(f"torchvision's {name} has no splits by name; leave train_split and test_split null")
    has_two = "train" in known
    training: dict[str, Any] = {of_split[0]: train_split} if train_split else {"train": True} if has_two else {}
    if test_split:
        tests: list[dict[str, Any]] = [{of_split[0]: test_split}]
    elif has_two:
        tests = [{"train": False}]
    else:
        tests = [{of_split[0]: each} for each in TEST_SPLITS] if of_split else []
    return call | training, [call | each for each in tests]
