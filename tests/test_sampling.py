"""Generating pictures: from the prior, from fitted densities, between pictures; and how near they come to real."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from artrestore.errors import UnsupportedError, UsageError
from artrestore.io.weights_file import read_header, read_tensors, write_weights
from artrestore.models.layers import DiagonalGaussian
from artrestore.models.loading import LoadedModel, load_model
from artrestore.reporting.animation import ANIMATED_SUFFIXES, save_animation
from artrestore.sampling.density import Density, fit_gaussian, fit_mixture
from artrestore.sampling.encodings import encode, read_squares, read_whole
from artrestore.sampling.generating import draw_latents, generate
from artrestore.sampling.options import SampleOptions
from artrestore.sampling.quality import energy_distance, features, real_distance
from artrestore.sampling.walks import between, round_walk
from conftest import save_smooth, smooth_picture, write_tiny_weights


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedModel:
    return load_model(write_tiny_weights(tmp_path / "a.safetensors", "conv-vae"), device="cpu")


@pytest.fixture
def folder() -> Path:
    for index in range(12):
        save_smooth(Path(f"pictures/{index}.png"), 80, 64, seed=index)
    return Path("pictures")


# The prior


def draw_samples(loaded: LoadedModel, count: int, **options: Any) -> torch.Tensor:
    return generate(loaded, draw_latents(loaded, count, **options))


def test_samples_follow_the_seed_and_the_temperature(loaded: LoadedModel) -> None:
    first, again, other = (draw_samples(loaded, 70, seed=seed) for seed in (1, 1, 2))
    assert first.shape == (70, 3, 32, 32)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    calm = draw_samples(loaded, 8, seed=1, temperature=0)
    assert torch.equal(calm[0], calm[7])


def test_a_model_that_cannot_generate_says_so_and_names_those_that_can(tiny_weights: Path) -> None:
    with pytest.raises(UnsupportedError) as caught:
        draw_samples(load_model(tiny_weights, device="cpu"), 4)
    assert "skip-vae" in caught.value.message
    assert "conv-vae, resnet-vae" in caught.value.hint


# Densities


def spread(count: int = 4000) -> DiagonalGaussian:
    """Encodings whose aggregated posterior is known: means correlated, variances 0.25 and 1."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 2, generator=generator)
    mu = torch.stack([3 + x[:, 0], -1 + x[:, 0] + 0.1 * x[:, 1]], dim=1)
    return DiagonalGaussian(mu, torch.tensor([0.25, 1.0]).log().expand(count, 2))


def test_a_gaussian_has_the_mean_and_covariance_of_the_aggregated_posterior() -> None:
    posterior = spread()
    drawn = fit_gaussian(posterior).draw(50_000, torch.Generator().manual_seed(1)).double()
    sampled = posterior.sample().double()
    torch.testing.assert_close(drawn.mean(0), sampled.mean(0), atol=0.06, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), sampled.T.cov(), atol=0.1, rtol=0)


def test_a_gaussian_can_be_fitted_to_fewer_pictures_than_dimensions() -> None:
    density = fit_gaussian(DiagonalGaussian(torch.randn(3, 40), torch.full((3, 40), -2.0)))
    assert torch.isfinite(density.draw(5, torch.Generator().manual_seed(0))).all()


def test_a_mixture_finds_clusters_that_one_gaussian_fills_in() -> None:
    mu = torch.cat([torch.full((300, 2), -4.0), torch.full((300, 2), 4.0)])
    posterior = DiagonalGaussian(mu, torch.full((600, 2), -3.0))
    mixture, gaussian = fit_mixture(posterior, components=2), fit_gaussian(posterior)

    def between_clusters(density: Density) -> float:
        drawn = density.draw(1000, torch.Generator().manual_seed(0))
        return float((drawn[:, 0].abs() < 2).float().mean())

    assert between_clusters(mixture) == 0
    assert between_clusters(gaussian) > 0.2


def test_the_temperature_draws_a_density_to_the_means_of_its_components() -> None:
    density = fit_gaussian(spread())
    still = density.draw(3, torch.Generator().manual_seed(0), 0.0)
    torch.testing.assert_close(still, density.means.float().expand(3, 2))


def test_a_mixture_without_scikit_learn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UsageError) as caught:
        fit_mixture(spread(100))
    assert "artrestore[generate]" in caught.value.hint


