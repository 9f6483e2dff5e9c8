"""The `artrestore` program: its commands, and the one place where errors become exit codes."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from artrestore import __version__
from artrestore.cli import calibrate, compare, config, damage, doctor, models, restore, sample, score, train
from artrestore.cli.options import VERBOSE_KEY, Verbose, user_defaults
from artrestore.cli.weights import app as weights
from artrestore.errors import ArtRestoreError
from artrestore.io.memory import keep_freed_memory


class _Group(TyperGroup):
    """Shows our errors as one red line and a hint, and exits with their code."""

    def invoke(self, ctx: Any) -> Any:
        from artrestore.cli.console import show_error

        try:
            return super().invoke(ctx)
        except ArtRestoreError as error:
            show_error(error, verbose=VERBOSE_KEY in ctx.meta)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            raise typer.Exit(130) from interrupt
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if _is_usage_error(error):
                raise
            if VERBOSE_KEY in ctx.meta:
                raise
            unexpected = ArtRestoreError(
                f"Unexpected {type(error).__name__}: {error}",
                hint="This is a defect of artrestore. Run again with --verbose and report what it prints.",
            )
            show_error(unexpected, verbose=False)
            raise typer.Exit(unexpected.exit_code) from error


def _is_usage_error(error: Exception) -> bool:
    """Whether Typer itself shows this error (a wrong option, say) and exits with code 2.

    Told by its shape, because Typer has its base class in different places from version to version.
    """
    return hasattr(error, "exit_code") and hasattr(error, "show")


app = typer.Typer(
    name="artrestore",
    cls=_Group,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 usage, 3 input, 4 weights, 5 device, 6 output, 7 some pictures failed, "
    "8 training diverged, 9 no space left, 10 nothing to do, 11 network, 130 interrupted.",
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"artrestore {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Restore folders of damaged pictures with Variational Autoencoders that you can train yourself."""
    if context.invoked_subcommand != config.app.info.name:  # which can mend settings that cannot be read
        context.default_map = user_defaults()


app.command("train")(train.train)
app.command("restore")(restore.restore)
app.command("damage")(damage.damage)
app.command("score")(score.score)
app.command("compare")(compare.compare)
app.command("calibrate")(calibrate.calibrate)
app.command("sample")(sample.sample)
app.command("models")(models.models)
app.command("doctor")(doctor.doctor)
app.add_typer(weights.app)
app.add_typer(config.app)


def main() -> None:
    """Run the program."""
    keep_freed_memory()
    app()
