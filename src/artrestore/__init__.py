"""Restore folders of damaged pictures with Variational Autoencoders.

For scripts, three calls stand here and are imported when first used:
`load_model(path)`, `restore(IN, OUT, ...)` and `score(RESTORED, CLEAR, ...)`.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "load_model", "restore", "score"]

if TYPE_CHECKING:
    from artrestore.models.loading import load_model
    from artrestore.restoration.batch import restore_folder as restore
    from artrestore.scoring import score_folders as score

_LAZY = {
    "load_model": ("artrestore.models.loading", "load_model"),
    "restore": ("artrestore.restoration.batch", "restore_folder"),
    "score": ("artrestore.scoring", "score_folders"),
}


def __getattr__(name: str) -> Any:
    """Import one of the three calls on first use, so that `import artrestore` loads no torch."""
    if name not in _LAZY:
        raise AttributeError(f"module 'artrestore' has no attribute {name!r}")
    import importlib

    module, attribute = _LAZY[name]
    return getattr(importlib.import_module(module), attribute)
