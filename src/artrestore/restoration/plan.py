"""Deciding what will be done to which file, before anything is done."""

import shutil
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from artrestore.errors import NothingToDoError, OutputError, PairingError, UsageError
from artrestore.io.atomic import nearest_folder, require_place
from artrestore.io.digests import FileMark
from artrestore.io.formats import FORMATS
from artrestore.io.locations import PICTURE_SUFFIXES, real_path, require_harmless, require_pictures
from artrestore.models.loading import find_weights
from artrestore.pairing import pair_by_name
from artrestore.restoration.inputs import Inputs, find_inputs
from artrestore.restoration.jobs import Job, Plan
from artrestore.restoration.journal import History, Terms, read_journal
from artrestore.restoration.options import RestoreOptions
from artrestore.restoration.resume import Beside, decide
from artrestore.restoration.space import estimate_bytes


def plan_batch(
    options: RestoreOptions, terms: Terms | None = None, *, only: Collection[PurePosixPath] | None = None
) -> Plan:
    """List the pictures of the inputs and decide for each whether it is restored or skipped, and why.

    Nothing is written, and no folder is made.

    Args:
        options: what is wanted.
        terms: `terms_of(options)`, if that is at hand; otherwise it is asked for when it is needed.
        only: of the pictures, those with these names.

    Raises:
        InputError: an input is not there or cannot be read.
        NothingToDoError: there are no pictures, or the filters leave none.
        OutputError: the output cannot be written, would fall on the originals, or two inputs on one output.
        PairingError: `clear` or `masks` is given and some pictures have none there.
        UsageError: the masks are the pictures themselves.
        WeightsError: the weights are not there, and what is done already depends on them.
    """
    inputs = _require_any(find_all(options), options)
    if only is not None:
        inputs = replace(inputs, pictures=tuple(item for item in inputs.pictures if item[0] in only))
    _require_suffix(inputs, options)
    jobs = _jobs(inputs, options)
    _require_distinct(jobs)
    for listing in inputs.listings:
        if inputs.folder:
            require_harmless([path for job in jobs for path in job.outputs], listing, inputs.folder)
    require_place(inputs.folder or inputs.target.parent)
    history = read_journal(inputs.folder) if inputs.folder else History()
    if history.entries and terms is None:
        terms = terms_of(options)
    beside = Beside()
    jobs = [_decided(job, inputs, options, history, terms, beside) for job in jobs]
    pending = [job for job in jobs if not job.skip_reason]
    _require_spared(pending)
    return Plan(
        jobs=tuple(jobs),
        folder=inputs.folder,
        other_files=sum(listing.others for listing in inputs.listings),
        filtered=inputs.filtered,
        needed_bytes=estimate_bytes(pending, options.max_pixels),
        free_bytes=shutil.disk_usage(nearest_folder(inputs.folder or inputs.target.parent)).free,
        journal_length=history.length,
        damaged_lines=history.damaged,
        history=tuple(history.entries.values()),
    )


def terms_of(options: RestoreOptions) -> Terms:
    """What decides, together with the pictures, what the outputs are.

    Raises:
        WeightsError: the weights are not there.
    """
    return Terms(weights=FileMark.of(find_weights(options.weights)).sha256, settings=options.terms())


def find_all(options: RestoreOptions) -> Inputs:
    """The pictures of the inputs, and where they go; see `find_inputs`."""
    return find_inputs(
        options.sources,
        options.target,
        include=options.include,
        exclude=options.exclude,
        not_walked=[options.masks] if options.masks else [],
    )


def _require_any(inputs: Inputs, options: RestoreOptions) -> Inputs:
    if inputs.pictures:
        return inputs
    where = " and ".join(map(str, options.sources))
    if inputs.filtered:
        raise NothingToDoError(
            f"--include and --exclude leave none of the {inputs.filtered} pictures in {where}",
            hint="A glob without a slash is compared with the file's name: --include '*.tif'",
        )
    known = " ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
    raise NothingToDoError(f"No pictures in {where}", hint=f"Picture files end in one of: {known}")


