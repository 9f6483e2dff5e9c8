"""Finding the factors of a calibration on damaged pictures whose truth is known.

Risk-controlling prediction sets (Bates et al. 2021, arXiv 2101.02703), as Angelopoulos et al. (2022, arXiv
2202.05265) use them for pictures: the loss of a picture is the share of its values outside their intervals, and
the intervals are the smallest ones for which the mean loss is bounded. Added here: several damaged versions of one
clear picture count for fewer than as many pictures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, rel_entr

from artrestore.errors import InputError
from artrestore.uncertainty.calibration import CONFIDENCE, COVERAGE, Array, Calibration, laplace_factor

# Factors that are tried: the one of a Laplace distribution, and others 1 % apart, down to 0.12 and up to 900.
FACTORS: npt.NDArray[np.float64] = laplace_factor(COVERAGE) * 1.01 ** np.arange(-300.0, 601.0)
_UNCALIBRATED = 300  # the index of the Laplace distribution's own
_MOST_GROUPS = 3
_FOLDS = 5
# The bound asks 100 pictures to cover 95.8 % for a promise of 90 %; with fewer, intervals become too wide.
LEAST_PER_GROUP = 100


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What calibration needs to know of one damaged picture whose truth is known.

    Attributes:
        picture: which clear picture it was; several damaged ones may have been the same.
        scale: the mean of its scales.
        missed: for each of `FACTORS`, the share of its values outside mean ± factor * scale, (len(FACTORS),).
    """

    picture: str
    scale: float
    missed: npt.NDArray[np.float32]


def measure_misses(truth: Array, mean: Array, scale: Array, *, picture: str) -> Measured:
    """Compare a restoration with the truth, (3, H, W) each; `picture` names the clear one."""
    ratio = np.abs(truth - mean, dtype=np.float64) / scale
    first = np.searchsorted(FACTORS, ratio.ravel())  # the first factor that takes the truth in
    held = np.cumsum(np.bincount(first, minlength=len(FACTORS) + 1)[:-1]) / ratio.size
    return Measured(
        picture=picture, scale=float(scale.mean(dtype=np.float64)), missed=(1 - held).astype(np.float32)
    )


def calibrate(measured: Sequence[Measured], *, source: str = "", digest: str = "") -> Calibration:
    """Find the factors; as many groups as there are enough pictures for, at most three, of equal size.

    Args:
        measured: damaged pictures, drawn as those will be that the promise is for.
        source: see `Calibration`.
        digest: see `Calibration`.

    Raises:
        InputError: there are too few of them, or no interval holds what is asked for.
    """
    scales = np.array([each.scale for each in measured])
    for groups in range(_MOST_GROUPS if len(measured) >= LEAST_PER_GROUP else 1, 0, -1):
        thresholds = np.quantile(scales, np.arange(1, groups) / groups) if groups > 1 else np.array([])
        places = np.searchsorted(thresholds, scales, side="right")
        parts = [
            [each for each, place in zip(measured, places, strict=True) if place == group]
            for group in range(groups)
        ]
        if groups > 1 and min(map(len, parts)) < LEAST_PER_GROUP:
            continue
        factors = [find_factor(part) for part in parts]
        found = [factor for factor in factors if factor is not None]
        if len(found) == groups:
            return Calibration(
                factors=tuple(found), thresholds=tuple(thresholds.tolist()), counts=tuple(map(len, parts)),
                pictures=len({each.picture for each in measured}), source=source, digest=digest,
            )  # fmt: skip
    raise _too_few(measured)


def find_factor(
    measured: Sequence[Measured], *, coverage: float = COVERAGE, confidence: float = CONFIDENCE
) -> float | None:
    """The smallest of `FACTORS` for which, as for all larger ones, the missed share is bounded by 1 - coverage.

    Going down from the largest keeps the promise for the one at which it stops, although many are tried, because
    the missed share only grows on the way (Bates et al. 2021). None if not even the largest will do.
    """
    if not measured:
        return None
    missed = np.stack([each.missed for each in measured]).astype(np.float64)
    pictures = np.unique([each.picture for each in measured], return_inverse=True)[1]
    found = None
    for factor, losses in zip(FACTORS[::-1], missed.T[::-1], strict=True):
        count = effective_count(losses, pictures)
        if tail_bound(float(losses.mean()), count, 1 - coverage) > 1 - confidence:
            break
        found = float(factor)
    return found


