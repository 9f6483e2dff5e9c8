"""Carrying out what `artrestore restore` was asked for."""

import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from artrestore.cli.batches import batch_bar, shortcoming
from artrestore.cli.console import console, note, plain, show_error, warn
from artrestore.cli.restore_pipes import DASH
from artrestore.cli.restore_table import conclude, show_plan, show_reasons
from artrestore.cli.signals import stop_on_signal
from artrestore.errors import ArtRestoreError, DiskFullError, InterruptedRunError, UsageError
from artrestore.io.atomic import remove_leftovers, remove_leftovers_of
from artrestore.io.tables import to_json, write_json

if TYPE_CHECKING:
    from artrestore.restoration.jobs import JobResult, Plan
    from artrestore.restoration.journal import Journal, Terms
    from artrestore.restoration.options import RestoreOptions
    from artrestore.restoration.restorer import Restorer

_POLL_SECONDS = 1.0


def carry_out(options: "RestoreOptions", json: Path | None, *, dry_run: bool) -> None:
    """Plan and restore once; a dry run says what would be done.

    Raises:
        ArtRestoreError: not everything is done; the exit code tells how it ended.
    """
    from artrestore.restoration.batch import make_restorer, working_in
    from artrestore.restoration.jobs import with_not_reached
    from artrestore.restoration.plan import plan_batch, terms_of

    run = _Run(options, json)
    with console.status("Looking at what is there"):
        plan = plan_batch(options)
    if dry_run:
        show_plan(plan)
        run.write_json(with_not_reached([], plan.jobs), None, dry_run=True)
        return
    restorer = make_restorer(options)
    run.terms = terms_of(options)
    with stop_on_signal() as stop, working_in(plan, run.terms) as journal:
        _announce(restorer, options)
        show_reasons(plan)
        try:
            run.restore(plan, restorer, journal, stop)
        finally:  # whatever ended it, what was done is told
            run.results = with_not_reached(run.results, plan.jobs)
            run.conclude(plan)
    run.end()


def watch_and_carry_out(options: "RestoreOptions", json: Path | None) -> None:
    """Restore what is in the inputs and what is dropped there, until a signal.

    Raises:
        ArtRestoreError: as `carry_out`; stopping while nothing is being restored is no error.
    """
    from artrestore.restoration.batch import make_restorer, working_in
    from artrestore.restoration.jobs import Plan
    from artrestore.restoration.journal import read_journal
    from artrestore.restoration.plan import find_all, terms_of
    from artrestore.restoration.watch import Watcher

    inputs = find_all(options)
    if inputs.folder is None or not all(source.is_dir() for source in options.sources):
        raise UsageError("--watch restores folders into a folder", hint="artrestore restore IN OUT --watch")
    restorer, run = make_restorer(options), _Run(options, json)
    run.terms = terms_of(options)
    history = read_journal(inputs.folder)
    before = tuple(history.entries.values())
    whole = Plan(jobs=(), folder=inputs.folder, journal_length=history.length, history=before)
    with stop_on_signal() as stop, working_in(whole, run.terms) as journal:
        _announce(restorer, options)
        note(f"Watching {' and '.join(map(str, options.sources))}; Ctrl-C ends it")
        watcher = Watcher()
        try:
            while not stop.is_set() and not run.fatal:
                if names := watcher.look(find_all(options)):
                    run.restore_some(names, restorer, journal, stop)
                stop.wait(_POLL_SECONDS)
        finally:
            run.conclude(whole)
    run.end()