def _require_suffix(inputs: Inputs, options: RestoreOptions) -> None:
    """An output that is named as a file has the format of its suffix."""
    suffixes = FORMATS[options.format].suffixes if options.format else ()
    if inputs.folder is None and suffixes and inputs.target.suffix.lower() not in suffixes:
        raise UsageError(
            f"{inputs.target} is not named as --format {options.format} is",
            hint=f"Leave out --format, or name it {inputs.target.with_suffix(suffixes[0])}",
        )


def _jobs(inputs: Inputs, options: RestoreOptions) -> list[Job]:
    clear_of = _clear_pictures(inputs, options.clear) if options.clear else {}
    mask_of = _masks(inputs, options.masks) if options.masks else {}
    return [
        Job(
            name=name,
            source=source,
            target=inputs.output(name, options.format),
            clear=clear_of.get(name),
            mask=mask_of.get(name),
            companions=options.companions,
        )
        for name, source in inputs.pictures
    ]


def _decided(
    job: Job, inputs: Inputs, options: RestoreOptions, history: History, terms: Terms | None, beside: Beside
) -> Job:
    entry = None
    if inputs.folder:
        entry = history.entries.get(job.target.relative_to(inputs.folder).as_posix())
    return decide(job, entry, terms, beside, overwrite=options.overwrite, retry_failed=options.retry_failed)


def _require_spared(jobs: Sequence[Job]) -> None:
    """Refuse to write or remove what another picture is restored from, or measured against.

    Raises:
        OutputError: that would happen.
    """
    given = {real_path(path) for job in jobs for path in (job.source, job.mask, job.clear) if path}
    for job in jobs:
        for path in (*job.outputs, *job.stale):
            if real_path(path.parent) / path.name in given:
                raise OutputError(
                    f"{path} is an original, a mask or a clear picture; none is written over or removed",
                    hint="Name another output.",
                )


def _require_distinct(jobs: Sequence[Job]) -> None:
    by_output: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        for path in job.outputs:
            by_output[_folded(path)].append(job)
    clashes = [_named(group) for group in by_output.values() if len(group) > 1]
    if clashes:
        raise OutputError(
            "Some inputs would share one output, on this file system or on one that ignores case",
            hint="Rename one of each, or restore them into folders of their own.",
            details=dict.fromkeys(clashes),
        )


def _folded(path: Path) -> str:
    """What file systems that ignore case, or how accents are written, take for one name."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", str(path)).casefold())


def _named(group: Sequence[Job]) -> str:
    names = [str(job.name) for job in group]
    return " and ".join(names if len(set(names)) == len(names) else [str(job.source) for job in group])


def _clear_pictures(inputs: Inputs, clear: Path) -> dict[PurePosixPath, Path]:
    references = require_pictures(clear)
    pairing = pair_by_name(references.pictures, inputs.names)
    return {pair.other: references.root / pair.clear for pair in pairing.pairs}


def _masks(inputs: Inputs, masks: Path) -> dict[PurePosixPath, Path]:
    if any(real_path(masks) == real_path(listing.root) for listing in inputs.listings):
        raise UsageError(f"{masks} holds the pictures themselves", hint="Put the masks into their own folder.")
    found = require_pictures(masks)
    try:
        pairing = pair_by_name(found.pictures, inputs.names, whole_names=True)
    except PairingError as error:
        raise PairingError(
            f"{len(error.details)} of {len(inputs.names)} pictures cannot be paired with a mask in {masks}",
            hint="Name each mask as its picture, in the same sub-folder; one that is all black marks no loss.",
            details=(
                detail.replace("no clear picture begins its name", "no mask has its name")
                for detail in error.details
            ),
        ) from error
    return {pair.other: found.root / pair.clear for pair in pairing.pairs}
