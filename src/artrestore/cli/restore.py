"""`artrestore restore IN... OUT`."""

import artrestore.cli.restore_options as o
from artrestore.cli.options import Device, Offline, Verbose, Weights


def restore(
    paths: o.Paths,
    weights: Weights = None,
    device: Device = "auto",
    overwrite: o.Overwrite = False,
    retry_failed: o.RetryFailed = False,
    include: o.Include = None,
    exclude: o.Exclude = None,
    max_pixels: o.MaxPixels = 2_000_000_000,
    watch: o.Watch = False,
    strength: o.Strength = 1.0,
    keep_unsure: o.KeepUnsure = None,
    masks: o.Masks = None,
    only_masked: o.OnlyMasked = False,
    keep_tone: o.KeepTone = False,
    average: o.Average = 0,
    creativity: o.Creativity = None,
    seed: o.Seed = 0,
    format: o.Format = None,  # noqa: A002 (the option's name)
    quality: o.Quality = None,
    bit_depth: o.BitDepth = None,
    strip_metadata: o.StripMetadata = False,
    no_provenance: o.NoProvenance = False,
    keep_mtime: o.KeepMtime = False,
    uncertainty: o.Uncertainty = False,
    changes: o.Changes = False,
    samples: o.Samples = 0,
    dry_run: o.DryRun = False,
    clear: o.Clear = None,
    json: o.JsonFile = None,
    quiet: o.Quiet = False,
    precision: o.Precision = "auto",
    tile_size: o.TileSize = None,
    overlap: o.Overlap = None,
    batch_size: o.BatchSize = None,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Restore every picture below IN into the same place below OUT, and say how much was changed."""
    from artrestore.cli.restore_pipes import pipes, require_paths, speaking
    from artrestore.cli.restore_run import carry_out, watch_and_carry_out
    from artrestore.cli.weights.shared import fetched
    from artrestore.restoration.options import resolve_options

    beside = uncertainty or changes or samples > 0
    require_paths(paths, json, watch=watch, dry_run=dry_run, beside=beside)
    with speaking(paths, json, quiet=quiet), pipes(paths, format) as (sources, target):
        options = resolve_options(
            source=sources, target=target, weights=weights if dry_run else fetched(weights),
            device=device, precision=precision, tile_size=tile_size, overlap=overlap, batch_size=batch_size,
            overwrite=overwrite, retry_failed=retry_failed, include=include or (), exclude=exclude or (),
            clear=clear, masks=masks, only_masked=only_masked, strength=strength, keep_unsure=keep_unsure,
            keep_tone=keep_tone,
            average=average, creativity=creativity, seed=seed, uncertainty=uncertainty, changes=changes,
            samples=samples, format=format, quality=quality, bit_depth=bit_depth, strip_metadata=strip_metadata,
            provenance=not no_provenance, max_pixels=max_pixels, keep_mtime=keep_mtime,
        )  # fmt: skip
        if watch:
            watch_and_carry_out(options, json)
        else:
            carry_out(options, json, dry_run=dry_run)
