"""`artrestore models`."""

from artrestore.cli.options import Verbose


def models(verbose: Verbose = False) -> None:
    """List the architectures: what each is, its input, its size, and whether it can generate pictures."""
    import torch
    from rich.table import Table

    from artrestore.cli.console import console
    from artrestore.models.registry import ARCHITECTURES, DEFAULT_ARCHITECTURE, build

    table = Table("Name", "What it is", "Input", title="Architectures", title_justify="left")
    for heading in ("Parameters", "Samples"):
        table.add_column(heading, justify="right")
    for name in ARCHITECTURES:
        with torch.device("meta"):
            model = build(name)
        rule = model.tile_rule
        size = f"{rule.tile_size} x {rule.tile_size}" if rule.fixed else f"multiples of {rule.multiple}"
        shown = f"{name} (default)" if name == DEFAULT_ARCHITECTURE else name
        can_sample = "yes" if model.spec.can_sample else "no"
        table.add_row(shown, model.spec.summary, size, f"{model.parameter_count:,}", can_sample)
    console.print(table)
    console.print("Larger and smaller pictures are restored tile by tile.", highlight=False)
