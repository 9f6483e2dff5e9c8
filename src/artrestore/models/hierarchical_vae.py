"""`hierarchical-vae`: a residual U-Net that restores, with latents that tell what else it might have been.

    whole picture -> thumbnail -> tone network -> context --------------+
                                       +-------> tone correction --+    |
    tile, mask of losses ------------------------------------------+    |
       -> unshuffle 2 -> w0 -> w1 -> w2 -> w3 (middle) <-- FiLM --------+
                         |     |     |      + eps at 1/16
                         |     |    w2
                         |    w1
                        w0 -> shuffle 2 -> + corrected tile = mean
                         +-> log scale of a Laplace distribution

Dense residual blocks where channels are few, gated ones with layer normalisation (NAFNet's, without channel
attention) where they are many. The corrected tile goes through all of it at 1/4 and at 1/2 of its sides before
(`coarse.py`). `latents.py`, `tone.py` and `scale.py` have the rest.

Training has four stages. `tone` fits the tone correction alone, and doubt about it, on thumbnails: among other
damage it would begin late or never. `restore` fits the mean by a loss that forgives small errors, so that mending
can begin, `refine` by one that forgives less, so that what is right is left alone. `uncertainty` freezes it and
fits the other latents, by the ELBO with a target rate for each level and by the CRPS of prior samples, and the
scale, by the Laplace likelihood.
"""

from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from artrestore.losses import LOW, WIDE, charbonnier, crps_at_scales, laplace_nll, log_charbonnier
from artrestore.models.base import (
    ModelSpec,
    RestorationModel,
    StageName,
    Surroundings,
    TileRule,
    TrainingDefaults,
)
from artrestore.models.blocks import GatedBlock, ResidualBlock, Upsample, zero_initialised
from artrestore.models.coarse import added_in_small
from artrestore.models.encoded import Encoded
from artrestore.models.hierarchical_config import HierarchicalVAEConfig
from artrestore.models.latents import NoiseInjection, Posterior, steer
from artrestore.models.scale import ScaleHead
from artrestore.models.tone import Tone, ToneNetwork

# Nats per pixel of the picture that the global latent and each level shall carry, coarsest first.
_TARGET_RATES = (0.0004, 0.002, 0.0006, 0.0006)
_BETA_GAIN = 0.02
_CRPS_WEIGHT = 2.0
_CRPS_SCALES = (1, 4, 16)
_NLL_WEIGHT = 0.02
_DRAWN_OF = 4  # one tile of so many in a batch is drawn from


