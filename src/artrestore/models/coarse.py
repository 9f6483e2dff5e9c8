"""Coarse to fine: what is wide is mended in small first, where it is thin.

A network that learned from crops knows a scratch of two pixels, and not one of twelve. In a picture at a quarter
of its sides the wide one is as thin, so the same weights, which see the picture at 1/4, 1/2 and 1 of its sides one
after the other, mend both, as in scale-recurrent networks (Tao et al., CVPR 2018). What was added to the small
picture is enlarged and added to the larger one before its turn.

First do no harm: in small the finest strokes look like damage. So of what is added there as much is held back (a
soft threshold) as the network expects to be off by, times 1.5, and then the first few levels.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# Chosen on damaged and undamaged paintings that nothing was learned from.
_DOUBT = 1.5  # of the scale of the Laplace distribution around the mean
_FEW_LEVELS = 0.02  # of the range
_LEAST_SIDE = 16  # sides that a network takes are multiples of this

Mend = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def added_in_small(picture: Tensor, lost: Tensor, mend: Mend, passes: int) -> Tensor:
    """What to add to a picture for what is mended at 1/2, 1/4 ... of its sides, the smallest first.

    Args:
        picture: (N, 3, H, W), float32; sides are multiples of 16.
        lost: (N, 1, H, W), 1 where nothing of the original is left, as far as that is known; there nothing is held
            back.
        mend: what the network would add to such a picture with such a mask, and the scale of a Laplace
            distribution around the sum, (N, 3, h, w) each.
        passes: how often to halve the sides; 0 adds nothing.

    Returns:
        (N, 3, H, W), float32.
    """
    if not passes:
        return torch.zeros_like(picture)
    small, small_lost = F.avg_pool2d(_even(picture), 2), F.max_pool2d(_even(lost), 2)
    smaller = added_in_small(small, small_lost, mend, passes - 1)
    change, scale = mend(small + smaller, small_lost)
    added = smaller + _beyond(_DOUBT * scale.amax(1, keepdim=True), change, small_lost)
    few = torch.full_like(small_lost, _FEW_LEVELS)
    large = F.interpolate(_beyond(few, added, small_lost), scale_factor=2, mode="bicubic")
    return large[:, :, : picture.shape[2], : picture.shape[3]]


def _beyond(least: Tensor, change: Tensor, lost: Tensor) -> Tensor:
    """What is left of a change if so much of it is held back, (N, 1, h, w), by the same share in all channels."""
    most = change.abs().amax(1, keepdim=True)
    share = (most - least).clamp(min=0) / most.clamp(min=1e-6)
    return change * torch.maximum(share, lost)


def _even(picture: Tensor) -> Tensor:
    """Extended at the bottom and the right, so that half of a side is a multiple of `_LEAST_SIDE`."""
    height, width = picture.shape[2:]
    missing = (0, -width % (2 * _LEAST_SIDE), 0, -height % (2 * _LEAST_SIDE))
    return F.pad(picture, missing, mode="replicate") if any(missing) else picture
