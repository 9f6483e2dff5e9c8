"""How near samples come to real pictures: an energy distance on features made by hand.

This is not the FID or KID of papers, whose features are those of a network trained on a million photographs. The
features here are simple, the same for all, and computed in a second on any machine:

- layout: the picture averaged to 8 x 8 colours (192 values);
- texture: the logarithm of the mean absolute difference of neighbouring pixels, in both directions, at four
  scales, in each quarter of the picture (32 values).

So they see colours, their places, and how sharp or busy a picture is; they do not see what it shows. The distance
between the features of two sets is the energy distance (Szekely & Rizzo 2013): how much further, on average,
pictures of different sets are from each other than pictures of one set are. It has no parameter, and is zero for
two sets of the same sort only. Figures compare only with one another, on the same pictures. What "as good as real"
would be is told by two sets of real pictures: about zero.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from artrestore.errors import InputError

_CELLS = 8
_SCALES = (1, 2, 4, 8)
_FAINTEST = 1e-3
_LUMA = (0.299, 0.587, 0.114)


def features(pictures: Tensor) -> Tensor:
    """The features of (N, 3, S, S) in [0, 1]: (N, 224), float64. S is 32 at least."""
    layout = F.adaptive_avg_pool2d(pictures.double(), _CELLS).flatten(1)
    luma = torch.einsum("nchw,c->nhw", pictures.double(), torch.tensor(_LUMA, dtype=torch.float64))[:, None]
    textures = []
    for scale in _SCALES:
        small = F.avg_pool2d(luma, scale)
        for axis in (2, 3):
            busy = F.adaptive_avg_pool2d(small.diff(dim=axis).abs(), 2)
            textures.append(torch.log(busy + _FAINTEST).flatten(1))
    return torch.cat([layout, *textures], dim=1)


def energy_distance(real: Tensor, others: Tensor) -> float:
    """The distance of pictures (M, 3, S, S) from real ones (N, 3, S, S); about zero, or less, if they are alike.

    Each feature is measured in standard deviations of the real pictures', and layout and texture weigh the same.

    Raises:
        InputError: fewer than two pictures on a side.
    """
    if min(len(real), len(others)) < 2:
        raise InputError("A distance between two sets needs two pictures on either side", hint="Draw more: -n 64")
    x, y = features(real), features(others)
    centre, scale = x.mean(dim=0), x.std(dim=0).clamp(min=1e-6)
    layout = 3 * _CELLS**2
    weight = torch.ones(x.shape[1], dtype=x.dtype)
    weight[:layout] = (x.shape[1] / (2 * layout)) ** 0.5
    weight[layout:] = (x.shape[1] / (2 * (x.shape[1] - layout))) ** 0.5
    x, y = ((values - centre) / scale * weight / len(weight) ** 0.5 for values in (x, y))
    between, *within = torch.cdist(x, y).mean(), _mean_gap(x), _mean_gap(y)
    return float(2 * between - sum(within))


def _mean_gap(x: Tensor) -> Tensor:
    """Mean distance of two of (N, F), none from itself."""
    return torch.cdist(x, x).sum() / (len(x) * (len(x) - 1))


def real_distance(groups: list[Tensor]) -> float:
    """The distance between two halves of real pictures: every other group of squares, each of one picture.

    Raises:
        InputError: fewer than four pictures.
    """
    if len(groups) < 4:
        raise InputError(
            f"{len(groups)} real pictures are too few to measure a distance from",
            hint="Name a folder of four pictures at least; some hundreds tell more.",
        )
    return energy_distance(torch.cat(groups[::2]), torch.cat(groups[1::2]))