def test_too_few_pictures_for_a_mixture_are_refused() -> None:
    with pytest.raises(UsageError, match="3 pictures are too few"):
        fit_mixture(spread(3))


# Encodings


def test_pictures_are_read_as_the_network_learnt_to_see_them(loaded: LoadedModel, folder: Path) -> None:
    squares = read_squares(loaded, folder)
    assert len(squares) == 12
    assert {tuple(group.shape[1:]) for group in squares} == {(3, 32, 32)}
    assert torch.equal(torch.cat(squares), torch.cat(read_squares(loaded, folder)))
    header = read_header(loaded.path)
    whole = Path("whole.safetensors")
    write_weights(whole, read_tensors(loaded.path), type(header)(
        architecture=header.architecture, config=header.config, training={"settings": {"fit": "resize"}}, shapes={}
    ))  # fmt: skip
    of_whole = load_model(whole, device="cpu")
    assert [len(group) for group in read_squares(of_whole, folder)] == [1] * 12
    narrow = save_smooth(Path("narrow.png"), 32, 64)
    middle, squeezed = (read_whole(network, [narrow])[0] for network in (loaded, of_whole))
    expected = torch.from_numpy(smooth_picture(32, 64)[16:48].copy()).permute(2, 0, 1) / 255
    torch.testing.assert_close(middle, expected)
    assert not torch.allclose(squeezed, middle, atol=0.05)


def test_encodings_are_the_networks_posterior(loaded: LoadedModel, folder: Path) -> None:
    pictures = read_whole(loaded, sorted(folder.iterdir()))
    found = encode(loaded, pictures)
    torch.testing.assert_close(found.mu, loaded.model.infer(pictures).mu)
    torch.testing.assert_close(generate(loaded, found.mu), loaded.model(pictures))


# Walks


def test_a_spherical_way_keeps_the_length_and_begins_and_ends_where_it_should() -> None:
    a, b = torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0.0, 3.0, 0.0])
    way = between(a, b, torch.linspace(0, 1, 5))
    torch.testing.assert_close(way.norm(dim=1), torch.full((5,), 3.0))
    torch.testing.assert_close(way[[0, -1]], torch.stack([a, b]))
    straight = between(a, b, torch.linspace(0, 1, 5), spherical=False)
    torch.testing.assert_close(straight[2], (a + b) / 2)


