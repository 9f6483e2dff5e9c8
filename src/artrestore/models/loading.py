"""From what `--weights` takes to a model that is ready to restore."""

from dataclasses import dataclass
from pathlib import Path

import torch

from artrestore.errors import UsageError, WeightsError
from artrestore.io.weights_file import WeightsHeader, read_header, read_tensors
from artrestore.models.base import RestorationModel
from artrestore.models.devices import pick_device
from artrestore.models.registry import ARCHITECTURES, BUNDLED_WEIGHTS, DEFAULT_WEIGHTS, build
from artrestore.weights.finding import find_file
from artrestore.weights.http import OnProgress, in_silence

_ANOTHER_VERSION = "It may be of a newer version: pip install --upgrade artrestore; or train it again."
BUNDLED_FOLDER = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model in evaluation mode on its device, the header of its file, and where it came from."""

    model: RestorationModel
    header: WeightsHeader
    path: Path
    device: torch.device


def load_model(weights: Path | str | None = None, *, device: str = "auto") -> LoadedModel:
    """Load weights strictly: every tensor must be there, with the shape its architecture gives it.

    Args:
        weights: whatever `--weights` takes; see `find_weights`.
        device: see `pick_device`.

    Raises:
        WeightsError: no such file, damaged, of another kind, or not fitting its architecture.
        DeviceError: the device is not there.
    """
    target = pick_device(device)
    path = find_weights(weights)
    header, model = _fitting(path)
    model.load_state_dict(read_tensors(path), strict=True, assign=True)
    return LoadedModel(model=model.to(target).eval(), header=header, path=path, device=target)


def check_weights(path: Path) -> WeightsHeader:
    """Read a file's header, and refuse a file whose tensors are not those of its architecture; none is loaded.

    Raises:
        WeightsError: see `load_model`.
    """
    return _fitting(path)[0]


def _fitting(path: Path) -> tuple[WeightsHeader, RestorationModel]:
    """A file's header and its network, for whose tensors no memory is taken yet."""
    header = read_header(path)
    try:
        if header.architecture not in ARCHITECTURES:
            raise UsageError(f"unknown architecture {header.architecture:.60}")
        with torch.device("meta"):
            model = build(header.architecture, header.config)
    except UsageError as error:
        raise WeightsError(
            f"{path} cannot be used: {error.message}", hint=_ANOTHER_VERSION, details=error.details
        ) from error
    _require_same_shapes(path, header, model)
    return header, model


def find_weights(weights: Path | str | None = None, *, on_progress: OnProgress = in_silence) -> Path:
    """The file of bundled weights, by their name, or what else `--weights` takes; None: the bundled default.

    Args:
        weights: the name of bundled or cached weights or of what a manifest lists, a file, an address with its
            hash, or a file of the hub. What is not on this disk yet is fetched, checked and kept.
        on_progress: see `weights.http.fetch`.

    Raises:
        WeightsError: there is no such file or name, or what was fetched is not what was promised.
        NetworkError: it has to be fetched, and cannot be.
        OutputError: the cache cannot be written.
    """
    name = str(weights) if weights else DEFAULT_WEIGHTS
    if name not in BUNDLED_WEIGHTS:
        return find_file(name, check=check_weights, on_progress=on_progress)
    path = BUNDLED_FOLDER / f"{name}.safetensors"
    if path.is_file():
        return path
    raise WeightsError(
        f"The weights `{name}` did not come with this installation",
        hint="Install artrestore again, or name a file that `artrestore train` wrote.",
    )


def _require_same_shapes(path: Path, header: WeightsHeader, model: RestorationModel) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if expected == header.shapes:
        return
    problems = [
        f"{name}: {header.shapes.get(name, 'absent')} in the file, {expected.get(name, 'absent')} expected"
        for name in sorted(expected.keys() | header.shapes.keys())
        if header.shapes.get(name) != expected.get(name)
    ]
    raise WeightsError(
        f"The tensors of {path} do not fit {header.architecture}", hint=_ANOTHER_VERSION, details=problems
    )
