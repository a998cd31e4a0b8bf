"""Spectral normalisation of a whole network: Miyato et al. 2018, "Spectral Normalization for Generative
Adversarial Networks".
"""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_lightning.networks.labels import Projection


def normalize_spectrally(network: nn.Module) -> None:
    """Divide each weight matrix by its largest singular value, estimated by one step of power iteration a pass.

    That bounds the network's slope if all between these layers has a bounded one. A convolution's matrix is
    (out, in · height · width), as in the paper.
    """
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding):
            spectral_norm(layer)
        if isinstance(layer, Projection):
            layer.scale = 1.0
