"""What makes intervals of predicted scales, and how it is kept in a weight file."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from artrestore.errors import WeightsError

Array: TypeAlias = npt.NDArray[Any]
COVERAGE = 0.9
CONFIDENCE = 0.9

_Share = Annotated[float, Field(gt=0, lt=1)]
_Positive = Annotated[float, Field(gt=0)]
_Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class Calibration:
    """Factors on predicted scales, by how badly damaged a picture is thought to be, and where they come from.

    Pictures are grouped by their own mean scale, which needs no truth: `thresholds` part the groups, and one that
    lies on a threshold belongs above it.

    Attributes:
        factors: half of an interval's width, in scales; one for each group.
        thresholds: mean scales between the groups, rising.
        coverage: share of a picture's values that the intervals hold, on average over the pictures of a group.
        confidence: probability that they do, over draws of the pictures it was found on; for each group by itself.
        counts: damaged pictures of each group that it was found on.
        pictures: different clear pictures among them.
        temperature: standard deviation of the noise with which drawn restorations vary as they should.
        source: what those pictures are, in words.
        digest: a hash of their names and of what damaged them.
    """

    factors: Annotated[tuple[_Positive, ...], Field(min_length=1)]
    thresholds: tuple[_Positive, ...] = ()
    coverage: _Share = COVERAGE
    confidence: _Share = CONFIDENCE
    counts: tuple[_Count, ...]
    pictures: _Count
    temperature: Annotated[float, Field(ge=0)] = 1.0
    source: str = ""
    digest: str = ""

    @model_validator(mode="after")
    def _groups_agree(self) -> Self:
        if not len(self.factors) == len(self.counts) == len(self.thresholds) + 1:
            raise ValueError("factors, counts and thresholds are not of the same groups")
        if sorted(set(self.thresholds)) != list(self.thresholds):
            raise ValueError("the thresholds do not rise")
        return self

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Self:
        """What a weight file's header says.

        Raises:
            WeightsError: it says something else or nonsense; `details` names each fault.
        """
        try:
            return cls(**header)
        except (ValidationError, TypeError) as error:
            faults = error.errors() if isinstance(error, ValidationError) else []
            raise WeightsError(
                "The calibration in the weight file cannot be used",
                hint="Make another: artrestore calibrate --help",
                details=[f"{'.'.join(map(str, e['loc'])) or 'calibration'}: {e['msg']}" for e in faults],
            ) from error

    def as_header(self) -> dict[str, Any]:
        """What goes into a weight file's header: plain JSON."""
        fields: dict[str, Any] = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}

    def group(self, mean_scale: float) -> int:
        """The group of a picture by the mean of its scales."""
        return int(np.searchsorted(self.thresholds, mean_scale, side="right"))

    def factor(self, mean_scale: float) -> float:
        """The factor for a picture by the mean of its scales."""
        return self.factors[self.group(mean_scale)]

    def half_width(
        self, scale: Array, level: float | None = None, *, mean_scale: float | None = None
    ) -> npt.NDArray[np.float32]:
        """Half-widths of the intervals around means: scales (3, H, W) -> the same, in [0, 1].

        Args:
            scale: of a whole picture; or of some of its rows, if `mean_scale` is given.
            level: in (0, 1); None: that of the intervals that the promise is for. Other intervals stand to them as
                they would in a Laplace distribution; nothing is promised of them.
            mean_scale: the mean of the whole picture's scales, which tells its group.
        """
        whole = float(np.mean(scale, dtype=np.float64)) if mean_scale is None else mean_scale
        ratio = 1.0 if level is None else laplace_factor(level) / laplace_factor(self.coverage)
        return np.clip(self.factor(whole) * ratio * scale, 0, 1).astype(np.float32)


def laplace_factor(level: float) -> float:
    """Half the width, in scales, of the interval that holds a share `level` < 1 of a Laplace distribution."""
    return -math.log(1 - level)
