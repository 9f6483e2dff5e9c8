"""Write scikit-image's colour photographs to try artrestore on.

python examples/write_photographs.py demo/clear
"""

import argparse
from pathlib import Path

from PIL import Image
from skimage import data

NAMES = ("astronaut", "chelsea", "coffee", "motorcycle", "rocket")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write photographs to try artrestore on.")
    parser.add_argument("out", type=Path, help="folder to write to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
        Image.fromarray(pixels[..., :3]).save(out / f"{name}.png")
    print(f"{len(NAMES)} photographs: {out}")


if __name__ == "__main__":
    main()
