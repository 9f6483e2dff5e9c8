"""`artrestore doctor`."""

from typing import TYPE_CHECKING

from artrestore.cli.options import Verbose
from artrestore.errors import DeviceError

if TYPE_CHECKING:
    from rich.table import Table

    from artrestore.models.devices import DeviceInfo

_PACKAGES = ("torch", "torchvision", "numpy", "pillow", "scikit-image", "safetensors", "typer", "rich")


def doctor(verbose: Verbose = False) -> None:
    """Show versions, devices and folders, and test each device for a second."""
    from artrestore.cli.console import console, note
    from artrestore.io.locations import data_folder
    from artrestore.models.devices import available_devices, pick_device

    console.print(_versions())
    devices = available_devices()
    failures = _test(devices)
    folder = data_folder()
    note(f"Device that auto takes: {pick_device('auto')}")
    missing = _missing_weights()
    note(f"Bundled weights: {'missing: ' + ', '.join(missing) if missing else 'there'}")
    note(f"Cache folder: {folder} ({'there' if folder.exists() else 'made when it is first needed'})")
    if failures:
        raise DeviceError(
            f"The self-test failed on {', '.join(failures)}",
            hint="Use --device cpu, and update torch and drivers.",
        )


def _missing_weights() -> list[str]:
    from artrestore.errors import WeightsError
    from artrestore.models.loading import load_model
    from artrestore.models.registry import BUNDLED_WEIGHTS

    missing = []
    for name in BUNDLED_WEIGHTS:
        try:
            load_model(name, device="cpu")
        except WeightsError as error:
            missing.append(f"{name} ({error.message})")
    return missing


def _versions() -> "Table":
    import platform
    from importlib.metadata import version

    from rich.table import Table

    import artrestore

    table = Table("Package", "Version", title="Versions", title_justify="left")
    table.add_row("artrestore", artrestore.__version__)
    table.add_row("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in _PACKAGES:
        table.add_row(name, version(name))
    return table


def _test(devices: "list[DeviceInfo]") -> list[str]:
    """Print a row per device and precision; return the names of those that failed."""
    import torch
    from rich.table import Table

    from artrestore.cli.console import console
    from artrestore.models.selftest import self_test

    table = Table("Device", "What it is", "Precision", title="Devices", title_justify="left")
    table.add_column("128 px tiles/s", justify="right")
    table.add_column("Self-test")
    failures = []
    for info in devices:
        for bf16 in (False, True) if info.bf16 else (False,):
            precision = "bf16" if bf16 else "fp32"
            try:
                result = self_test(torch.device(info.name), bf16=bf16)
            except RuntimeError as error:
                table.add_row(info.name, info.description, precision, "-", f"[red]{type(error).__name__}[/]")
                failures.append(f"{info.name} {precision}")
                continue
            verdict = "[green]passed[/]" if result.passed else f"[red]off by {result.difference:.3f}[/]"
            table.add_row(info.name, info.description, precision, f"{result.tiles_per_second:.0f}", verdict)
            if not result.passed:
                failures.append(f"{info.name} {precision}")
        if not info.bf16:
            table.add_row(info.name, info.description, "bf16", "-", "not on this device")
    console.print(table)
    return failures
