"""Pack folders of pictures small enough to travel: the same tree, as JPEGs that together keep under a limit.

    python bench/pack_pictures.py paintings/ packed/ --most-megabytes 40

Tries long sides from large to small and takes the first with which all pictures fit. A picture is never enlarged,
and a JPEG that is small enough as it is is copied, not encoded again. `packed/manifest.csv` lists every file with
its size in pixels and its SHA-256.
"""

import argparse
import hashlib
import io
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath

from PIL import Image

from artrestore.io.locations import require_pictures
from artrestore.io.pictures import read_rgb8
from artrestore.io.tables import write_csv

LONG_SIDES = (4096, 3072, 2048, 1536, 1280, 1024, 896, 768, 640, 512, 384)
QUALITY = 92


def packed(path: Path, long_side: int) -> bytes:
    """A picture as a JPEG whose long side is at most so many pixels: without chroma subsampling."""
    pixels = read_rgb8(path)
    height, width = pixels.shape[:2]
    factor = min(1.0, long_side / max(height, width))
    if factor == 1 and path.suffix.lower() in (".jpg", ".jpeg"):
        return path.read_bytes()
    picture = Image.fromarray(pixels)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def pack(root: Path, names: list[PurePosixPath], most_bytes: float) -> tuple[int, list[bytes]]:
    """The largest of the long sides with which all fit, and the JPEGs."""
    with ProcessPoolExecutor() as pool:
        for long_side in LONG_SIDES:
            files = list(
                pool.map(partial(packed, long_side=long_side), [root / name for name in names], chunksize=8)
            )
            total = sum(map(len, files))
            print(f"long side {long_side}: {total / 1e6:.1f} MB")
            if total <= most_bytes:
                return long_side, files
    raise SystemExit(f"They do not fit even at a long side of {LONG_SIDES[-1]} pixels: pack fewer.")


def write(out: Path, names: list[PurePosixPath], files: list[bytes]) -> None:
    """Write the tree and its manifest."""
    rows = []
    for name, content in zip(names, files, strict=True):
        target = (out / name).with_suffix(".jpg")
        if target.exists():
            raise SystemExit(f"{target} is already there: two pictures of one name, or a folder that is not new")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        width, height = Image.open(io.BytesIO(content)).size
        digest = hashlib.sha256(content).hexdigest()
        rows.append(
            {"file": target.relative_to(out).as_posix(), "width": width, "height": height, "sha256": digest}
        )
    write_csv(out / "manifest.csv", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack folders of pictures small enough to travel.")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--most-megabytes", type=float, default=40)
    parser.add_argument("--only", nargs="*", default=[], help="sub-folders to pack; by default all")
    arguments = parser.parse_args()
    listing = require_pictures(arguments.pictures)
    names = [name for name in listing.pictures if not arguments.only or name.parts[0] in arguments.only]
    if not names:
        raise SystemExit(f"There are no pictures in {', '.join(arguments.only)} of {arguments.pictures}")
    long_side, files = pack(listing.root, names, arguments.most_megabytes * 1e6)
    write(arguments.out, names, files)
    total = sum(map(len, files)) / 1e6
    print(f"{len(files)} pictures, {total:.1f} MB, long sides of at most {long_side} pixels: {arguments.out}")


if __name__ == "__main__":
    main()
