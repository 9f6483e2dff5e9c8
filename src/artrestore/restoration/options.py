"""What a batch restoration needs to know."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from artrestore.errors import UsageError
from artrestore.io.formats import SaveOptions
from artrestore.models.devices import Precision

_STRICT = ConfigDict(extra="forbid")
_Count = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
FileFormat: TypeAlias = Literal["bmp", "jp2", "jpeg", "png", "ppm", "tga", "tiff", "webp"]
MAX_PIXELS = 2_000_000_000


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class OutputOptions:
    """What is made of each picture.

    Attributes:
        uncertainty: write maps of the 90 % interval's half-width beside each output.
        changes: write a map of what was altered.
        samples: write so many plausible restorations.
        average: the output is the mean of so many plausible restorations; 0: the network's own mean.
        creativity: the output goes so far from the mean (0) towards a plausible restoration (1); None: the mean.
        seed: of the plausible restorations.
        strength: the output goes so far from the input (0) to its restoration (1).
        keep_unsure: where the half-width is more than this, in levels of 255, the input stays; None: nowhere.
        only_masked: outside the mask the input stays.
        keep_tone: the network leaves the tone of the whole picture as it is.
        format: of the outputs; None: that of each input.
        quality: of JPEG and lossy WebP outputs; None: the input's or better.
        bit_depth: bits a channel of the outputs; None: those of each input.
        strip_metadata: leave out what describes the picture; the colour profile and the resolution stay.
        provenance: note in each output what was done to it.
        max_pixels: larger pictures fail.
        keep_mtime: outputs have the time of modification of their inputs.

    Raises:
        UsageError: settings that contradict each other.
    """

    uncertainty: bool = False
    changes: bool = False
    samples: _Count = 0
    average: _Count = 0
    creativity: _Share | None = None
    seed: _Count = 0
    strength: _Share = 1.0
    keep_unsure: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    only_masked: bool = False
    keep_tone: bool = False
    format: FileFormat | None = None
    quality: Annotated[int, Field(ge=1, le=100)] | None = None
    bit_depth: Literal[8, 16] | None = None
    strip_metadata: bool = False
    provenance: bool = True
    max_pixels: Annotated[int, Field(ge=1)] = MAX_PIXELS
    keep_mtime: bool = False

    def __post_init__(self) -> None:
        if self.average and self.creativity is not None:
            raise UsageError(
                "Both --average and --creativity say what the output is",
                hint="Leave one of them out.",
            )

    @property
    def companions(self) -> tuple[str, ...]:
        """What is written beside each output: the kinds that `io.locations.companion` names."""
        maps = ("uncertainty", "uncertainty-colour") if self.uncertainty else ()
        changes = ("changes",) if self.changes else ()
        return (*maps, *changes, *(f"sample-{number}" for number in range(1, self.samples + 1)))

    @property
    def saving(self) -> SaveOptions:
        """How outputs are written; their suffix tells the format."""
        return SaveOptions(quality=self.quality, bit_depth=self.bit_depth, strip_metadata=self.strip_metadata)

    @property
    def needs_interval(self) -> bool:
        """Whether the network must say how sure it is."""
        return self.uncertainty or self.keep_unsure is not None

    @property
    def draws(self) -> int:
        """How many plausible restorations are needed."""
        return max(self.samples, self.average, int(self.creativity is not None))


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class RestoreOptions(OutputOptions):
    """Settings of one batch.

    Attributes:
        source: a folder of damaged pictures, or one picture; or several of either.
        target: the folder that mirrors it; or, for one picture, a file.
        weights: see `find_weights`; None takes the bundled default.
        device: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.
        precision: of the network; `auto` takes bf16 where it is faster.
        tile_size: side of the tiles in pixels; None takes the network's own.
        overlap: least overlap of tiles in pixels; None takes the network's own.
        batch_size: tiles that go through the network together; None takes the network's own.
        overwrite: restore again what is already in `target`.
        retry_failed: restore only what the journal says has failed.
        include: restore only pictures that fit one of these globs; see `restoration.inputs`.
        exclude: leave out those that fit one of these.
        clear: a folder of clear pictures to measure against, paired by name.
        masks: a folder of masks, white where nothing of the original is left, paired by name.
    """

    source: Path | tuple[Path, ...]
    target: Path
    weights: Path | str | None = None
    device: str = "auto"
    precision: Precision = "auto"
    tile_size: int | None = None
    overlap: int | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    overwrite: bool = False
    retry_failed: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    clear: Path | None = None
    masks: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.only_masked and self.masks is None:
            raise UsageError("--only-masked needs masks", hint="Say where they are: --masks DIR")
        if self.overwrite and self.retry_failed:
            raise UsageError("--overwrite does all again, --retry-failed some", hint="Leave one of them out.")
        if not self.sources:
            raise UsageError("There is no input", hint="Name a picture or a folder of pictures.")

    @property
    def sources(self) -> tuple[Path, ...]:
        """All inputs."""
        return self.source if isinstance(self.source, tuple) else (self.source,)

    def terms(self) -> dict[str, Any]:
        """The settings that decide what an output is, as the journal keeps them.

        Those that change nothing but rounding (device, tiles) are not among them, nor what lies beside the output.
        """
        names = (
            "strength", "keep_unsure", "only_masked", "keep_tone", "average", "creativity", "precision",
            "quality", "bit_depth", "strip_metadata", "provenance",
        )  # fmt: skip
        drawn = self.average or self.creativity is not None
        terms = {name: getattr(self, name) for name in names} | {"seed": self.seed if drawn else None}
        return terms | ({"seed_of_samples": self.seed} if self.samples else {})


def resolve_options(**settings: Any) -> RestoreOptions:
    """Check settings of a batch.

    Raises:
        UsageError: unknown ones, values outside their range, or settings that contradict each other.
    """
    try:
        return RestoreOptions(**settings)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'options'}: {e['msg']}" for e in error.errors()]
        raise UsageError("These settings do not fit", details=problems) from error
