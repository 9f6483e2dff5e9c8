"""What is to be drawn, and where to."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from artrestore.errors import OutputError, UsageError
from artrestore.io.locations import real_path
from artrestore.reporting.animation import ANIMATED_SUFFIXES


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """What `artrestore sample` is asked for; without any of the last four, samples from the prior.

    Attributes:
        out: the grid, a PNG.
        separate: a folder for each picture on its own.
        animate: a WebP or GIF of a walk from picture to picture.
        distance: a folder of real pictures, from which the distance is told.
        count: how many pictures.
        seed: of the noise.
        temperature: standard deviation of the noise; None is 1, or as calibrated.
        posterior: of the density that is fitted to the encodings of `pictures`.
        spherical: ways between latent vectors are arcs, not straight lines.
        interpolate: the way from one picture's encoding to another's.
        reconstruct: a folder whose pictures are encoded and decoded.
        restore: a picture whose restorations are drawn.

    Raises:
        UsageError: what is asked for does not go together.
        OutputError: a picture that is read would be written over.
    """

    out: Path
    separate: Path | None = None
    animate: Path | None = None
    distance: Path | None = None
    count: int = 16
    seed: int = 0
    temperature: float | None = None
    spherical: bool = True
    posterior: Literal["gaussian", "mixture"] | None = None
    pictures: Path | None = None
    interpolate: tuple[Path, Path] | None = None
    reconstruct: Path | None = None
    restore: Path | None = None

    def __post_init__(self) -> None:
        if self.out.suffix.lower() != ".png":
            raise UsageError(
                f"The grid is a PNG, and {self.out} is not named so", hint=f"--out {self.out.with_suffix('.png')}"
            )
        if self.animate and self.animate.suffix.lower() not in ANIMATED_SUFFIXES:
            raise UsageError(
                f"Animations are WebP or GIF, and {self.animate} is not named so",
                hint=f"--animate {self.animate.with_suffix('.webp')}",
            )
        if self.count < 1 or not 0 <= (self.temperature or 0) < math.inf:
            raise UsageError("The number of samples must be at least 1 and the temperature finite, not negative")
        self._require_what_goes_together()
        if any(self._is_original(path) for path in self.files if path.exists()):
            raise OutputError(
                "An original would be written over, which never happens", hint="Name another output."
            )

    def _is_original(self, output: Path) -> bool:
        """Whether a file that is there is a picture that is read, or may be one."""
        files = (self.restore, *(self.interpolate or ()))
        folders = (self.pictures, self.reconstruct, self.distance)
        return real_path(output) in {real_path(path) for path in files if path} or any(
            real_path(output).is_relative_to(real_path(folder)) for folder in folders if folder
        )

    def _require_what_goes_together(self) -> None:
        modes = {
            "--from": self.restore, "--posterior": self.posterior, "--interpolate": self.interpolate,
            "--reconstruct": self.reconstruct,
        }  # fmt: skip
        asked = [name for name, value in modes.items() if value is not None]
        if len(asked) > 1:
            raise UsageError(f"{' and '.join(asked)} ask for different pictures", hint="Choose one.")
        if (self.posterior is None) != (self.pictures is None):
            raise UsageError(
                "--posterior and --pictures go together: a density is fitted to the encodings of a folder",
                hint="artrestore sample --posterior mixture --pictures clear/",
            )
        without = "--animate" if self.animate else "--distance" if self.distance else ""
        if without and (self.restore or self.reconstruct):
            raise UsageError(f"{without} is for samples, not for {asked[0]}", hint=f"Leave out {without}.")
        if self.distance and self.interpolate:
            raise UsageError("--distance is for samples, not for --interpolate", hint="Leave out --distance.")

    @property
    def singles(self) -> list[Path]:
        """A file for each picture, if they are wanted."""
        return [self.separate / f"sample-{i + 1:04d}.png" for i in range(self.count)] if self.separate else []

    @property
    def files(self) -> list[Path]:
        """All files that are written."""
        return [self.out, *self.singles, *([self.animate] if self.animate else [])]

    def in_words(self, count: int) -> str:
        """What was drawn."""
        if self.reconstruct:
            return f"{count} pairs of a picture and what is left of it, encoded and decoded,"
        if self.interpolate:
            return f"{count} pictures on the way from {self.interpolate[0]} to {self.interpolate[1]}"
        fitted = (
            f", drawn from a {self.posterior} fitted to the encodings of {self.pictures},"
            if self.posterior
            else ""
        )
        return f"{count} pictures{fitted}"
