"""What VAEs with one latent vector for a picture share: restoring by its mean, the negative ELBO, generating."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from artrestore.losses import squared_error
from artrestore.models.base import RestorationModel, StageName, Surroundings, TileRule
from artrestore.models.layers import DiagonalGaussian


class LatentVectorVAE(RestorationModel):
    """A VAE of square pictures, (N, 3, S, S), with a latent vector z of length D.

    A subclass sets `encoder`, which maps pictures to a `DiagonalGaussian` over z and a list of features, and
    defines how both are decoded.
    """

    encoder: nn.Module

    @abstractmethod
    def decode_logits(self, z: Tensor, features: list[Tensor]) -> Tensor:
        """Decode (N, D), and the encoder's features, to logits: the picture is their sigmoid."""

    def reconstruction_loss(self, logits: Tensor, clear: Tensor) -> Tensor:
        """Of a sample: the squared error, sum over pixels, mean over N."""
        return squared_error(torch.sigmoid(logits.float()), clear)

    @property
    def latent_dim(self) -> int:
        """Length of the latent vector."""
        length: int = self.config.latent_dim
        return length

    @property
    def tile_rule(self) -> TileRule:
        """Fixed-size tiles that overlap by half: latent vectors make neighbours disagree, blending hides it."""
        return TileRule(tile_size=self.config.picture_size, overlap=self.config.picture_size // 2, fixed=True)

    def forward(self, damaged: Tensor, around: Surroundings | None = None) -> Tensor:  # noqa: ARG002
        """Restore by the posterior mean: (N, 3, S, S) in [0, 1] -> the same."""
        posterior, features = self.encoder(damaged)
        return torch.sigmoid(self.decode_logits(posterior.mu, features).float())

    def training_losses(
        self,
        damaged: Tensor,
        clear: Tensor,
        *,
        beta: float,
        free_bits: float = 0.0,
        stage: StageName = "restore",  # noqa: ARG002
        around: Surroundings | None = None,  # noqa: ARG002
    ) -> dict[str, Tensor]:
        """The reconstruction's loss + beta * KL to N(0, I), in which each unit counts for `free_bits` at least."""
        posterior, features = self.encoder(damaged)
        reconstruction = self.reconstruction_loss(self.decode_logits(posterior.sample(), features), clear)
        loss = reconstruction + beta * posterior.kl(free_bits=free_bits)
        return {"loss": loss, "reconstruction": reconstruction, "kl": posterior.kl()}

    def infer(self, damaged: Tensor) -> DiagonalGaussian:
        """The posterior of the latent vectors: normal distributions over (N, D), float32."""
        posterior: DiagonalGaussian = self.encoder(damaged)[0]
        return posterior

    def generate(self, z: Tensor) -> Tensor:
        """Decode latent vectors (N, D) to pictures: (N, 3, S, S) in [0, 1]."""
        if not self.spec.can_sample:
            return super().generate(z)
        return torch.sigmoid(self.decode_logits(z, []).float())
