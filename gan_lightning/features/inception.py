"""The Inception network: the feature space of the published FID, KID and IS."""

import torch
from torch import Tensor

from gan_lightning.errors import UserError, one_line
from gan_lightning.features.space import Description, FeatureSpace, fingerprint


class Inception(FeatureSpace):
    """Inception-v3 of Szegedy et al. 2016 with the weights of the code published with Heusel et al. 2017.

    The network is torch-fidelity's, which keeps the weights in torch's cache, or downloads them, and resizes images to
    299 × 299 as that code does. Gray images are repeated in three channels. The points are those of the last pooling,
    (B, 2048), the probabilities those of 1,008 classes.

    Raises:
        UserError: if torch-fidelity is not installed or the weights are not to be had.
    """

    name = "inception"

    def __init__(self) -> None:
        super().__init__()
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
        except ModuleNotFoundError as reason:
            raise UserError(
                "features=inception needs torch-fidelity: pip install 'gan-lightning[inception]';"
                " features=classifier needs nothing"
            ) from reason
        try:
            with torch.random.fork_rng(devices=[]):  # it draws weights before it loads them
                self.network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"])
        except Exception as reason:  # a download has many ways to fail
            raise UserError(
                f"the weights of the Inception network are neither in {torch.hub.get_dir()}/checkpoints nor to be"
                f" downloaded ({one_line(reason)}); features=classifier needs no download"
            ) from reason
        self.fingerprint = fingerprint(self.network.state_dict().values())

    def forward(self, images: Tensor) -> Description:
        points, logits = self.network(images.expand(-1, 3, -1, -1))
        return Description(points, logits.softmax(1))
