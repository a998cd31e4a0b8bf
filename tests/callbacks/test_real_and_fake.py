import torch

from gan_lightning.callbacks.real_and_fake import _of_classes


def test_real_images_are_of_the_classes_of_the_generated_ones() -> None:
    image_labels = torch.tensor([2, 0, 1, 0, 2, 0, 2, 0, 0])
    chosen = _of_classes(image_labels, torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 3]))
    # The first, the middle and the last of five; the only one; the first and the last of three; none.
    assert chosen.tolist() == [1, 5, 8, 2, 0, 6]