@pytest.mark.parametrize("second", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_a_way_along_one_line_is_straight(second: list[float]) -> None:
    way = between(torch.tensor([1.0, 0.0]), torch.tensor(second), torch.tensor([0.5]))
    torch.testing.assert_close(way[0], (torch.tensor([1.0, 0.0]) + torch.tensor(second)) / 2)


def test_a_walk_passes_by_all_stops_and_closes() -> None:
    stops = torch.eye(4)
    walk = round_walk(stops)
    step = len(walk) // 4
    torch.testing.assert_close(walk[::step], stops)
    gaps = (walk.roll(-1, 0) - walk).norm(dim=1)
    assert gaps.max() < 1.01 * gaps.min()


# Quality


def test_the_distance_is_about_zero_among_the_same_sort_and_grows_with_blur_and_with_other_colours() -> None:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(200, 3, 8, 8, generator=generator)
    pictures = torch.nn.functional.interpolate(coarse, size=64, mode="bicubic").clamp(0, 1)
    pictures = (pictures + 0.05 * torch.randn(pictures.shape, generator=generator)).clamp(0, 1)
    one, other = pictures[:100], pictures[100:]
    alike = energy_distance(one, other)
    blurred = torch.nn.functional.avg_pool2d(other, 5, 1, 2)
    assert abs(alike) < 0.1
    assert energy_distance(one, blurred) > 10 * abs(alike)
    assert energy_distance(one, 0.5 * other) > 10 * abs(alike)
    assert real_distance(list(pictures.split(2))) == pytest.approx(alike, abs=0.1)


def test_features_are_of_simple_things() -> None:
    flat = features(torch.full((1, 3, 64, 64), 0.5))
    assert flat.shape == (1, 224)
    assert flat[0, :192].tolist() == pytest.approx([0.5] * 192)
    assert flat[0, 192:].tolist() == pytest.approx([float(np.log(1e-3))] * 32)


# The command


@pytest.mark.parametrize("posterior", ["gaussian", "mixture"])
def test_the_command_draws_from_a_fitted_density(run, loaded: LoadedModel, folder: Path, posterior: str) -> None:
    drawn = []
    for out in ("a.png", "b.png"):
        result = run(
            "sample",
            "-n",
            4,
            "--posterior",
            posterior,
            "--pictures",
            folder,
            "--weights",
            loaded.path,
            "--out",
            out,
        )
        assert result.exit_code == 0, result.output
        assert f"drawn from a {posterior} fitted to the encodings" in result.output
        drawn.append(Path(out).read_bytes())
    assert drawn[0] == drawn[1]


def test_the_command_goes_from_one_picture_to_another(run, loaded: LoadedModel, folder: Path) -> None:
    ends = [folder / "0.png", folder / "1.png"]
    options = ("--weights", loaded.path, "--separate", "steps", "--animate", "walk.gif", "-n", 5)
    result = run("sample", "--interpolate", *ends, *options)
    assert result.exit_code == 0, result.output
    expected = generate(loaded, encode(loaded, read_whole(loaded, ends)).mu)
    for index, picture in ((1, expected[0]), (5, expected[1])):
        with Image.open(f"steps/sample-{index:04d}.png") as shown:
            pixels = np.asarray(shown) / 255
            np.testing.assert_allclose(pixels, picture.permute(1, 2, 0).numpy(), atol=0.003)
    assert Path("walk.gif").exists()


def test_the_command_shows_what_is_left_of_pictures(run, loaded: LoadedModel, folder: Path) -> None:
    result = run("sample", "--reconstruct", folder, "-n", 4, "--weights", loaded.path)
    assert result.exit_code == 0, result.output
    assert "4 pairs" in result.output
    with Image.open("samples.png") as grid:
        assert grid.size == (4 * 34 + 2, 2 * 34 + 2)


def test_the_command_animates_a_walk_and_tells_the_distance(run, loaded: LoadedModel, folder: Path) -> None:
    result = run(
        "sample", "-n", 3, "--weights", loaded.path, "--animate", "walk.webp", "--distance", folder, "--seed", 2
    )
    assert result.exit_code == 0, result.output
    assert "Energy distance of simple features" in result.output
    assert Path("walk.webp").exists()


@pytest.mark.parametrize("suffix", ANIMATED_SUFFIXES)
def test_an_animation_holds_all_frames_and_never_ends(suffix: str) -> None:
    frames = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    save_animation(Path(f"walk{suffix}"), frames)
    with Image.open(f"walk{suffix}") as walk:
        assert walk.n_frames == 5
        assert walk.info["loop"] == 0


def test_what_does_not_go_together_is_refused() -> None:
    out = Path("a.png")
    for wrong in (
        {"posterior": "gaussian"},
        {"pictures": Path("x")},
        {"interpolate": (out, out), "reconstruct": Path("x")},
        {"reconstruct": Path("x"), "animate": Path("a.gif")},
        {"restore": Path("x"), "distance": Path("x")},
        {"animate": Path("a.mp4")},
        {"count": 0},
        {"temperature": -1.0},
    ):
        with pytest.raises(UsageError):
            SampleOptions(out=Path("grid.png"), **wrong)


def test_pictures_that_are_read_are_never_written_over(run, loaded: LoadedModel, folder: Path) -> None:
    before = (folder / "0.png").read_bytes()
    result = run(
        "sample", "--interpolate", folder / "0.png", folder / "1.png", "--out", folder / "0.png", "--overwrite",
        "--weights", loaded.path,
    )  # fmt: skip
    assert result.exit_code == 6
    assert (folder / "0.png").read_bytes() == before
    for option in ("--reconstruct", "--distance"):
        options = (option, folder, "--out", folder / "0.png", "--overwrite", "--weights", loaded.path)
        assert run("sample", *options).exit_code == 6
        assert (folder / "0.png").read_bytes() == before


def test_too_few_real_pictures_for_a_distance_are_an_input_error(run, loaded: LoadedModel) -> None:
    save_smooth(Path("few/a.png"))
    result = run("sample", "-n", 4, "--weights", loaded.path, "--distance", "few")
    assert result.exit_code == 3
    assert "too few" in result.stderr


def test_latents_of_a_seed_are_the_same_again(loaded: LoadedModel) -> None:
    assert torch.equal(draw_latents(loaded, 4, seed=3), draw_latents(loaded, 4, seed=3))
