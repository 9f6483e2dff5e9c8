"""How much memory a very large picture takes: `artrestore restore` on a made one, measured from outside.

    python bench/gigapixel.py --megapixels 1000 --suffix tif

The network is a stand-in, `hierarchical-vae` with four channels and random weights, so that the time is that of
everything else: decoding, tiles, blending, encoding. Memory is the highest resident set of the whole process, as
the system counts it. The scratch folder takes about eight bytes a pixel.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# A process's highest resident set counts from before its program is loaded; so this one loads nothing large.
_MAKE = """
import sys
import pyvips
side, path = int(sys.argv[1]), sys.argv[2]
tile = pyvips.Image.gaussnoise(1024, 1024, mean=128, sigma=30).cast("uchar")
tile = tile.bandjoin([tile.rot90(), tile.rot180()]).copy(interpretation="srgb")
picture = tile.replicate(side // 1024 + 1, side // 1024 + 1).crop(0, 0, side, side)
options = {"tif": {"compression": "deflate", "level": 1, "bigtiff": True}, "png": {"compression": 1}}
picture.write_to_file(path, **options.get(path.rsplit(".")[-1], {}))
"""
_WEIGHTS = """
import sys
from dataclasses import asdict
from pathlib import Path
import torch
from artrestore.io.weights_file import WeightsHeader, write_weights
from artrestore.models.registry import build
torch.manual_seed(0)
config = {"widths": [4, 4, 4, 4], "blocks": [1, 1, 1], "middle_blocks": 2, "dense_levels": 3}
model = build("hierarchical-vae", config)
torch.nn.init.normal_(model.residual.weight, std=0.1)
header = WeightsHeader(architecture="hierarchical-vae", config=asdict(model.config), training={}, shapes={})
write_weights(Path(sys.argv[1]), model.weights(), header)
"""


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command: (seconds, highest resident set in GiB)."""
    start = time.perf_counter()
    process = subprocess.Popen(command)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    return time.perf_counter() - start, usage.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory and time for a very large picture.")
    parser.add_argument("--megapixels", type=float, default=1000)
    parser.add_argument("--suffix", choices=("tif", "png", "jpg"), default="tif")
    parser.add_argument("--scratch", type=Path, help="folder on a disk with room")
    parser.add_argument("options", nargs="*", help="more for `artrestore restore`, after --")
    arguments = parser.parse_args()
    side = round((arguments.megapixels * 1e6) ** 0.5)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        source, weights = Path(folder) / "in" / f"large.{arguments.suffix}", Path(folder) / "tiny.safetensors"
        source.parent.mkdir()
        for script, words in ((_MAKE, [str(side), str(source)]), (_WEIGHTS, [str(weights)])):
            subprocess.run([sys.executable, "-c", script, *words], check=True)  # noqa: S603
        command = [sys.executable, "-m", "artrestore", "restore", str(source.parent), str(Path(folder) / "out")]
        seconds, memory = measure([*command, "--weights", str(weights), *arguments.options])
        written = (Path(folder) / "out" / source.name).stat().st_size
    print(f"{side} x {side} {arguments.suffix}: {memory:.2f} GiB, {seconds:.0f} s, {written / 1e6:.0f} MB written")


if __name__ == "__main__":
    main()