class _Run:
    """What a run has done so far, and how it is told."""

    def __init__(self, options: "RestoreOptions", json: Path | None) -> None:
        self.options = options
        self.json = json
        self.started = datetime.now(UTC)
        self.terms: Terms | None = None
        self.results: list[JobResult] = []
        self.fatal: ArtRestoreError | None = None
        self.at_once = False

    def restore(
        self, plan: "Plan", restorer: "Restorer", journal: "Journal | None", stop: threading.Event
    ) -> "list[JobResult]":
        """Carry out a plan with a progress bar and add to the results."""
        from artrestore.restoration.batch import restore_batch

        done: list[JobResult] = []
        bar = batch_bar("Restoring")
        try:
            with bar:
                task = bar.add_task("", total=len(plan.jobs))
                for result in restore_batch(
                    plan, restorer, self.options, journal=journal, terms=self.terms, stop=stop
                ):
                    done.append(result)
                    self.results.append(result)
                    bar.update(task, advance=1, description=plain(result.job.name))
        except KeyboardInterrupt:
            self.at_once = True
        except ArtRestoreError as error:  # no space, or the journal cannot be written
            self.fatal = error
        return done

    def restore_some(
        self, names: list[PurePosixPath], restorer: "Restorer", journal: "Journal | None", stop: threading.Event
    ) -> None:
        """Restore what has come to rest in a folder that is watched; what cannot be planned is told, and left."""
        from artrestore.restoration.jobs import with_not_reached
        from artrestore.restoration.plan import plan_batch
        from artrestore.restoration.space import require_space

        try:
            plan = plan_batch(self.options, self.terms, only=names)
            require_space(plan)
        except DiskFullError as error:
            self.fatal = error
            return
        except ArtRestoreError as error:
            warn(f"{error.message}: {', '.join(error.details) or ', '.join(map(str, names))}")
            return
        again = {job.target for job in plan.jobs}  # what came of it before no longer counts
        self.results = [result for result in self.results if result.job.target not in again]
        done = self.restore(plan, restorer, journal, stop)
        for result in done:
            if result.outcome != "skipped":
                note(f"{result.outcome} {result.job.name}")
        self.results += with_not_reached(done, plan.jobs)[len(done) :]

    def error(self) -> ArtRestoreError | None:
        """How the run ended; None if all is done."""
        if self.fatal:
            return self.fatal
        reached = [result.outcome for result in self.results if result.outcome != "not reached"]
        return shortcoming(reached, len(self.results), reasons="The lines above say")

    def conclude(self, plan: "Plan") -> None:
        """Tell people and machines what was done."""
        self.write_json(self.results, self.error())
        conclude(self.results, plan, self.options)
        if self.at_once:
            self._leave(plan)

    def write_json(
        self, results: "list[JobResult]", error: ArtRestoreError | None, *, dry_run: bool = False
    ) -> None:
        """Write the results for machines, if they are asked for."""
        from artrestore.restoration.results import RunFacts, document

        if self.json is None:
            return
        facts = RunFacts(
            options=self.options,
            started=self.started,
            weights=self.terms.weights if self.terms else None,
            exit_code=error.exit_code if error else 0,
            error=error.message if error else "",
            dry_run=dry_run,
        )
        if self.json == DASH:
            text = to_json(document(facts, results), indent=2)
            sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
            sys.stdout.buffer.flush()
        else:
            write_json(self.json, document(facts, results))

    def end(self) -> None:
        """Raise what the run ended with, if not everything is done."""
        if error := self.error():
            raise error

    def _leave(self, plan: "Plan") -> NoReturn:
        """End the process now: a thread that is encoding a large picture would hold it up for minutes."""
        if plan.folder:
            remove_leftovers(plan.folder)
        for job in plan.jobs if plan.folder is None else ():
            remove_leftovers_of(job.target)
        show_error(self.error() or InterruptedRunError("Stopped"), verbose=False)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(InterruptedRunError.exit_code)


def _announce(restorer: "Restorer", options: "RestoreOptions") -> None:
    from artrestore.models.devices import describe

    precision = "bf16" if restorer.bf16 else "fp32"
    note(f"Restoring with {restorer.model.name} from {restorer.path} on {describe(restorer.device)}, {precision}")
    if options.needs_interval and restorer.calibration is None:
        note("These weights are not calibrated: the 90 % interval is the network's own guess, without a guarantee")
