"""What a network is given of a picture: a damaged crop, what it was, and what is known of its surroundings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from artrestore.models.base import Surroundings
from artrestore.training.batches import Batch, stack
from artrestore.training.crops import (
    Palette,
    Pixels,
    in_palette,
    middle_crop,
    mirrored,
    place_of,
    random_crop,
    random_part,
    recoloured,
    resize,
    square_thumbnail,
    varied_crop,
    varied_scene,
    varied_whole,
)
from artrestore.training.details import with_details
from artrestore.training.synthesis import Synthesis

Fit = Literal["crop", "resize", "thumbnail"]
_WHOLE = torch.tensor([0.0, 0.0, 1.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class Cropping:
    """How crops are made of pictures, uint8 (H, W, 3).

    Attributes:
        size: side of the crops in pixels.
        fit: `crop` takes squares at full resolution, `resize` whole pictures, `thumbnail` whole pictures as
            small as networks that see surroundings get them, damaged by what can be told from that alone.
        synthesis: how clear pictures are damaged; None: only pairs are there.
        surroundings: the network makes use of them.
        details: part of the crops that get fine details drawn over them before they are damaged.
        recolour: part of the clear pictures that are recoloured before they are damaged; of those made small as
            large a part goes towards another one's palette before that.
    """

    size: int
    fit: Fit = "crop"
    synthesis: Synthesis | None = None
    surroundings: bool = False
    details: float = 0.0
    recolour: float = 0.0

    @property
    def _in_a_scene(self) -> bool:
        """Whether crops come with the thumbnail of their picture, damaged like them."""
        return self.surroundings and self.fit == "crop"

    def random(
        self,
        given: Pixels | None,
        clear: Pixels,
        count: int,
        rng: np.random.Generator,
        palette: Palette | None = None,
    ) -> Batch:
        """Crops at random: of a pair, and, in part or if there is none, of the clear picture damaged anew.

        Where a palette is given, see `palette_of`, pictures made small go towards it before they are damaged.
        """
        synthesis, crops = self.synthesis, []
        for _ in range(count):
            if synthesis and (given is None or rng.random() < synthesis.share):
                picture = random_part(clear, self.size, rng) if self._in_a_scene else clear
                crops.append(self._damaged(picture, synthesis, rng, palette))
            else:
                crops.append(self._paired(_required(given), clear, rng))
        return stack(crops)

    def fixed(self, given: Pixels | None, clear: Pixels, number: int) -> Batch:
        """A crop to measure, the same one each time: a pair's middle, or one damaged by a generator of its own."""
        if given is None and self.synthesis:
            return self._damaged(clear, self.synthesis, np.random.default_rng(number))
        given = clear if given is None else given
        if self.fit != "crop":
            return self._whole(given, clear)
        (crop, place), (reference, _) = middle_crop(given, self.size), middle_crop(clear, self.size)
        return Batch(crop, reference, self._around(given, place))

    def _paired(self, given: Pixels, clear: Pixels, rng: np.random.Generator) -> Batch:
        given, clear = mirrored(given, clear, rng)
        if self.fit != "crop":
            return self._whole(given, clear)
        crop, reference, place = random_crop(given, clear, self.size, rng)
        return Batch(crop, reference, self._around(given, place))

    def _damaged(
        self, clear: Pixels, synthesis: Synthesis, rng: np.random.Generator, palette: Palette | None = None
    ) -> Batch:
        if self._in_a_scene:
            scene = varied_scene(clear, self.size, rng)
            small, pixels = self._recoloured([scene.small, scene.crop.permute(1, 2, 0).numpy()], rng)
            crop = self._detailed(torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), rng)
            damaged, thumbnail, lost = synthesis.damage_with_thumbnail(crop, scene.view, small, rng)
            around = Surroundings(thumbnail=thumbnail, place=place_of(scene.view), lost=lost)
            return Batch(damaged, crop, around)
        if self.fit == "thumbnail":
            part = varied_whole(clear, rng)
            if palette is not None:
                part = in_palette(part, palette, rng)
            (part,) = self._recoloured([part], rng)
            damaged, crop = synthesis.damage_small(part, rng), square_thumbnail(part)
        else:
            crop = resize(clear, self.size) if self.fit == "resize" else varied_crop(clear, self.size, rng)
            crop = self._detailed(crop, rng)
            damaged = synthesis.damage(crop, rng)
        return Batch(damaged, crop, self._around(damaged.permute(1, 2, 0).numpy(), _WHOLE))

    def _recoloured(self, pictures: Sequence[Pixels], rng: np.random.Generator) -> Sequence[Pixels]:
        """Recoloured, all alike, or left as they are."""
        return recoloured(pictures, rng) if self.recolour and rng.random() < self.recolour else pictures

    def _detailed(self, crop: Tensor, rng: np.random.Generator) -> Tensor:
        """A clear crop, uint8 (3, size, size), or, for some, one with fine details of its own."""
        if self.details and rng.random() < self.details:
            drawn = with_details(crop.permute(1, 2, 0).numpy(), rng)
            return torch.from_numpy(drawn).permute(2, 0, 1).contiguous()
        return crop

    def _whole(self, given: Pixels, clear: Pixels) -> Batch:
        if self.fit == "thumbnail":
            small, reference = square_thumbnail(given), square_thumbnail(clear)
        else:
            small, reference = resize(given, self.size), resize(clear, self.size)
        return Batch(small, reference, self._around(given, _WHOLE))

    def _around(self, given: Pixels, place: Tensor) -> Surroundings | None:
        """Of a crop of a damaged picture; nobody says what is lost in it."""
        if not self.surroundings:
            return None
        nothing_told = torch.zeros(1, self.size, self.size, dtype=torch.bool)
        return Surroundings(thumbnail=square_thumbnail(given), place=place, lost=nothing_told)


def _required(given: Pixels | None) -> Pixels:
    if given is None:
        raise ValueError("a picture without a distorted version needs a recipe")
    return given
