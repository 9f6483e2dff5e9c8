"""Fetching a file of the Hugging Face hub, by its own client, which is an extra of the package."""

import shutil
from pathlib import Path

from artrestore.errors import UsageError
from artrestore.io.atomic import output_errors
from artrestore.weights.http import FetchError, OnProgress
from artrestore.weights.references import HubFile


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
            f"{hub_file} needs the hub's client, which is not installed",
            hint="pip install 'artrestore[hf]'",
        ) from error
    from huggingface_hub.errors import HfHubHTTPError

    on_progress(0, None)
    folder = part.with_name(f"{part.name}-hub")  # what it has fetched so far stays there
    try:
        found = huggingface_hub.hf_hub_download(
            hub_file.repo, hub_file.file, revision=hub_file.revision, local_dir=folder
        )
    except HfHubHTTPError as error:  # its text may hold a signed address
        status = getattr(getattr(error, "response", None), "status_code", None)
        reason = f"the hub answered {status}" if status else "the hub could not be reached"
        raise FetchError(f"{reason} ({type(error).__name__})") from None
    except (OSError, ValueError) as error:
        raise FetchError(f"the hub's client failed ({type(error).__name__})") from None
    with output_errors(part):
        Path(found).replace(part)
        shutil.rmtree(folder, ignore_errors=True)
    on_progress(part.stat().st_size, part.stat().st_size)
