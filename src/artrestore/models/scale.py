"""How unsure the mean is: the scale of a Laplace distribution around each of its values."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from artrestore.models.blocks import LayerNorm2d

_HIDDEN = 48
_GAIN = 12.0  # what is read is small, a tenth or less: as it is, hardly anything was learned from it
LOG_SCALES = (-8.0, 1.0)  # the least and the most; values are in [0, 1]


class ScaleHead(nn.Module):
    """The logarithm of the scale, from what the mean was made of, none of which learns from it.

    It reads the mean's features, as they are and normalised, since their direction tells what was damaged where
    they are small too; by how much the tile was changed, which tells of tone as well; the context of the whole
    picture, and how unsure its tone is. Nothing is pooled over a tile, so tiles agree.

    Args:
        width: channels of the features.
        context: length of the vector that describes the whole picture.
    """

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.norm = LayerNorm2d(width)
        self.intro = nn.Conv2d(2 * width + 12 + 3, _HIDDEN, 3, padding=1)
        self.context = nn.Linear(context, _HIDDEN)
        self.middle = nn.Conv2d(_HIDDEN, _HIDDEN, 3, padding=1)
        self.out = nn.Conv2d(_HIDDEN, 12, 3, padding=1)

    def forward(self, features: Tensor, change: Tensor, context: Tensor, of_tone: Tensor) -> Tensor:
        """Read all that and say the logarithm of the scale.

        Args:
            features: (N, width, H/2, W/2).
            change: (N, 3, H, W).
            context: (N, D).
            of_tone: the logarithm of the tone's scale, (N, 3, H/2, W/2).

        Returns:
            (N, 3, H, W), float32.
        """
        features, change, context = features.detach(), change.detach(), context.detach()
        changed = F.pixel_unshuffle(change, 2).to(features.dtype)
        read = [_GAIN * features, self.norm(features), _GAIN * changed, of_tone.to(features.dtype)]
        h = self.intro(torch.cat(read, dim=1))
        h = h + self.context(context)[:, :, None, None]
        h = F.relu(self.middle(F.relu(h)))
        return _without_grid(F.pixel_shuffle(self.out(h), 2).float()).clamp(*LOG_SCALES)


def _without_grid(shuffled: Tensor) -> Tensor:
    """Smoothed by [1 2 1] / 4 both ways, which takes away the grid of two pixels that shuffling leaves."""
    return F.avg_pool2d(F.avg_pool2d(F.pad(shuffled, (1, 1, 1, 1), mode="replicate"), 2, stride=1), 2, stride=1)
