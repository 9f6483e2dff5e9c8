"""The options of `artrestore sample`, by the panels in which its help shows them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

_INSTEAD, _FILES = "Instead of samples from the prior", "What is written"

Count = Annotated[int, typer.Option("-n", "--count", min=1, max=4096, help="How many pictures to draw.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed draws the same pictures.")]
Temperature = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Standard deviation of the noise; less: tamer pictures. Default: 1, or as calibrated.",
        show_default=False,
    ),
]
From = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="PICTURE", help="Plausible restorations of this picture.", show_default=False,
        rich_help_panel=_INSTEAD,
    ),
]  # fmt: skip
Posterior = Annotated[
    Literal["gaussian", "mixture"] | None,
    typer.Option(
        help="Samples from a density that is fitted to the encodings of --pictures.", show_default=False,
        rich_help_panel=_INSTEAD,
    ),
]  # fmt: skip
Pictures = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder for --posterior; best, the pictures trained on.", show_default=False,
        rich_help_panel=_INSTEAD,
    ),
]  # fmt: skip
Interpolate = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        metavar="A B", help="The way from one picture to another.", show_default=False, rich_help_panel=_INSTEAD
    ),
]
Linear = Annotated[
    bool, typer.Option("--linear", help="Ways are straight lines, not arcs.", rich_help_panel=_INSTEAD)
]
Reconstruct = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Pictures of a folder beside what is left of them once they are encoded and decoded.",
        show_default=False, rich_help_panel=_INSTEAD,
    ),
]  # fmt: skip

Out = Annotated[Path, typer.Option(help="The grid, a PNG.", rich_help_panel=_FILES)]
Separate = Annotated[
    Path | None,
    typer.Option(help="A folder for each picture on its own, too.", show_default=False, rich_help_panel=_FILES),
]
Animate = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A walk from picture to picture, too: a WebP or GIF.", show_default=False,
        rich_help_panel=_FILES,
    ),
]  # fmt: skip
Distance = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Tell how near samples come to the real pictures of a folder.", show_default=False,
        rich_help_panel=_FILES,
    ),
]  # fmt: skip
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that are there.", rich_help_panel=_FILES)
]
