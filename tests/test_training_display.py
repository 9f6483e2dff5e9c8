"""What is shown while a network learns."""

import pytest
from rich.console import Console

from artrestore.cli.train_display import _line, figure, render
from artrestore.training.evaluation import Evaluation
from artrestore.training.step import StepResult
from artrestore.training.trainer import Progress


def progress(**losses: float) -> Progress:
    return Progress(
        stage="uncertainty", stage_number=2, stage_count=2, epoch=12, step=12345, fraction=0.5, seconds_left=60.0,
        learning_rate=1e-3, result=StepResult(losses=losses, grad_norm=0.0123, skipped=False), skipped=0,
        pictures_per_second=28.4, evaluated=True,
        evaluation=Evaluation(psnr=30.0, ssim=0.9, psnr_given=20.0, ssim_given=0.5, active_units=512),
    )  # fmt: skip


FLAGSHIP = {
    "loss": -0.01234, "reconstruction": 0.02345, "kl": 0.0505, "crps": 0.0321, "nll": -2.345, "kl_tone": 0.00051,
    "kl_16": 0.00498, "kl_8": 0.0151, "kl_4": 0.0299,
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (25140.4, "25140"),
        (123.4, "123"),
        (-3.7041, "-3.70"),
        (0.02345, "0.0234"),
        (0.00051, "0.0005"),
        (0.0, "0.0000"),
    ],
)
def test_figures_show_what_tells_something(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_small_losses_and_rates_can_be_read() -> None:
    line = _line(progress(**FLAGSHIP))
    assert "loss -0.0123 reconstruction 0.0234 KL 0.0505 crps 0.0321 nll -2.35 | " in line
    assert "nats/pixel tone 0.0005 1/16 0.00498 1/8 0.0151 1/4 0.0299" in line
    assert "val PSNR 30.00 SSIM 0.9000" in line
    assert "grad 0.0123" in line


OF_A_VAE = {"loss": 25140.0, "reconstruction": 25130.0, "kl": 10.2}
OF_A_GAN = {"loss": 9.1902, "reconstruction": 0.08051, "adversarial": 1.1402, "discriminator": 0.7263}


@pytest.mark.parametrize("losses", [FLAGSHIP, OF_A_VAE, OF_A_GAN])
def test_the_display_fits_a_terminal_of_80_columns(losses: dict[str, float]) -> None:
    console = Console(width=80, record=True, file=None)
    with console.capture() as captured:
        console.print(render(progress(**losses)))
    lines = captured.get().rstrip().splitlines()
    assert len(lines) == (5 if "crps" in losses else 4)
    assert max(map(len, lines)) <= 80
    assert "Rates" not in captured.get() or "tone 0.0005" in captured.get()
