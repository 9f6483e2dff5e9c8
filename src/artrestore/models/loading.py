"""From a weight file, or the name of bundled weights, to a model that is ready to restore."""

from dataclasses import dataclass
from pathlib import Path

import torch

from artrestore.errors import UsageError, WeightsError
from artrestore.io.weights_file import WeightsHeader, read_header, read_tensors
from artrestore.models.base import RestorationModel
from artrestore.models.devices import pick_device
from artrestore.models.registry import ARCHITECTURES, BUNDLED_WEIGHTS, DEFAULT_WEIGHTS, build

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
    """Load a weight file strictly: every tensor must be there, with the shape its architecture gives it.

    Args:
        weights: a `.safetensors` file or a name of bundled weights; see `find_weights`.
        device: see `pick_device`.

    Raises:
        WeightsError: no such file, damaged, of another kind, or not fitting its architecture.
        DeviceError: the device is not there.
    """
    target = pick_device(device)
    path = find_weights(weights)
    header = read_header(path)
    try:
        if header.architecture not in ARCHITECTURES:
            raise UsageError(f"unknown architecture {header.architecture}")
        with torch.device("meta"):  # no memory is taken before the file is known to fit
            model = build(header.architecture, header.config)
    except UsageError as error:
        raise WeightsError(
            f"{path} cannot be used: {error.message}", hint=_ANOTHER_VERSION, details=error.details
        ) from error
    _require_same_shapes(path, header, model)
    model.load_state_dict(read_tensors(path), strict=True, assign=True)
    return LoadedModel(model=model.to(target).eval(), header=header, path=path, device=target)


def find_weights(weights: Path | str | None = None) -> Path:
    """The file of bundled weights, by their name, or a user's file; None: the bundled default.

    Raises:
        WeightsError: there is no such file, nor bundled weights of that name.
    """
    name = str(weights) if weights else DEFAULT_WEIGHTS
    bundled = name in BUNDLED_WEIGHTS
    path = BUNDLED_FOLDER / f"{name}.safetensors" if bundled else Path(name)
    if path.is_file():
        return path
    if bundled:
        raise WeightsError(
            f"The weights `{name}` did not come with this installation",
            hint="Install artrestore again, or name a file that `artrestore train` wrote.",
        )
    raise WeightsError(
        f"There is no weight file {path}",
        hint=f"Bundled weights are named {' and '.join(BUNDLED_WEIGHTS)}; `artrestore train` makes your own.",
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
