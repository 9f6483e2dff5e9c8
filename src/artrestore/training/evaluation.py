"""Measuring and drawing the network on held-out pictures while it trains."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from artrestore.metrics import peak_signal_noise_ratio, structural_similarity
from artrestore.models.base import RestorationModel, Surroundings
from artrestore.models.layers import DiagonalGaussian
from artrestore.reporting.grids import save_grid
from artrestore.training.cropping import Cropping
from artrestore.training.data import load_crops
from artrestore.training.pairs import PicturePair
from artrestore.training.run_folder import RunFolder

_BATCH = 16
_DRAWN = 8
_SAMPLES = 16
_MOST_PSNR = 60.0


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Mean PSNR in dB and SSIM over the held-out crops: of the restored ones, and of what was given.

    And how many units of the latent vector are in use; None if the network has no such vector.
    """

    psnr: float
    ssim: float
    psnr_given: float
    ssim_given: float
    active_units: int | None = None


class Evaluator:
    """Holds the crops it measures, the same ones every time.

    Args:
        model: measured in float32, by its posterior mean.
        held_out: pairs to measure; if there are none, nothing is measured.
        cropping: how crops are made of them.
        drawn_instead: pairs to draw if none are held out.
    """

    def __init__(
        self,
        model: RestorationModel,
        held_out: Sequence[PicturePair],
        cropping: Cropping,
        *,
        drawn_instead: Sequence[PicturePair],
    ) -> None:
        self.model = model
        self.measures = bool(held_out)
        self.given, self.clear, self.around = load_crops(held_out or drawn_instead[:_DRAWN], cropping)
        self.before = _mean_quality(self.clear, self.given) if self.measures else (0.0, 0.0)

    def evaluate(self) -> Evaluation | None:
        """Measure the model as it is; None if nothing is held out."""
        if not self.measures:
            return None
        psnr, ssim = _mean_quality(self.clear, self._restore())
        return Evaluation(
            psnr=psnr, ssim=ssim, psnr_given=self.before[0], ssim_given=self.before[1],
            active_units=None if self.model.latent_dim is None else self._active_units(),
        )  # fmt: skip

    def draw(self, folder: RunFolder, stage: str, epoch: int) -> None:
        """Write a grid of given | restored | clear and, if the model can generate, one of samples.

        Raises:
            OutputError: a file cannot be written.
        """
        given, clear = self.given[:_DRAWN], self.clear[:_DRAWN]
        rows = torch.stack([given, self._restore(_DRAWN), clear], dim=1).flatten(0, 1)
        save_grid(folder.grid("reconstructions", stage, epoch), rows, columns=3)
        if self.model.spec.can_sample:
            generator = torch.Generator().manual_seed(0)
            with _evaluating(self.model):
                samples = self.model.sample(_SAMPLES, temperature=1.0, generator=generator)
            save_grid(folder.grid("samples", stage, epoch), samples, columns=4)

    def _restore(self, count: int | None = None) -> Tensor:
        """The first `count` crops restored; None: all."""
        device = next(self.model.parameters()).device
        restored = []
        with _evaluating(self.model):
            for part in _parts(len(self.given[:count])):
                around = self.around and Surroundings(*(values[part].to(device) for values in self.around))
                restored.append(self.model(self.given[part].to(device), around).float().cpu())
        return torch.cat(restored)

    def _active_units(self) -> int:
        """Units of the latent vector that vary with the crop."""
        device = next(self.model.parameters()).device
        with _evaluating(self.model):
            posteriors = [self.model.infer(self.given[part].to(device)) for part in _parts(len(self.given))]
        return DiagonalGaussian.joined(posteriors).active_units()


def _parts(total: int) -> Iterator[slice]:
    return (slice(start, min(total, start + _BATCH)) for start in range(0, total, _BATCH))


@contextlib.contextmanager
def _evaluating(model: RestorationModel) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def _held(psnr: float) -> float:
    # Equal pictures have an infinite PSNR, which would hide all others in a mean. NaN stays NaN.
    return _MOST_PSNR if psnr > _MOST_PSNR else psnr


def _mean_quality(clear: Tensor, other: Tensor) -> tuple[float, float]:
    pairs = list(zip(clear.numpy(), other.numpy(), strict=True))
    psnr = [_held(peak_signal_noise_ratio(x, y, data_range=1.0)) for x, y in pairs]
    ssim = [structural_similarity(x, y, data_range=1.0) for x, y in pairs]
    return sum(psnr) / len(pairs), sum(ssim) / len(pairs)
