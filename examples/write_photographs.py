"""Write scikit-image's colour photographs to try artrestore on: one to restore, the others to learn from.

python examples/write_photographs.py demo/clear
"""

import argparse
from pathlib import Path

from PIL import Image
from skimage import data

PHOTOGRAPHS = {"train": ("chelsea", "coffee", "motorcycle", "rocket"), "test": ("astronaut",)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Write photographs to try artrestore on.")
    parser.add_argument("out", type=Path, help="folder to write to")
    out = parser.parse_args().out
    for folder, names in PHOTOGRAPHS.items():
        (out / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
            Image.fromarray(pixels[..., :3]).save(out / folder / f"{name}.png")
        print(f"{len(names)} photographs: {out / folder}")


if __name__ == "__main__":
    main()