class HierarchicalVAE(RestorationModel):
    """The flagship; see the module's text."""

    name: ClassVar[str] = "hierarchical-vae"
    config_type: ClassVar[type[HierarchicalVAEConfig]] = HierarchicalVAEConfig
    log_beta: Tensor
    sizes: ClassVar[dict[str, dict[str, Any]]] = {
        "small": {"widths": (32, 64, 128, 192), "blocks": (1, 1, 2), "middle_blocks": 4},
        "base": {},
        "large": {"widths": (80, 160, 320, 512), "blocks": (2, 3, 6), "middle_blocks": 10},
    }
    spec: ClassVar[ModelSpec] = ModelSpec(
        summary="hierarchical VAE; faithful restorations that tell how sure they are, and others as plausible",
        can_sample=False,
        can_quantify=True,
        sees_surroundings=True,
        can_export=True,
        training=TrainingDefaults(
            stages=("tone", "restore", "refine", "uncertainty"), stage_shares=(0.1, 0.5, 0.15, 0.25),
            optimizer="adamw", batch_size=16, crop_size=128, clip_grad_norm=1.0, ema=0.999, fine_tuning=0.2,
        ),
    )  # fmt: skip

    def __init__(self, config: HierarchicalVAEConfig) -> None:
        super().__init__()
        self.config = config
        widths, last = config.widths, config.widths[-1]
        self.tone = ToneNetwork(config.context, config.grid, config.tone_noise)
        self.intro = nn.Conv2d(16, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(self._level(level) for level in range(3))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(widths))
        self.modulate = zero_initialised(nn.Linear(config.context, 2 * last))
        half = config.middle_blocks // 2
        self.middle_in = nn.Sequential(*(GatedBlock(last) for _ in range(half)))
        self.middle_out = nn.Sequential(*(GatedBlock(last) for _ in range(config.middle_blocks - half)))
        self.up = nn.ModuleList(Upsample(b, a) for a, b in reversed(list(pairwise(widths))))
        self.up_blocks = nn.ModuleList(self._level(level) for level in (2, 1, 0))
        self.noise = nn.ModuleList(
            NoiseInjection(width, channels) for width, channels in zip(widths[:0:-1], config.noise, strict=False)
        )
        self.residual = zero_initialised(nn.Conv2d(widths[0], 12, 3, padding=1))
        self.log_scale = ScaleHead(widths[0], config.context)
        self.posterior: Posterior | None = None

    def _level(self, level: int) -> nn.Sequential:
        block = ResidualBlock if level < self.config.dense_levels else GatedBlock
        return nn.Sequential(*(block(self.config.widths[level]) for _ in range(self.config.blocks[level])))

    @property
    def tile_rule(self) -> TileRule:
        """Any multiple of 16 at the coarsest pass."""
        return TileRule(
            tile_size=768, overlap=128, multiple=16 << self.config.coarse_passes, crop_multiple=16, batch_size=1
        )

    @property
    def noise_shape(self) -> tuple[tuple[int, int | None], ...]:
        """Channels of each latent and the pixels that one of its values spans; None for the global one."""
        return ((self.config.tone_noise, None), *zip(self.config.noise, (16, 8, 4), strict=False))

    def forward(self, damaged: Tensor, around: Surroundings | None = None) -> Tensor:
        """Restore by the mean: (N, 3, H, W) in [0, 1] -> the same, float32; sides are multiples of 16."""
        encoded = self.encode(damaged, around or Surroundings.alone(damaged))
        return self.picture(encoded, self.decode(encoded)).clamp(0, 1)

    def quantify(self, damaged: Tensor, around: Surroundings | None = None) -> tuple[Tensor, Tensor]:
        """The mean and the scale of a Laplace distribution around it, both (N, 3, H, W), float32."""
        encoded = self.encode(damaged, around or Surroundings.alone(damaged))
        features = self.decode(encoded)
        mean = self.picture(encoded, features)
        return mean.clamp(0, 1), self._log_scale(features, mean - damaged, encoded.tone, encoded.place).exp()

    def draw(self, damaged: Tensor, noise: list[Tensor], around: Surroundings | None = None) -> Tensor:
        """A plausible restoration: (N, 3, H, W) in [0, 1].

        Args:
            damaged: (N, 3, H, W) in [0, 1].
            noise: values from N(0, I), one tensor for each entry of `noise_shape`: (N, C), then (N, C, h, w).
            around: the rest of the picture.
        """
        encoded = self.encode(damaged, around or Surroundings.alone(damaged))
        return self.picture(encoded, self.decode(encoded, noise), noise).clamp(0, 1)

    def encode(self, damaged: Tensor, around: Surroundings, passes: int | None = None) -> Encoded:
        """Correct the tone, mend in small, and go down to 1/16; nothing here depends on the latents.

        Args:
            damaged: (N, 3, H, W) in [0, 1].
            around: the rest of the picture.
            passes: how often it is halved; None takes `coarse_passes`.
        """
        tone: Tone = self.tone(around.thumbnail)
        corrected = self.tone.correct(damaged, around.place, tone)
        passes = self.config.coarse_passes if passes is None else passes
        mend = partial(self._mend, tone, around.place)
        coarse = added_in_small(corrected, around.lost, mend, passes)
        corrected = corrected + coarse
        skips, middle = self._down(corrected, around.lost, tone)
        return Encoded(damaged, corrected, coarse, skips, middle, tone, around.place)

    def _mend(self, tone: Tone, place: Tensor, picture: Tensor, lost: Tensor) -> tuple[Tensor, Tensor]:
        """What the network adds to a picture whose tone is right, by the mean, and the scale around it."""
        features = self._up(*self._down(picture, lost, tone))
        change = self._residual(features)
        return change, self._log_scale(features, change, tone, place).exp()

    def _down(self, picture: Tensor, lost: Tensor, tone: Tone) -> tuple[tuple[Tensor, ...], Tensor]:
        h = self.intro(F.pixel_unshuffle(torch.cat([picture - 0.5, lost], dim=1), 2))
        skips = []
        for blocks, down in zip(self.down_blocks, self.down, strict=True):
            h = blocks(h)
            skips.append(h)
            h = down(h)
        scale, shift = self.modulate(tone.context).to(h.dtype)[:, :, None, None].chunk(2, dim=1)
        middle: Tensor = self.middle_in(h * (1 + scale) + shift)
        return tuple(skips), middle

    def decode(self, encoded: Encoded, noise: list[Tensor] | None = None) -> Tensor:
        """Up again to features (N, w0, H/2, W/2); without noise, the mean's."""
        return self._up(encoded.skips, encoded.middle, noise)

    def _up(self, skips: tuple[Tensor, ...], middle: Tensor, noise: list[Tensor] | None = None) -> Tensor:
        h = self.middle_out(self._varied(middle, 0, noise))
        for level, (up, blocks) in enumerate(zip(self.up, self.up_blocks, strict=True), start=1):
            h = up(h) + skips[-level]
            h = blocks(self._varied(h, level, noise))
        features: Tensor = h
        return features

    def _varied(self, h: Tensor, level: int, noise: list[Tensor] | None) -> Tensor:
        """With what the level's latents add, if it has any and noise is given."""
        if noise is None or level >= len(self.noise):
            return h
        varied: Tensor = self.noise[level](h, noise[1 + level])
        return varied

    def picture(self, encoded: Encoded, features: Tensor, noise: list[Tensor] | None = None) -> Tensor:
        """The corrected and mended tile and the residual, added in float32; not clipped."""
        corrected = encoded.corrected
        if noise is not None:
            tone = self.tone.varied(encoded.tone, noise[0])
            corrected = self.tone.correct(encoded.damaged, encoded.place, tone) + encoded.coarse
        return corrected + self._residual(features)

    def _residual(self, features: Tensor) -> Tensor:
        return F.pixel_shuffle(self.residual(features), 2).float()

    def keep_tone(self) -> None:
        """From now on, leave the tone of whole pictures as it is."""
        self.tone.keep()

    def _log_scale(self, features: Tensor, change: Tensor, tone: Tone, place: Tensor) -> Tensor:
        of_tone = self.tone.log_scale(place, tone, features.shape[2:])
        log_scale: Tensor = self.log_scale(features, change, tone.context, of_tone)
        return log_scale

    def prepare_training(self) -> None:
        """Add the posterior, and the weight of each latent's KL divergence, which training steers."""
        self.posterior = Posterior(self.config.noise, self.config.tone_noise)
        self.register_buffer("log_beta", torch.full((1 + len(self.config.noise),), -4.0))

    def weights(self) -> dict[str, Tensor]:
        """The tensors that restoring needs: all but those of the posterior."""
        return {k: v for k, v in self.state_dict().items() if not k.startswith(("posterior.", "log_beta"))}

    def trained_parameters(self, stage: StageName) -> list[nn.Parameter]:
        """The tone network's in `tone`, those of other latents and the scale in `uncertainty`, else the mean's.

        `refine` leaves the tone network as it is: by a sharp loss it would soon correct hardly anything.
        """
        if stage == "tone":
            return list(self.tone.parameters())
        unsure = (self.noise, self.log_scale, self.posterior)
        own = [parameter for module in unsure if module for parameter in module.parameters()]
        if stage == "uncertainty":
            return own
        doubt_of_tone = (*self.tone.noise.parameters(), *self.tone.doubt.parameters())
        of_tone = self.tone.parameters() if stage == "refine" else doubt_of_tone
        others = {id(parameter) for parameter in (*own, *of_tone)}
        return [parameter for parameter in self.parameters() if id(parameter) not in others]

    def training_losses(
        self,
        damaged: Tensor,
        clear: Tensor,
        *,
        beta: float,
        free_bits: float = 0.0,  # noqa: ARG002 (target rates keep the latents in use)
        stage: StageName = "restore",
        around: Surroundings | None = None,
    ) -> dict[str, Tensor]:
        """Of the mean: `log_charbonnier`; of the latents and the scale: `_uncertainty_losses`."""
        around = around or Surroundings.alone(damaged)
        if stage == "tone":
            return self.tone.loss(damaged, clear, around.thumbnail, around.place)
        if stage == "uncertainty":
            return self._uncertainty_losses(damaged, clear, beta, around)
        encoded = self.encode(damaged, around, passes=0)
        restored = self.picture(encoded, self.decode(encoded))
        loss = log_charbonnier(restored, clear, LOW if stage == "refine" else WIDE)
        return {"loss": loss, "reconstruction": charbonnier(restored, clear).mean()}

    def _uncertainty_losses(
        self, damaged: Tensor, clear: Tensor, beta: float, around: Surroundings
    ) -> dict[str, Tensor]:
        """-ELBO with a beta for each latent + CRPS of two prior samples at 3 scales + the scale's likelihood.

        The scale learns from all tiles and the latents from some, since these take most of the time.
        """
        if self.posterior is None:
            raise RuntimeError("prepare_training comes first")
        with torch.no_grad():
            encoded = self.encode(damaged, around)
            features = self.decode(encoded)
            mean = self.picture(encoded, features)
        log_scale = self._log_scale(features, mean - damaged, encoded.tone, encoded.place)
        nll = laplace_nll(clear, mean, log_scale)
        some = -(-len(clear) // _DRAWN_OF)
        encoded, damaged, clear, mean = encoded.first(some), damaged[:some], clear[:some], mean[:some]
        posterior = self.posterior(damaged, clear, mean)
        inferred = [level.sample() for level in posterior]
        # One pass for three: inferred latents, and two draws from the prior.
        noise = [torch.cat([eps, torch.randn_like(eps), torch.randn_like(eps)]) for eps in inferred]
        tripled = encoded.repeated(3)
        reconstructed, first, second = self.picture(tripled, self.decode(tripled, noise), noise).chunk(3)
        rates = torch.stack([level.kl() for level in posterior]) / clear[0, 0].numel()
        reconstruction = charbonnier(reconstructed, clear).mean()
        crps = crps_at_scales(first, second, clear, _CRPS_SCALES)
        elbo = reconstruction + (self.log_beta.exp() * beta * rates).sum()
        loss = elbo + _CRPS_WEIGHT * crps + _NLL_WEIGHT * nll
        if self.training:
            targets = self.log_beta.new_tensor(_TARGET_RATES[: len(rates)])
            self.log_beta.copy_(steer(self.log_beta, rates.detach(), targets, _BETA_GAIN))
        return {
            "loss": loss, "reconstruction": reconstruction, "kl": rates.sum(), "crps": crps, "nll": nll,
            **dict(zip(("kl_tone", "kl_16", "kl_8", "kl_4"), rates, strict=False)),
        }  # fmt: skip
