"""Building blocks that several architectures share."""

import torch
from torch import Tensor

from artrestore.losses import kl_to_standard_normal

# exp(logvar) stays finite in float32 within these, and no useful posterior lies outside.
_LOGVAR_RANGE = (-30.0, 20.0)


class DiagonalGaussian:
    """A batch of normal distributions with diagonal covariance: `mu` and `logvar` of shape (N, D)."""

    def __init__(self, mu: Tensor, logvar: Tensor) -> None:
        self.mu = mu
        self.logvar = logvar.clamp(*_LOGVAR_RANGE)

    def sample(self) -> Tensor:
        """Draw `mu + eps * exp(logvar / 2)`, eps ~ N(0, I): the reparameterization of Kingma & Welling 2013."""
        return self.mu + torch.randn_like(self.mu) * torch.exp(0.5 * self.logvar)

    def kl(self) -> Tensor:
        """KL divergence to N(0, I) in nats: sum over D, mean over N."""
        return kl_to_standard_normal(self.mu, self.logvar)