def tail_bound(risk: float, count: int, limit: float) -> float:
    """How probable so low a mean of losses is at most, if its expectation is above `limit`: Hoeffding and Bentkus.

    The smaller one of exp(-count KL(risk, limit)) and e P(Bin(count, limit) <= ceil(count risk)). Their upper
    bound of the expectation at a confidence is below `limit` just where this is below 1 - confidence.

    Args:
        risk: mean of independent losses in [0, 1].
        count: of the losses.
        limit: in (0, 1).
    """
    if count < 1 or risk >= limit:
        return 1.0
    hoeffding = math.exp(-count * float(rel_entr(risk, limit) + rel_entr(1 - risk, 1 - limit)))
    bentkus = math.e * float(bdtr(math.ceil(count * risk), count, limit))
    return min(hoeffding, bentkus, 1.0)


def effective_count(losses: Array, pictures: npt.NDArray[np.int_]) -> int:
    """How many independent losses these are worth, where several belong to the same clear picture.

    Their number over the design effect 1 + (m - 1) rho: m losses of a picture, and rho the correlation between
    them, from an analysis of variance (Kish 1965, Survey Sampling). It is their number if every loss has a picture
    of its own, and the number of pictures if those of one picture are all the same. Between the two it is an
    estimate, and the promise as good as it is.

    Args:
        losses: (N,).
        pictures: (N,), the number of each one's picture, from 0.
    """
    sizes = np.bincount(pictures)
    count, groups = len(losses), len(sizes)
    if groups in (1, count):
        return groups
    means = np.bincount(pictures, losses) / sizes
    between = float(sizes @ np.square(means - losses.mean())) / (groups - 1)
    within = float(np.square(losses - means[pictures]).sum()) / (count - groups)
    typical = (count - sizes @ sizes / count) / (groups - 1)
    total = between + (typical - 1) * within
    rho = float(np.clip((between - within) / total, 0, 1)) if total > 0 else 0.0
    return int(count / (1 + (sizes @ sizes / count - 1) * rho))


def least_count(coverage: float = COVERAGE, confidence: float = CONFIDENCE) -> int:
    """The fewest pictures that can be calibrated on: then all of them must be wholly covered."""
    return math.ceil(math.log(1 - confidence) / math.log(coverage))


def _too_few(measured: Sequence[Measured]) -> InputError:
    pictures, least = len({each.picture for each in measured}), least_count()
    return InputError(
        f"{len(measured)} damaged versions of {pictures} clear pictures are too few to calibrate on",
        hint=f"{least} different pictures are the least, if errors are small; "
        f"{LEAST_PER_GROUP} give useful intervals, {_MOST_GROUPS * LEAST_PER_GROUP} or more good ones.",
    )


@dataclass(frozen=True, kw_only=True)
class GroupCheck:
    """How a group's intervals did on pictures that they were not calibrated on.

    Attributes:
        count: damaged pictures in the group.
        scale: the mean of their scales.
        factor: of the calibration.
        before: share of values that the Laplace distribution's own intervals hold.
        after: share that calibrated ones hold; None if what is left beside a fifth of the pictures is too few.
    """

    count: int
    scale: float
    factor: float
    before: float
    after: float | None


def check_groups(measured: Sequence[Measured], calibration: Calibration) -> list[GroupCheck]:
    """Look at each fifth of the pictures with factors found on the others; the groups stay as they are.

    Versions of one clear picture fall in the same fifth.
    """
    names = sorted({each.picture for each in measured})
    fold = {name: index % _FOLDS for index, name in enumerate(np.random.default_rng(0).permutation(names))}
    checks = []
    for group, factor in enumerate(calibration.factors):
        members = [each for each in measured if calibration.group(each.scale) == group]
        folds = [[each for each in members if fold[each.picture] == index] for index in range(_FOLDS)]
        before = 1 - float(np.mean([each.missed[_UNCALIBRATED] for each in members]))
        checks.append(
            GroupCheck(
                count=len(members), scale=float(np.mean([each.scale for each in members])), factor=factor,
                before=before, after=_crossed(folds),
            )
        )  # fmt: skip
    return checks


def _crossed(folds: Sequence[Sequence[Measured]]) -> float | None:
    """The share that each fold's intervals hold, with the factor of the others."""
    missed: list[float] = []
    for fold in folds:
        factor = find_factor([each for other in folds if other is not fold for each in other])
        if factor is None:
            return None
        index = int(np.searchsorted(FACTORS, factor))
        missed += [float(each.missed[index]) for each in fold]
    return 1 - float(np.mean(missed))
