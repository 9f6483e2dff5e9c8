"""Fold a density that is fitted to a `resnet-vae`'s encodings into its weights, so that it becomes the prior.

    python bench/fold_density.py WEIGHTS PICTURES OUT

Encodings never lie as the prior says, and what is drawn from it falls between them. The normal distribution
that is fitted to them, N(m, L L^T) (ex-post density estimation, Ghosh et al. 2020), is z = m + L e with e from
N(0, I), which the decoder's first layer takes in: from then on the latent vector is e, and `artrestore sample`
needs no pictures to draw from it. The encoder's means are moved along, exactly; its variances, which would no
longer be independent, are replaced by their mean over all pictures.

PICTURES: those that the network was trained on.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from artrestore.io.weights_file import read_header, read_tensors, write_weights
from artrestore.models.layers import DiagonalGaussian
from artrestore.models.loading import load_model
from artrestore.sampling.density import fit_gaussian
from artrestore.sampling.encodings import encode, read_squares


def folded(tensors: Mapping[str, Tensor], posterior: DiagonalGaussian) -> dict[str, Tensor]:
    """The weights of a `resnet-vae` whose latent vector z is written as m + L e."""
    density = fit_gaussian(posterior)
    mean, root = density.means[0], density.roots[0]
    inverse = torch.linalg.inv(root)

    def of(name: str) -> Tensor:
        return tensors[name].double()

    weight = of("decoder.features.weight")
    variance = inverse.square() @ posterior.logvar.double().exp().mean(0)
    changed = {
        "decoder.features.weight": weight @ root,
        "decoder.features.bias": of("decoder.features.bias") + weight @ mean,
        "encoder.mu.weight": inverse @ of("encoder.mu.weight"),
        "encoder.mu.bias": inverse @ (of("encoder.mu.bias") - mean),
        "encoder.logvar.weight": torch.zeros_like(of("encoder.logvar.weight")),
        "encoder.logvar.bias": variance.log(),
    }
    return {**tensors, **{name: tensor.float() for name, tensor in changed.items()}}


def fold(weights: Path, pictures: Path, out: Path, *, half: bool = False) -> None:
    """Write the folded weights."""
    loaded, header = load_model(weights, device="cpu"), read_header(weights)
    posterior = encode(loaded, torch.cat(read_squares(loaded, pictures)))
    training = {**header.training, "prior": "the normal distribution fitted to the encodings"}
    write_weights(out, folded(read_tensors(weights), posterior), replace(header, training=training), half=half)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the density of encodings the prior of a resnet-vae.")
    parser.add_argument("weights", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    fold(arguments.weights, arguments.pictures, arguments.out)


if __name__ == "__main__":
    main()
