"""From latent vectors to pictures, and to files of them: what `artrestore sample` does."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from artrestore.errors import UnsupportedError
from artrestore.io.locations import require_pictures
from artrestore.models.loading import LoadedModel
from artrestore.models.registry import names_that_can_sample
from artrestore.reporting.animation import save_animation
from artrestore.reporting.grids import save_grid
from artrestore.sampling.density import Density, fit_gaussian, fit_mixture
from artrestore.sampling.encodings import encode, read_squares, read_whole
from artrestore.sampling.options import SampleOptions
from artrestore.sampling.quality import energy_distance, real_distance
from artrestore.sampling.walks import between, round_walk

_BATCH = 64


def require_generator(loaded: LoadedModel) -> int:
    """The length of the latent vectors of a network that generates pictures.

    Raises:
        UnsupportedError: it cannot; the hint names the architectures that can.
    """
    if not loaded.model.spec.can_sample or loaded.model.latent_dim is None:
        raise UnsupportedError(
            f"{loaded.path} holds a {loaded.model.name}, which cannot generate pictures",
            hint=f"Train one that can: {', '.join(names_that_can_sample())}; or draw restorations: --from PICTURE",
        )
    return loaded.model.latent_dim


def draw_latents(
    loaded: LoadedModel, count: int, *, seed: int = 0, temperature: float = 1.0, density: Density | None = None
) -> Tensor:
    """Draw latent vectors, (count, D), from a density, or else from the prior; a seed gives the same again.

    Args:
        loaded: a network that generates pictures.
        count: how many.
        seed: of the draw, on every device.
        temperature: factor on the deviation from a density's mean; less gives tamer pictures.
        density: fitted to encodings; None is the prior N(0, I).

    Raises:
        UnsupportedError: the network cannot generate.
    """
    length = require_generator(loaded)
    generator = torch.Generator().manual_seed(seed)
    if density is None:
        return torch.randn(count, length, generator=generator) * temperature
    return density.draw(count, generator, temperature)


def generate(loaded: LoadedModel, latents: Tensor) -> Tensor:
    """Decode latent vectors (N, D) to pictures, (N, 3, H, W) in [0, 1], on the CPU."""
    weight = next(loaded.model.parameters())
    with torch.inference_mode():
        return torch.cat([loaded.model.generate(part.to(weight)).float().cpu() for part in latents.split(_BATCH)])


@dataclass(frozen=True, kw_only=True)
class Made:
    """What `save_samples` wrote: how many pictures, and how far they are from real ones, if that was asked."""

    count: int
    distance: float | None = None
    distance_of_halves: float | None = None


def save_samples(loaded: LoadedModel, options: SampleOptions) -> Made:
    """Draw what is asked for and write it.

    Raises:
        UnsupportedError: the network cannot generate.
        InputError: a folder is missing, empty or holds too few pictures.
        PictureError: a picture cannot be read.
        UsageError: scikit-learn is needed and not installed.
        OutputError: a file cannot be written.
    """
    require_generator(loaded)
    if options.reconstruct:
        return _save_reconstructions(loaded, options.reconstruct, options)
    latents = _latents(loaded, options)
    pictures = generate(loaded, latents)
    for path, picture in zip(options.singles, pictures, strict=bool(options.singles)):
        save_grid(path, picture[None], columns=1)
    save_grid(options.out, pictures, columns=math.ceil(math.sqrt(len(pictures))))
    if options.animate:
        # From one picture to another, a walk goes there and back.
        stops = torch.cat([latents, latents[1:-1].flip(0)]) if options.interpolate else latents
        save_animation(options.animate, generate(loaded, round_walk(stops, spherical=options.spherical)))
    if options.distance is None:
        return Made(count=len(pictures))
    groups = read_squares(loaded, options.distance)
    return Made(
        count=len(pictures),
        distance=energy_distance(torch.cat(groups), pictures),
        distance_of_halves=real_distance(groups),
    )


def _latents(loaded: LoadedModel, options: SampleOptions) -> Tensor:
    if options.interpolate:
        first, second = encode(loaded, read_whole(loaded, options.interpolate)).mu
        return between(first, second, torch.linspace(0, 1, options.count), spherical=options.spherical)
    temperature = 1.0 if options.temperature is None else options.temperature
    density = None
    if options.posterior and options.pictures:
        posterior = encode(loaded, torch.cat(read_squares(loaded, options.pictures)))
        density = fit_gaussian(posterior) if options.posterior == "gaussian" else fit_mixture(posterior)
    return draw_latents(loaded, options.count, seed=options.seed, temperature=temperature, density=density)


def _save_reconstructions(loaded: LoadedModel, folder: Path, options: SampleOptions) -> Made:
    """Pairs, side by side, of pictures spread over the folder."""
    listing = require_pictures(folder)
    step = max(1.0, len(listing.pictures) / options.count)
    names = [listing.pictures[int(i * step)] for i in range(min(options.count, len(listing.pictures)))]
    given = read_whole(loaded, [listing.root / name for name in names])
    left = generate(loaded, encode(loaded, given).mu)
    for path, picture in zip(options.singles, left, strict=False):
        save_grid(path, picture[None], columns=1)
    pairs = torch.stack([given, left], dim=1).flatten(0, 1)
    save_grid(options.out, pairs, columns=2 * math.ceil(math.sqrt(len(pairs)) / 2))
    return Made(count=len(names))
