"""`skip-vae`: `conv-vae` with skip connections, trained in two stages (clear to clear, distorted to clear).

The encoder's outputs after its third, second and first convolution are added to the outputs of the decoder's
first, second and third transposed convolution, before the ReLU. What the latent vector loses, the skips carry:
restorations are sharp, but a z from the prior alone is no picture any more, so it does not generate.
"""

from torch import Tensor

from artrestore.models.base import ModelSpec, TrainingDefaults
from artrestore.models.conv_vae import ConvVAE


class SkipVAE(ConvVAE):
    """The VAE with additive skips; see the module's text."""

    name = "skip-vae"
    spec = ModelSpec(
        summary="conv-vae with skip connections, trained in two stages; sharp restorations",
        can_sample=False,
        can_export=True,
        training=TrainingDefaults(stages=("clear", "restore"), stage_shares=(0.25, 0.75)),
    )

    def decode_logits(self, z: Tensor, features: list[Tensor]) -> Tensor:
        """Decode (N, D) with all but the last of the encoder's features, deepest first, added on the way up."""
        logits: Tensor = self.decoder(z, features[-2::-1])
        return logits
