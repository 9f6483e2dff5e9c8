"""`artrestore train CLEAR DISTORTED`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from artrestore.cli.options import Offline, PrecisionChoice, Verbose
from artrestore.cli.signals import stop_on_signal
from artrestore.damage import DEFAULT_RECIPE, RECIPES
from artrestore.errors import UsageError
from artrestore.models.registry import ARCHITECTURES, BUNDLED_WEIGHTS, DEFAULT_ARCHITECTURE

if TYPE_CHECKING:
    from artrestore.training.config import TrainConfig
    from artrestore.training.run import Run

_BUDGET, _LEARNING, _DATA, _RUN = "Budget (of the whole run; one of)", "Learning", "Data", "Run"


def train(
    clear: Annotated[
        Path | None, typer.Argument(metavar="CLEAR", help="Folder of clear pictures.", show_default=False)
    ] = None,
    distorted: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DISTORTED]", help="Folder of distorted ones, named after them.", show_default=False
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"Damage CLEAR on the fly: {', '.join(RECIPES)}, or a TOML file. "
            f"Default without DISTORTED: {DEFAULT_RECIPE}.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    synthetic: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="With DISTORTED: part of the crops damaged on the fly. Default: 0.5 with --recipe.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    generated: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Part of the crops from generated pictures; as many others get generated details. Default: 0.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    echo: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="How often each crop is learned from, where damaging it is what takes long. Default: 1.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(ARCHITECTURES)}. Default: that of --from, else {DEFAULT_ARCHITECTURE}.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="small, base or large, for architectures that come in sizes. Default: that of --from, else base.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the pictures.", rich_help_panel=_BUDGET)] = None,
    steps: Annotated[int | None, typer.Option(help="Updates.", rich_help_panel=_BUDGET)] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Time; the schedule fits it. Default: 30, but 100 epochs for unet-vae and pix2pix.",
            rich_help_panel=_BUDGET,
        ),
    ] = None,
    stages: Annotated[
        str | None,
        typer.Option(
            help="One or several, with commas: clear, tone, restore, refine, uncertainty. Default: its own.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Crops a step.", rich_help_panel=_LEARNING)] = None,
    crop_size: Annotated[
        int | None, typer.Option(help="Side of the crops in pixels.", rich_help_panel=_LEARNING)
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="At its highest. Fine-tuning hierarchical-vae takes a fifth if it is not given.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    optimizer: Annotated[
        Literal["adam", "adamw", "sgd", "rmsprop"] | None, typer.Option(rich_help_panel=_LEARNING)
    ] = None,
    schedule: Annotated[Literal["cosine", "constant"] | None, typer.Option(rich_help_panel=_LEARNING)] = None,
    beta: Annotated[
        float | None,
        typer.Option(
            help="Weight of the KL divergence; hierarchical-vae steers its own.", rich_help_panel=_LEARNING
        ),
    ] = None,
    kl_warmup: Annotated[
        float | None,
        typer.Option(
            help="Part of each stage over which that weight grows from zero. Default: 0.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    free_bits: Annotated[
        float | None,
        typer.Option(
            help="Nats that each latent unit counts for at least in the divergence. Default: 0.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    clip_grad_norm: Annotated[
        float | None, typer.Option(help="Scale gradients down to this norm; 0: do not.", rich_help_panel=_LEARNING)
    ] = None,
    ema: Annotated[
        float | None,
        typer.Option(
            help="Decay of the moving average of the weights, which is kept; 0: none.", rich_help_panel=_LEARNING
        ),
    ] = None,
    val_fraction: Annotated[
        float | None,
        typer.Option(help="Part of the clear pictures held out. Default: 0.1.", rich_help_panel=_DATA),
    ] = None,
    fit: Annotated[
        Literal["crop", "resize"] | None,
        typer.Option(help="Random crops, or whole pictures resized. Default: crop.", rich_help_panel=_DATA),
    ] = None,
    crops_per_picture: Annotated[
        int | None, typer.Option(help="Crops from each decoded picture. Default: 8.", rich_help_panel=_DATA)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that decode. Default: cores less one, at most 4.", rich_help_panel=_DATA),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Default: 0.", rich_help_panel=_RUN)] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="auto, cpu, mps, cuda or cuda:N. Default: auto.", envvar="ARTRESTORE_DEVICE", rich_help_panel=_RUN
        ),
    ] = None,
    precision: Annotated[
        PrecisionChoice | None,
        typer.Option(help="auto takes bf16 where it is faster. Default: auto.", rich_help_panel=_RUN),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The run folder. Default: runs/ARCH-DATE-TIME.", rich_help_panel=_RUN),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            help=f"Begin from these weights, not random ones: {', '.join(BUNDLED_WEIGHTS)}, a file, or whatever "
            "else `restore --weights` takes.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out exactly.", rich_help_panel=_RUN)
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="Settings from a TOML file; options win over it.", rich_help_panel=_RUN),
    ] = None,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Train a restoration VAE on clear pictures and distorted versions of them, or damaged on the fly.

    `ship (12).jpg` owns `ship (12).png`, `ship (12)_noise.png`, `ship (12) blur.png`, in the same sub-folder.
    """
    given = {
        "clear": clear, "distorted": distorted, "recipe": recipe, "synthetic": synthetic, "generated": generated,
        "echo": echo, "arch": arch, "size": size, "epochs": epochs, "steps": steps, "minutes": minutes,
        "stages": _stage_names(stages), "batch_size": batch_size, "crop_size": crop_size,
        "learning_rate": learning_rate, "optimizer": optimizer, "schedule": schedule, "beta": beta,
        "kl_warmup": kl_warmup, "free_bits": free_bits, "clip_grad_norm": clip_grad_norm, "ema": ema,
        "val_fraction": val_fraction, "fit": fit,
        "crops_per_picture": crops_per_picture, "workers": workers, "seed": seed, "device": device,
        "precision": precision, "out": out, "start_from": start_from,
    }  # fmt: skip
    from artrestore.cli.train_display import TrainDisplay
    from artrestore.training.run import prepare_run
    from artrestore.training.trainer import train as train_run

    run = prepare_run(_settings(given, config, resume=resume), resume=resume)
    _announce(run, resume=resume)
    with stop_on_signal() as stop, TrainDisplay() as display:
        for progress in train_run(run, should_stop=stop.is_set):
            display.update(progress)
    _conclude(run)


