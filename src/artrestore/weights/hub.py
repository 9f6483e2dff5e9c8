"""Fetching a file of the Hugging Face hub, by its own client, which is an extra of the package."""

import importlib
import io
import shutil
from pathlib import Path
from typing import Any

from artrestore.errors import UsageError
from artrestore.io.atomic import NO_SPACE, output_errors
from artrestore.weights.http import FetchError, OnProgress
from artrestore.weights.references import HubFile

# Of the client's errors, by name; of those that are kinds of one another, the narrower one comes first.
_REASONS = {
    "LocalEntryNotFoundError": "the hub could not be reached",
    "RepositoryNotFoundError": "the hub has no such repository, or does not show it to everybody",
    "RevisionNotFoundError": "the repository has no such revision",
    "EntryNotFoundError": "the repository has no such file at that revision",
}


def fetch_from_hub(hub_file: HubFile, part: Path, *, on_progress: OnProgress) -> None:
    """Fetch a file of the hub; the client resumes, backs off and finds the user's token by itself.

    Raises:
        UsageError: the client is not installed.
        FetchError: the hub does not give the file.
        OutputError: it cannot be written.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise UsageError(
            f"{hub_file} needs the hub's client, which is not installed", hint="pip install 'artrestore[hf]'"
        ) from error

    folder = part.with_name(f"{part.name}-hub")  # what it has fetched so far stays there
    try:
        found = huggingface_hub.hf_hub_download(
            hub_file.repo, hub_file.file, revision=hub_file.revision, local_dir=folder,
            tqdm_class=_bar(on_progress),
        )  # fmt: skip
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            shutil.rmtree(folder, ignore_errors=True)
            with output_errors(part):
                raise
        raise FetchError(_reason(error)) from None  # the client's text may hold a signed address
    with output_errors(part):
        Path(found).replace(part)
    shutil.rmtree(folder, ignore_errors=True)


def _reason(error: Exception) -> str:
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return next((_REASONS[kind] for kind in _REASONS if kind in kinds), f"the hub's client failed ({kinds[0]})")


def _bar(on_progress: OnProgress) -> Any:
    """What the client takes for its own bar: it draws nothing, and tells how far it is."""
    base: Any = importlib.import_module("huggingface_hub.utils").tqdm

    class Told(base):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{**options, "disable": False, "file": io.StringIO()})

        def display(self, *_: Any, **__: Any) -> None:
            on_progress(int(self.n), self.total)

    return Told
