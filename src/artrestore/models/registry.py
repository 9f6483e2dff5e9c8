"""The one table of architectures. Adding one takes a file beside this and a line here.

Importing this module loads no torch, so that `--help` can list the names.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from artrestore.errors import UsageError
from artrestore.lookup import find

if TYPE_CHECKING:
    from artrestore.models.base import RestorationModel

ARCHITECTURES: dict[str, str] = {
    "conv-vae": "artrestore.models.conv_vae:ConvVAE",
    "skip-vae": "artrestore.models.skip_vae:SkipVAE",
    "unet-vae": "artrestore.models.unet_vae:UNetVAE",
    "pix2pix": "artrestore.models.pix2pix:Pix2Pix",
    "resnet-vae": "artrestore.models.resnet_vae:ResNetVAE",
    "hierarchical-vae": "artrestore.models.hierarchical_vae:HierarchicalVAE",
}
DEFAULT_ARCHITECTURE = "skip-vae"

# The weights that come with the package: what `restore` takes if nothing is named, and what `sample` takes.
DEFAULT_WEIGHTS = "default"
GENERATIVE_WEIGHTS = "generative"
BUNDLED_WEIGHTS = (DEFAULT_WEIGHTS, GENERATIVE_WEIGHTS)


def architecture(name: str) -> type["RestorationModel"]:
    """The class of a named architecture.

    Raises:
        UsageError: no such name.
    """
    found: type[RestorationModel] = find(ARCHITECTURES, name, what="architecture")
    return found


def build(name: str, config: Mapping[str, Any] | None = None) -> "RestorationModel":
    """A fresh model of a named architecture; `config` overrides fields of its default config.

    Raises:
        UsageError: no such name, an unknown field or an impossible value.
    """
    from pydantic import ValidationError

    cls = architecture(name)
    try:
        settings = cls.config_type(**(config or {}))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'config'}: {e['msg']}" for e in error.errors()]
        raise UsageError(
            f"This config does not fit {name}", hint="Correct what is named, under [model].", details=problems
        ) from error
    return cls(settings)


def names_that_can_sample() -> list[str]:
    """The architectures that generate pictures."""
    return [name for name in ARCHITECTURES if architecture(name).spec.can_sample]
