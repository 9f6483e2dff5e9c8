"""The options of `artrestore restore`, by the panels in which its help shows them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from artrestore.cli.options import PrecisionChoice

_WHICH, _RESULT, _FILE = "Which pictures", "What the output is", "How it is stored"
_DOUBT, _RUN, _NETWORK = "What is written beside it", "The run", "The network and its tiles"

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="IN... OUT",
        help="Folders of damaged pictures, or pictures; last the folder that mirrors them with restored ones. "
        "Of one picture OUT may be a file. - is standard input or output.",
        show_default=False,
    ),
]

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Restore again what is already in OUT.", rich_help_panel=_WHICH)
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Restore only what has failed before.", rich_help_panel=_WHICH)
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB", help="Only such pictures: '*.tif', 'box 1/*'. Repeatable.", show_default=False,
        rich_help_panel=_WHICH,
    ),
]  # fmt: skip
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOB", help="No such pictures.", show_default=False, rich_help_panel=_WHICH),
]
MaxPixels = Annotated[int, typer.Option(min=1, metavar="N", help="Larger pictures fail.", rich_help_panel=_WHICH)]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="Go on: restore what is dropped into IN, until Ctrl-C.", rich_help_panel=_WHICH),
]

Strength = Annotated[
    float,
    typer.Option(min=0, max=1, help="How far from the input to its restoration.", rich_help_panel=_RESULT),
]
KeepUnsure = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="T", show_default=False, rich_help_panel=_RESULT,
        help="Keep the original where the 90 % interval reaches further than T levels of 255.",
    ),
]  # fmt: skip
Masks = Annotated[
    Path | None,
    typer.Option(
        help="Folder of masks, white where nothing of the original is left, named as the pictures.",
        show_default=False,
        rich_help_panel=_RESULT,
    ),
]
OnlyMasked = Annotated[
    bool, typer.Option("--only-masked", help="Keep all outside the masks to the bit.", rich_help_panel=_RESULT)
]
KeepTone = Annotated[
    bool,
    typer.Option(
        "--keep-tone", help="Do not correct fading, varnish and casts of the whole picture.",
        rich_help_panel=_RESULT,
    ),
]  # fmt: skip
Average = Annotated[
    int,
    typer.Option(
        min=0, metavar="K", show_default=False, rich_help_panel=_RESULT,
        help="Output the mean of K plausible restorations instead of the network's own mean.",
    ),
]  # fmt: skip
Creativity = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, metavar="A", show_default=False, rich_help_panel=_RESULT,
        help="How far from the mean (0) to a plausible restoration (1), which is sharper and invents more.",
    ),
]  # fmt: skip
Seed = Annotated[
    int,
    typer.Option(min=0, help="The same seed gives the same plausible restorations.", rich_help_panel=_RESULT),
]

Format = Annotated[
    Literal["bmp", "jp2", "jpeg", "png", "ppm", "tga", "tiff", "webp"] | None,
    typer.Option(
        metavar="KIND", show_default=False, rich_help_panel=_FILE,
        help="bmp, jp2, jpeg, png, ppm, tga, tiff or webp. Default: each input's.",
    ),
]  # fmt: skip
Quality = Annotated[
    int | None,
    typer.Option(
        min=1, max=100, show_default=False, rich_help_panel=_FILE,
        help="Of JPEG and lossy WebP. Default: the input's or better.",
    ),
]  # fmt: skip
BitDepth = Annotated[
    int | None,
    typer.Option(
        min=8, max=16, metavar="8|16", show_default=False, rich_help_panel=_FILE,
        help="Bits a channel. Default: each input's.",
    ),
]  # fmt: skip
StripMetadata = Annotated[
    bool,
    typer.Option("--strip-metadata", help="Leave out what describes the picture.", rich_help_panel=_FILE),
]
NoProvenance = Annotated[
    bool,
    typer.Option("--no-provenance", help="Do not note in the picture what was done to it.", rich_help_panel=_FILE),
]
KeepMtime = Annotated[
    bool,
    typer.Option("--keep-mtime", help="Give outputs their inputs' times of modification.", rich_help_panel=_FILE),
]

Uncertainty = Annotated[
    bool,
    typer.Option("--uncertainty", help="Maps of how far the restoration may be wrong.", rich_help_panel=_DOUBT),
]
Changes = Annotated[bool, typer.Option("--changes", help="A map of what was altered.", rich_help_panel=_DOUBT)]
Samples = Annotated[
    int,
    typer.Option(min=0, metavar="K", help="K plausible restorations.", show_default=False, rich_help_panel=_DOUBT),
]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.", rich_help_panel=_RUN)
]
Clear = Annotated[
    Path | None,
    typer.Option(
        help="Folder of clear pictures: measure before and after.", show_default=False, rich_help_panel=_RUN
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the results for machines; - is standard output.",
        show_default=False, rich_help_panel=_RUN,
    ),
]  # fmt: skip
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=_RUN)]

Precision = Annotated[
    PrecisionChoice,
    typer.Option(help="auto takes bf16 where it is faster.", rich_help_panel=_NETWORK),
]
TileSize = Annotated[
    int | None,
    typer.Option(
        help="Side of the tiles in pixels. Default: the network's.", show_default=False, rich_help_panel=_NETWORK
    ),
]
Overlap = Annotated[
    int | None,
    typer.Option(
        help="Least overlap of tiles in pixels. Default: the network's.",
        show_default=False,
        rich_help_panel=_NETWORK,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Tiles that are restored together. Default: the network's.",
        show_default=False,
        rich_help_panel=_NETWORK,
    ),
]
