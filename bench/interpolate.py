"""Weights between two of one network: what one learned anew, and what the other had not forgotten.

    python bench/interpolate.py BEFORE AFTER OUT --share 0.9 --keep tone.

Fine-tuning on new damage makes a network bolder, also where it should not be. Between the two lie weights that
keep most of what is new and harm less of what is sound (WiSE-FT, Wortsman et al., CVPR 2022). That needs AFTER to
have been trained from BEFORE, or the way between them leads over bad ones. Latents and scale, which belong to one
mean, are AFTER's; tensors whose names begin with one of `--keep` are BEFORE's.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from artrestore.io.weights_file import read_header, read_tensors, write_weights

OWN = ("noise.", "log_scale.")


def main() -> None:
    parser = argparse.ArgumentParser(description="Interpolate linearly between two weight files.")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.9, help="of AFTER")
    parser.add_argument("--keep", nargs="*", default=(), help="beginnings of names that are BEFORE's")
    arguments = parser.parse_args()
    before, after = read_tensors(arguments.before), read_tensors(arguments.after)
    header = read_header(arguments.after)

    def share(name: str) -> float:
        if name.startswith(OWN):
            return 1.0
        return 0.0 if name.startswith(tuple(arguments.keep)) else arguments.share

    mixed = {
        name: before[name].float().lerp(tensor.float(), weight) if (weight := share(name)) < 1 else tensor
        for name, tensor in after.items()
    }
    # What AFTER measured in training is not true of these.
    known = {key: value for key, value in header.training.items() if key != "metrics"}
    training = {**known, "interpolated": {"share": arguments.share, "kept": list(arguments.keep)}}
    write_weights(arguments.out, mixed, replace(header, training=training))
    print(f"{arguments.out}: {arguments.share:g} of {arguments.after}, the rest of {arguments.before}")


if __name__ == "__main__":
    main()
