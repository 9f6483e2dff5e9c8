"""`artrestore models`."""

from artrestore.cli.options import Verbose


def models(verbose: Verbose = False) -> None:
    """List the architectures: what each is, its input and size, and what it can do; and the bundled weights."""
    import torch
    from rich.table import Table

    from artrestore.cli.console import console, note
    from artrestore.models.registry import ARCHITECTURES, DEFAULT_ARCHITECTURE, build

    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", title="Architectures", title_justify="left")
    for heading in ("Name", "What it is", "Input"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "Name")
    for heading in ("Parameters", "Samples", "Uncertainty"):
        table.add_column(heading, justify="right")
    sizes = []
    for name in ARCHITECTURES:
        with torch.device("meta"):
            model = build(name)
            sizes += [f"{name} {s}: {build(name, c).parameter_count / 1e6:.1f} M" for s, c in model.sizes.items()]
        rule = model.tile_rule
        size = f"{rule.tile_size} x {rule.tile_size}" if rule.fixed else f"by {rule.multiple}"
        abilities = ("yes" if able else "no" for able in (model.spec.can_sample, model.spec.can_quantify))
        table.add_row(name, model.spec.summary, size, f"{model.parameter_count:,}", *abilities)
    console.print(table)
    note(f"Trained by default: {DEFAULT_ARCHITECTURE}")
    note("Larger and smaller pictures are restored tile by tile.")
    note(f"Sizes (train --size): {', '.join(sizes)}")
    note(f"Bundled weights (--weights): {', '.join(_bundled())}")


def _bundled() -> list[str]:
    """The names of the bundled weights and what they hold."""
    from artrestore.errors import WeightsError
    from artrestore.io.weights_file import read_header
    from artrestore.models.loading import find_weights
    from artrestore.models.registry import BUNDLED_WEIGHTS

    found = []
    for name in BUNDLED_WEIGHTS:
        try:
            found.append(f"{name} ({read_header(find_weights(name)).architecture})")
        except WeightsError:
            found.append(f"{name} (missing)")
    return found
