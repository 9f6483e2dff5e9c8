"""`artrestore sample -n 16`."""

from pathlib import Path

import artrestore.cli.sample_options as o
from artrestore.cli.options import Device, Offline, Verbose, WeightsToSample
from artrestore.errors import OutputError


def sample(
    count: o.Count = 16,
    start: o.From = None,
    posterior: o.Posterior = None,
    pictures: o.Pictures = None,
    interpolate: o.Interpolate = None,
    linear: o.Linear = False,
    reconstruct: o.Reconstruct = None,
    out: o.Out = Path("samples.png"),
    separate: o.Separate = None,
    animate: o.Animate = None,
    distance: o.Distance = None,
    overwrite: o.Overwrite = False,
    weights: WeightsToSample = None,
    device: Device = "auto",
    seed: o.Seed = 0,
    temperature: o.Temperature = None,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Draw new pictures from a model's prior, or several restorations of one damaged picture."""
    from artrestore.cli.console import note
    from artrestore.cli.weights.shared import fetched
    from artrestore.io.settings import setting
    from artrestore.models.devices import describe
    from artrestore.models.loading import load_model
    from artrestore.models.registry import GENERATIVE_WEIGHTS
    from artrestore.sampling.options import SampleOptions

    options = SampleOptions(
        out=out, separate=separate, animate=animate, distance=distance, count=count, seed=seed,
        temperature=temperature, posterior=posterior, pictures=pictures, interpolate=interpolate,
        spherical=not linear, reconstruct=reconstruct, restore=start,
    )  # fmt: skip
    there = [str(path) for path in options.files if path.exists()]
    if there and not overwrite:
        raise OutputError("Files are already there", hint="Add --overwrite or name others.", details=there)
    usual = setting("weights")[0] if start else GENERATIVE_WEIGHTS
    loaded = load_model(fetched(weights or usual), device=device)
    if start is None:
        from artrestore.sampling.generating import save_samples

        made = save_samples(loaded, options)
        what = options.in_words(made.count)
    else:
        from artrestore.restoration.drawing import save_restorations

        made = None
        save_restorations(loaded, start, out, options.singles, count=count, seed=seed, temperature=temperature)
        what = f"{count} restorations of {start}"
    note(f"{what} from {loaded.model.name} ({loaded.path}) on {describe(loaded.device)}: {out}")
    if separate:
        note(f"Each on its own: {separate}")
    if animate:
        note(f"Animation: {animate}")
    if made and made.distance is not None:
        note(
            f"Energy distance of simple features from the pictures in {distance}: {made.distance:.3f}; "
            f"as good as real would be {made.distance_of_halves:.3f}, that of their halves from each other"
        )
