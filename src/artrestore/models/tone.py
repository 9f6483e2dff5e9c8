"""Tone is global: a small network reads the whole picture's thumbnail and corrects colours smoothly.

Fading, varnish, casts and uneven light cannot be judged from a tile. What is read here is the same for every tile
of a picture, so tiles cannot disagree about it. The correction is a coarse grid of colour transforms, as in HDRNet
(Gharbi et al. 2017), each a quadratic polynomial of the pixel, interpolated over the picture. It begins at zero.

First do no harm: the smaller a correction is, the less it is to be trusted, and the more there is to lose. Of one
that changes a picture by m (RMS) the share 1 / (1 + (s / m)^2n) is taken, a threshold at s with the shape of a
Butterworth filter of order n; s^2 is a constant plus the square of what is expected to stay wrong. Without it,
corrections of two levels cost undamaged pictures more than others gained. In training it is softer, since there a
correction has to learn from what is not taken too.

Outside training a thumbnail is read from eight sides, turned and mirrored, and what was read is averaged (the
geometric self-ensemble of Timofte et al. 2016). So a picture that is turned is corrected as before; and fewer
sound colours are taken for faded, since there the eight mostly disagree.

How wrong a correction may be, only whole pictures tell, so that is learned here too, beside the correction, which
learns nothing from it: a global latent, which varies it, and the scale of a Laplace distribution around it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise, product
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from artrestore.losses import SHARP, charbonnier, crps_of_two, laplace_nll, log_charbonnier
from artrestore.models.blocks import zero_initialised
from artrestore.models.scale import LOG_SCALES

_WIDTHS = (32, 48, 64, 96)
# With a sharp kink at zero, colours that are right already would keep the correction from beginning.
_ERROR_EPS = 0.05
_SLOPE = 0.1  # below zero: with none, whole layers died in training, and the network with them
# s^2 = the one squared + (the other b)^2, and n; chosen on damaged thumbnails of pictures that nothing was learned
# from. In training also the least share: with none, a correction of zero would have no gradient to begin by.
_LEAST_DOUBT, _CAUTION, _ORDER = 0.02, 1.2, 6
_TRAINING_ORDER, _LEAST_SHARE = 2, 0.01
_PLENTY = 1e4  # of m^2 / s^2
_TAKEN_WEIGHT = 0.01  # of the log of errors; the slope where nothing is wrong is then about that of the errors
_NLL_WEIGHT = 0.02
_BEGINNING = -3.0  # of the log scale; that of a picture with wrong tone
_SIDES = tuple(product((False, True), ((), (2,), (3,), (2, 3))))  # transposed or not, flipped along
_TERMS = 7  # of the polynomial: 1, r, g, b, r^2, g^2, b^2


class Tone(NamedTuple):
    """What is known of the tone of whole pictures, in float32.

    Attributes:
        context: (N, D), which describes them.
        local: features of their parts, (N, 64, grid, grid).
        small: the pictures themselves, (N, 3, 32, 32).
        log_scale: of a Laplace distribution around their corrected values, (N, 3, grid, grid).
    """

    context: Tensor
    local: Tensor
    small: Tensor
    log_scale: Tensor


class ToneNetwork(nn.Module):
    """Thumbnail (N, 3, 128, 128) -> its tone, and from that the grid of colour transforms.

    Args:
        context: D.
        grid: cells of the grid along a side; at most 8.
        noise: channels of the global latent, which varies the grid and nothing else.
    """

    def __init__(self, context: int, grid: int, noise: int) -> None:
        super().__init__()
        self.grid = grid
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise((3, *_WIDTHS)))
        self.context = nn.Sequential(
            nn.Linear(2 * _WIDTHS[-1], context), nn.LeakyReLU(_SLOPE), nn.Linear(context, context)
        )
        self.local = nn.Conv2d(_WIDTHS[-1], 64, 3, padding=1)
        self.from_context = nn.Linear(context, 64)
        self.transforms = zero_initialised(nn.Conv2d(64, 3 * _TERMS, 1))
        self.noise = ContextNoise(context, noise)
        self.doubt = nn.Sequential(
            nn.Conv2d(context + 64, 64, 1), nn.LeakyReLU(_SLOPE), zero_initialised(nn.Conv2d(64, 3, 1))
        )

    def forward(self, small: Tensor) -> Tone:
        """Read a thumbnail: in training as it lies, else from eight sides."""
        if self.training:
            context, local = self._read(small)
        else:
            read = self._read(torch.cat([_view(small, *side) for side in _SIDES]))
            contexts, parts = (features.chunk(len(_SIDES)) for features in read)
            context = torch.stack(contexts).mean(0)
            turned_back = [_view_back(part, *side) for part, side in zip(parts, _SIDES, strict=True)]
            local = torch.stack(turned_back).mean(0)
        return Tone(context, local, F.avg_pool2d(small.float(), 4), self._log_scale(context, local))

    def _read(self, small: Tensor) -> tuple[Tensor, Tensor]:
        """The context and the features of the parts."""
        h = 4 * (small - 0.5)
        for convolution in self.down:
            h = F.leaky_relu(convolution(h), _SLOPE)
        pooled = torch.cat([h.mean((2, 3)), h.amax((2, 3))], dim=1)
        context = self.context(pooled)
        local = F.adaptive_avg_pool2d(self.local(h), self.grid)
        return context.float(), local.float()

    def correct(self, picture: Tensor, place: Tensor, tone: Tone) -> Tensor:
        """Add the correction to a tile, in float32 whatever the rest of the network runs in.

        Args:
            picture: (N, 3, H, W), float32.
            place: (N, 4), the tile's top, left, bottom and right in its picture, as fractions of its sides.
            tone: of their pictures, from `forward`.
        """
        with torch.autocast(picture.device.type, enabled=False):
            return picture + self._share(tone) * self._change(picture, place, tone)

    def varied(self, tone: Tone, eps: Tensor) -> Tone:
        """What else the tone may be, by values (N, noise) of the global latent."""
        return tone._replace(context=self.noise(tone.context, eps))

    def log_scale(self, place: Tensor, tone: Tone, size: Sequence[int]) -> Tensor:
        """The logarithm of a Laplace distribution's scale around the corrected values of a tile.

        Args:
            place: see `correct`.
            tone: of their pictures.
            size: H and W.

        Returns:
            (N, 3, H, W), float32.
        """
        return self._at_pixels(tone.log_scale, place, size)

    def _log_scale(self, context: Tensor, local: Tensor) -> Tensor:
        """Read from what the correction is made of, which does not learn from it."""
        everywhere = context.detach()[:, :, None, None].expand(-1, -1, self.grid, self.grid)
        read = self.doubt(torch.cat([everywhere, local.detach()], dim=1))
        scale: Tensor = (read.float() + _BEGINNING).clamp(*LOG_SCALES)
        return scale

    def keep(self) -> None:
        """From now on correct nothing, whatever the global latent says."""
        zero_initialised(self.transforms)

    def loss(self, damaged: Tensor, clear: Tensor, small: Tensor, place: Tensor) -> dict[str, Tensor]:
        """Of tiles at half their sides, which tells as much.

        Of the correction two losses at once. Charbonnier's of all of it lets it begin. The log of that of the
        share that is taken, sharply bent, weighs what is right against what is ruined; it has no slope until a
        correction is large enough to be taken. Of what varies it the CRPS of two samples, of the scale the
        likelihood.

        Args:
            damaged: (N, 3, H, W).
            clear: the same.
            small: thumbnails of their pictures.
            place: see `correct`.
        """
        tone, damaged, clear = self(small), F.avg_pool2d(damaged, 2), F.avg_pool2d(clear, 2)
        with torch.autocast(damaged.device.type, enabled=False):
            change = self._change(damaged, place, tone)
            mean = damaged + self._share(tone) * change
            taken = log_charbonnier(mean, clear, SHARP)
            known = Tone(*(part.detach() for part in tone))
            with _held(self.from_context, self.transforms):
                first, second = (self.correct(damaged, place, self._sample(known)) for _ in range(2))
            nll = laplace_nll(clear, mean.detach(), self.log_scale(place, tone, clear.shape[2:]))
        error = charbonnier(damaged + change, clear, _ERROR_EPS).mean()
        crps = crps_of_two(first, second, clear)
        loss = error + _TAKEN_WEIGHT * taken + crps + _NLL_WEIGHT * nll
        return {"loss": loss, "reconstruction": error, "crps": crps, "nll": nll}

    def _sample(self, tone: Tone) -> Tone:
        eps = torch.randn(len(tone.context), self.noise.channels, device=tone.context.device)
        return self.varied(tone, eps)

    def _share(self, tone: Tone) -> Tensor:
        """How much of the correction is taken, the same for all tiles of a picture: (N, 1, 1, 1)."""
        everywhere = tone.small.new_tensor([0.0, 0.0, 1.0, 1.0]).expand(len(tone.small), 4)
        signal = self._change(tone.small, everywhere, tone).square().mean((1, 2, 3), keepdim=True)
        expected = _CAUTION * tone.log_scale.detach().exp().mean((1, 2, 3), keepdim=True)
        order, least = (_TRAINING_ORDER, _LEAST_SHARE) if self.training else (_ORDER, 0.0)
        # Far above the threshold all is taken; there the power would overflow, and infinity over itself is NaN.
        ratio = (signal / (_LEAST_DOUBT**2 + expected.square())).clamp(max=_PLENTY).pow(order)
        share: Tensor = (ratio + least) / (ratio + 1)
        return share

    def _change(self, picture: Tensor, place: Tensor, tone: Tone) -> Tensor:
        features = tone.local + self.from_context(tone.context)[:, :, None, None]
        at_pixels = self._at_pixels(self.transforms(F.leaky_relu(features, _SLOPE)), place, picture.shape[2:])
        centred = picture - 0.5
        terms = torch.cat([torch.ones_like(picture[:, :1]), centred, centred.square()], dim=1)
        change: Tensor = (at_pixels.unflatten(1, (3, _TERMS)) * terms[:, None]).sum(2)
        return change

    def _at_pixels(self, grid: Tensor, place: Tensor, size: Sequence[int]) -> Tensor:
        """(N, C, grid, grid), of whole pictures, at the pixels of tiles: (N, C, H, W)."""
        rows = _spline(place[:, 0], place[:, 2], size[0], self.grid)
        columns = _spline(place[:, 1], place[:, 3], size[1], self.grid)
        return torch.einsum("nchj,nwj->nchw", torch.einsum("ncij,nhi->nchj", grid, rows), columns)


class ContextNoise(nn.Module):
    """The global latent: context + W(U(context) * V(eps)), which for eps = 0 is the context itself."""

    def __init__(self, context: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.scale = nn.Linear(context, context)
        self.direction = nn.Linear(channels, context, bias=False)
        self.out = nn.Linear(context, context, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, context: Tensor, eps: Tensor) -> Tensor:
        """(N, D) and eps (N, C) -> (N, D), in float32."""
        with torch.autocast(context.device.type, enabled=False):
            varied: Tensor = context + self.out(self.scale(context) * self.direction(eps.to(context)))
        return varied


@contextmanager
def _held(*modules: nn.Module) -> Iterator[None]:
    """Here these take part and learn nothing."""
    learning = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def _view(pictures: Tensor, transposed: bool, flipped: tuple[int, ...]) -> Tensor:
    """(N, C, S, S) as they are seen from a side."""
    pictures = pictures.flip(flipped)
    return pictures.mT if transposed else pictures


def _view_back(pictures: Tensor, transposed: bool, flipped: tuple[int, ...]) -> Tensor:
    """The inverse of `_view`."""
    return (pictures.mT if transposed else pictures).flip(flipped)


def _spline(start: Tensor, stop: Tensor, length: int, cells: int) -> Tensor:
    """Weights of the cells at each pixel of a side: quadratic B-splines, (N, length, cells), summing to 1."""
    steps = (torch.arange(length, device=start.device) + 0.5) / length
    at = start[:, None] + steps * (stop - start)[:, None]
    position = (at * cells - 0.5).clamp(0, cells - 1)
    distance = (position[:, :, None] - torch.arange(cells, device=start.device)).abs()
    weights = torch.where(distance < 0.5, 0.75 - distance.square(), 0.5 * (1.5 - distance).clamp(min=0).square())
    return weights / weights.sum(2, keepdim=True)
