"""Comparing networks: the same damaged pictures through each, measured against the clear ones."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from artrestore.io.pictures import Array, read_rgb
from artrestore.matching import Match, match_folders, require_same_sizes
from artrestore.metrics import Metrics, measure, pooled_psnr, summarize
from artrestore.models.cost import multiply_adds_per_pixel
from artrestore.models.loading import LoadedModel
from artrestore.reporting.sheets import SheetRow, shrunk

SHEET_CELL = 256  # long side of a picture on the sheet, in pixels
_LEVELS = np.float32(255)
# A damaged picture, RGB float32 in [0, 1], (3, H, W), to a restored one.
Restore: TypeAlias = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a network without running it.

    Attributes:
        parameters: values that are trained, of what restoring needs.
        multiply_adds: for each pixel of a tile.
        trained_seconds: of the run that made the weights, and of those it began from; None: not recorded.
        trained_pictures: clear pictures that the last of these learnt from; None: not recorded.
        data_digest: the same for two networks that learnt from the same pictures; empty: not recorded.
        record: of the training, as the weight file has it.
    """

    architecture: str
    parameters: int
    multiply_adds: float
    trained_seconds: float | None
    trained_pictures: int | None
    data_digest: str
    record: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A network under the name that it is shown by, and how it restores a picture."""

    name: str
    weights: Path
    facts: Facts
    restore: Restore


@dataclass(kw_only=True)
class Result:
    """What a contender made of all pictures; the damaged pictures themselves have no contender.

    Attributes:
        metrics: of each picture.
        seconds: for a megapixel, of each picture.
    """

    name: str
    contender: Contender | None = None
    metrics: list[Metrics] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def seconds_per_megapixel(self) -> float | None:
        """The median over the pictures; None of the damaged ones."""
        return statistics.median(self.seconds) if self.seconds else None

    def as_row(self) -> dict[str, Any]:
        """The result as one flat row of a table; what the damaged pictures do not have is empty."""
        row: dict[str, Any] = {"name": self.name, "architecture": "", "pictures": len(self.metrics)}
        for key, value in summarize(self.metrics).items():
            row |= {key: value.mean, f"{key}_std": value.std}
        row["pooled_psnr"] = pooled_psnr(self.metrics)
        if self.contender is None:
            return row
        facts = asdict(self.contender.facts)
        del facts["record"]
        return row | facts | {"seconds_per_megapixel": self.seconds_per_megapixel}


def facts_of(loaded: LoadedModel) -> Facts:
    """What a weight file tells of its network."""
    header, data = loaded.header, loaded.header.training.get("data", {})
    return Facts(
        architecture=header.architecture,
        parameters=loaded.model.parameter_count,
        multiply_adds=multiply_adds_per_pixel(header.architecture, header.config),
        trained_seconds=_seconds(header.training),
        trained_pictures=data.get("train_clear"),
        data_digest=data.get("digest", ""),
        record=header.training,
    )


def plan_comparison(damaged: Path, clear: Path) -> list[Match]:
    """Pair the folders by name and check that all sizes agree, before anything is restored.

    Raises:
        PairingError: a damaged picture has no clear one.
        InputError: a folder is missing or empty, or sizes differ.
    """
    matches = match_folders(damaged, clear)
    require_same_sizes((match.other, match.clear) for match in matches)
    return matches


class Comparison:
    """Restores pictures one by one with every contender, and gathers what comes out.

    Restored pictures are rounded to the 256 levels of a file, as those are that `score` measures.

    Args:
        contenders: in the order in which they are shown.
        matches: what `plan_comparison` returned.
        drawn: about how many pictures are kept, made small, for a contact sheet.
    """

    def __init__(self, contenders: Sequence[Contender], matches: Sequence[Match], *, drawn: int = 0) -> None:
        self.contenders = contenders
        self.matches = matches
        self.results = [Result(name="damaged"), *(Result(name=c.name, contender=c) for c in contenders)]
        self.rows: list[SheetRow] = []
        step = max(1.0, len(matches) / drawn) if drawn else 0.0
        self._drawn = {int(index * step) for index in range(min(len(matches), drawn))}

    @property
    def titles(self) -> list[str]:
        """Of the contact sheet's columns."""
        return [*(result.name for result in self.results), "clear"]

    def run(self) -> Iterator[Match]:
        """Work through the pictures, and yield each when it is done.

        Each contender first restores the first picture once untimed, to warm up.

        Raises:
            PictureError: one cannot be read, restored or measured.
        """
        for index, match in enumerate(self.matches):
            damaged, clear = read_rgb(match.other), read_rgb(match.clear)
            shown = [damaged]
            self.results[0].metrics.append(measure(clear, damaged))
            for contender, result in zip(self.contenders, self.results[1:], strict=True):
                if index == 0:
                    contender.restore(damaged)
                restored = self._timed(contender, damaged, result)
                result.metrics.append(measure(clear, restored))
                shown.append(restored)
            if index in self._drawn:
                small = [shrunk(picture, SHEET_CELL) for picture in (*shown, clear)]
                self.rows.append(SheetRow(pictures=small, caption=self._caption(match)))
            yield match

    def _timed(self, contender: Contender, damaged: Array, result: Result) -> Array:
        began = time.perf_counter()
        restored = contender.restore(damaged)
        result.seconds.append(1e6 * (time.perf_counter() - began) / damaged[0].size)
        rounded: Array = np.rint(restored * _LEVELS) / _LEVELS
        return rounded

    def _caption(self, match: Match) -> str:
        figures = ", ".join(f"{result.name} {result.metrics[-1].psnr:.2f}" for result in self.results)
        return f"{match.name}: PSNR in dB: {figures}"

    def as_json(self) -> dict[str, Any]:
        """All figures: of each contender, with its training's record, and of each picture."""
        return {
            "pictures": len(self.results[0].metrics),
            "networks": [
                result.as_row()
                | ({"weights": str(c.weights), "record": c.facts.record} if (c := result.contender) else {})
                for result in self.results
            ],
            "by_picture": [
                {
                    "picture": str(match.name),
                    "clear": match.clear.name,
                    "metrics": {result.name: result.metrics[index].as_dict() for result in self.results},
                }
                for index, match in enumerate(self.matches[: len(self.results[0].metrics)])
            ],
        }


def _seconds(record: Mapping[str, Any]) -> float | None:
    """Time of the run that a record tells of, and of all before it."""
    if "seconds" not in record:
        return None
    return float(record["seconds"]) + (_seconds(record.get("began_from", {})) or 0.0)