def _settings(given: Mapping[str, Any], file: Path | None, *, resume: bool) -> "TrainConfig":
    from artrestore.cli.weights.shared import fetched
    from artrestore.io.settings import read_settings
    from artrestore.training.config import resolve_config
    from artrestore.training.run import resumed_config

    out = given["out"]
    if resume:
        if not isinstance(out, Path):
            raise UsageError("--resume needs the run folder", hint="Name it: --resume --out runs/NAME")
        if option := "--config" if file else "--size" if given["size"] else "":
            raise UsageError("--resume takes the settings that the run recorded", hint=f"Leave out {option}.")
        return resumed_config(out, given)
    fetched(given["start_from"])
    return resolve_config(given, file, defaults={"device": read_settings().device})


def _stage_names(text: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",") if name.strip()) if text else None


def _announce(run: "Run", *, resume: bool) -> None:
    from artrestore.cli.console import note, warn
    from artrestore.models.devices import describe

    config, split = run.config, run.split
    beginning, precision = "Resuming" if resume else "Training", "bf16" if run.bf16 else "fp32"
    size = f"{sum(tensor.numel() for tensor in run.model.weights().values()) / 1e6:.1f} M parameters"
    note(f"{beginning} {config.arch} ({size}) on {describe(run.device)}, {precision}, in {config.out}")
    if config.start_from:
        note(_how_it_begins(config))
    items = (
        "pictures and pairs" if config.recipe and config.distorted else "pairs" if config.distorted else "pictures"
    )
    note(
        f"{len(split.train)} {items} to learn from and {len(split.val)} held out, "
        f"from {len({pair.clear for pair in split.train + split.val})} clear pictures; "
        f"stages: {', '.join(config.stages)}"
    )
    if config.recipe and config.stages != ("clear",):
        stages = [stage for stage in config.stages if stage != "clear"]
        label = f"{'Stage' if len(stages) == 1 else 'Stages'} {', '.join(stages)}"
        note(f"{label}: {_what_is_damaged(run)} damaged on the fly, by the recipe {config.recipe}")
    if config.generated:
        note(f"{100 * config.generated:.0f} % of the crops are taken from generated pictures")
    if config.echo > 1:
        note(f"Each crop is learned from {config.echo} times on average")
    if split.unpaired_clear:
        warn(f"{split.unpaired_clear} clear pictures have no distorted version and are not used")
    if not split.val:
        warn("no pictures are held out, so nothing tells which weights are best: the last ones are kept")


def _how_it_begins(config: "TrainConfig") -> str:
    text = f"Beginning from the weights {config.start_from}"
    if config.backbone_rate == 1 or config.stages == ("uncertainty",):
        return text
    rate = config.learning_rate * config.backbone_rate
    return f"{text}; what restores is fine-tuned at a learning rate of {rate:g} (--learning-rate sets another)"


def _what_is_damaged(run: "Run") -> str:
    unpaired = sum(pair.given is None for pair in run.split.train)
    if run.config.distorted is None:
        return "all crops are"
    share = f"{100 * (run.config.synthetic or 0):.0f} % of the crops are"
    return f"{share}, and all crops of {unpaired} pictures without a distorted version," if unpaired else share


def _conclude(run: "Run") -> None:
    from artrestore.cli.console import note, warn

    best = "" if run.state.best_psnr is None else f" (held-out PSNR {run.state.best_psnr:.2f} dB)"
    note(f"Done. Losses: {run.folder.plot}; grids of pictures: {run.folder.path / 'grids'}")
    if not run.folder.best.exists():
        warn("the budget was used up before the network was evaluated once, so there are no best weights")
        return
    note(f"Best weights: {run.folder.best}{best}")
    note(f"Restore with: artrestore restore IN OUT --weights {run.folder.best}")
