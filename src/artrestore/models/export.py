"""Weights for other programs: a network as ONNX, which runtimes on phones, in browsers and in C++ compute."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from artrestore.errors import UnsupportedError, UsageError
from artrestore.io.atomic import atomic_path
from artrestore.models.base import RestorationModel, Surroundings
from artrestore.models.loading import LoadedModel

_OPSET = 18


class _Restoring(nn.Module):
    """The network as a function of plain tensors."""

    def __init__(self, model: RestorationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, damaged: Tensor, *around: Tensor) -> Tensor:
        """Restore: see `RestorationModel.forward`; `around` are the fields of `Surroundings`."""
        restored: Tensor = self.model(damaged, Surroundings(*around) if around else None)
        return restored


def export_onnx(loaded: LoadedModel, target: Path) -> tuple[str, ...]:
    """Write what `forward` computes as ONNX, all or nothing.

    One picture at a time, (1, 3, H, W) in [0, 1]: of the network's one size if it has but one, else of any that is
    a multiple of `tile_rule.multiple`. A network that sees surroundings takes the fields of `Surroundings`, too.

    Returns:
        The names of the inputs.

    Raises:
        UnsupportedError: the architecture holds what ONNX cannot express.
        UsageError: the libraries for it are not installed.
        OutputError: the file cannot be written.
    """
    model = loaded.model
    if not model.spec.can_export:
        raise UnsupportedError(
            f"{loaded.path} holds a {model.name}, which cannot be exported as ONNX",
            hint="`artrestore models` lists the architectures.",
        )
    inputs = example_inputs(model)
    program = _traced(model, inputs)
    program.model.metadata_props["artrestore"] = json.dumps(
        {"architecture": model.name, "config": loaded.header.config, "training": loaded.header.training}
    )
    with atomic_path(target) as temporary:
        program.save(temporary)
    return tuple(inputs)


def example_inputs(model: RestorationModel, height: int = 0, width: int = 0) -> dict[str, Tensor]:
    """Inputs of the exported network by name, of random values; sides of 0 take a small or the one size."""
    rule = model.tile_rule
    side = rule.tile_size if rule.fixed else 8 * rule.multiple
    damaged = torch.rand(1, 3, height or side, width or side)
    around = Surroundings.alone(damaged)._asdict() if model.spec.sees_surroundings else {}
    return {"damaged": damaged, **around}


def _traced(model: RestorationModel, inputs: dict[str, Tensor]) -> Any:
    dynamic = None if model.tile_rule.fixed else _dynamic_shapes(model, inputs)
    try:
        import onnxscript  # noqa: F401 (torch needs it)
    except ImportError as error:
        raise UsageError(
            "Exporting needs libraries that are not installed", hint="pip install 'artrestore[onnx]'"
        ) from error
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        return torch.onnx.export(
            _Restoring(model.cpu()).eval(), tuple(inputs.values()), input_names=list(inputs),
            output_names=["restored"], dynamic_shapes=dynamic, opset_version=_OPSET, dynamo=True, verbose=False,
        )  # fmt: skip


def _dynamic_shapes(model: RestorationModel, inputs: dict[str, Tensor]) -> Any:
    """Height and width are free, in steps of the tile rule's multiple."""
    step = model.tile_rule.multiple
    height, width = (step * torch.export.Dim(name) for name in ("rows", "columns"))
    shapes = {name: {2: height, 3: width} if name in ("damaged", "lost") else {} for name in inputs}
    first, *rest = shapes.values()
    return (first, tuple(rest)) if rest else (first,)
