"""What a network answers to a request, tile by tile."""

from dataclasses import dataclass

import torch
from torch import Tensor

from artrestore.models.base import RestorationModel, Surroundings
from artrestore.models.noise import NoiseField
from artrestore.restoration.request import Request
from artrestore.tiling import Corner


@dataclass(frozen=True)
class Answer:
    """Runs a network as a request asks for; temperature is that of the draws."""

    model: RestorationModel
    request: Request
    temperature: float

    def __call__(self, tiles: Tensor, around: Surroundings | None, corners: list[Corner]) -> Tensor:
        """Tiles (N, 3, h, w) -> (N, 3, h, w), and the scale behind it if the interval is asked for."""
        if not self.request.interval:
            return self._restored(None, tiles, around, corners)
        mean, scale = self.model.quantify(tiles, around)
        return torch.cat([self._restored(mean, tiles, around, corners), scale], dim=1)

    def _restored(
        self, mean: Tensor | None, tiles: Tensor, around: Surroundings | None, corners: list[Corner]
    ) -> Tensor:
        request = self.request
        if request.draw is not None:
            return self._draw(request.draw, tiles, around, corners)
        if request.average:  # of tiles, which blends to the average of the pictures
            total = torch.zeros_like(tiles)
            for index in range(request.average):
                total += self._draw(index, tiles, around, corners) / request.average
            return total
        if mean is None:
            mean = self.model(tiles, around)
        if request.creativity is None:
            return mean
        return mean + request.creativity * (self._draw(0, tiles, around, corners) - mean)

    def _draw(self, index: int, tiles: Tensor, around: Surroundings | None, corners: list[Corner]) -> Tensor:
        field = NoiseField(
            shape=self.model.noise_shape, seed=self.request.seed, index=index, temperature=self.temperature
        )
        noise = field.cut(corners, (tiles.shape[2], tiles.shape[3]))
        return self.model.draw(tiles, [values.to(tiles.device) for values in noise], around).float()
