import math
import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from artrestore.errors import DiskFullError, OutputError, PairingError, UsageError
from artrestore.io.pictures import read_rgb
from artrestore.io.weights_file import WeightsHeader
from artrestore.models.base import ModelSpec, Surroundings, TileRule
from artrestore.models.loading import LoadedModel, load_model
from artrestore.restoration.batch import restore_batch, restore_folder
from artrestore.restoration.jobs import Plan
from artrestore.restoration.options import RestoreOptions
from artrestore.restoration.plan import plan_batch
from artrestore.restoration.restorer import Restorer
from conftest import save_smooth, smooth_picture


class Darker(nn.Module):
    """Stands in for a network: takes away a tenth."""

    name = "darker"
    spec = ModelSpec(summary="", can_sample=False)

    def __init__(self, rule: TileRule) -> None:
        super().__init__()
        self.tile_rule = rule
        self.seen: list[tuple[int, ...]] = []

    def forward(self, tiles: Tensor, around: Surroundings | None = None) -> Tensor:
        assert around is None
        self.seen.append(tuple(tiles.shape))
        return tiles * 0.9


def darker(rule: TileRule | None = None, **options: Any) -> Restorer:
    model = Darker(rule or TileRule(tile_size=32, overlap=16, fixed=True))
    header = WeightsHeader(architecture="darker", config={}, training={}, shapes={})
    loaded = LoadedModel(model=model, header=header, path=Path("x"), device=torch.device("cpu"))  # type: ignore[arg-type]
    return Restorer(loaded, **options)


def plan_of(source: Path, target: Path, **settings: Any) -> Plan:
    return plan_batch(RestoreOptions(source=source, target=target, **settings))


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (31, 33), (32, 32), (100, 70)])
def test_any_size_is_restored_and_kept(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((3, *size), dtype=np.float32)
    restorer = darker()
    np.testing.assert_allclose(restorer.restore(picture), picture * 0.9, atol=1e-6)
    assert {shape[2:] for shape in restorer.model.seen} == {(32, 32)}


@pytest.mark.parametrize("size", [(1, 1), (10, 33), (64, 64), (130, 70)])
def test_a_network_of_any_size_gets_multiples_and_no_more_padding_than_needed(size: tuple[int, int]) -> None:
    restorer = darker(TileRule(tile_size=64, overlap=16, multiple=8))
    picture = np.random.default_rng(0).random((3, *size), dtype=np.float32)
    np.testing.assert_allclose(restorer.restore(picture), picture * 0.9, atol=1e-6)
    for shape in restorer.model.seen:
        assert shape[2:] == tuple(min(64, 8 * math.ceil(side / 8)) for side in size)


def test_tiles_go_through_the_network_in_batches() -> None:
    restorer = darker(batch_size=3)
    restorer.restore(np.zeros((3, 32, 160), dtype=np.float32))
    assert [shape[0] for shape in restorer.model.seen] == [3, 3, 3]


def test_by_default_as_many_as_the_network_says() -> None:
    restorer = darker(TileRule(tile_size=32, overlap=16, fixed=True, batch_size=5))
    restorer.restore(np.zeros((3, 32, 160), dtype=np.float32))
    assert [shape[0] for shape in restorer.model.seen] == [5, 4]


@pytest.mark.parametrize("options", [{"tile_size": 64}, {"overlap": 32}, {"overlap": -1}])
def test_impossible_tiles_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        darker(**options)


@pytest.mark.parametrize("options", [{"tile_size": 60}, {"tile_size": 32, "overlap": 17}, {"tile_size": 0}])
def test_tiles_that_are_no_multiples_are_refused(options: dict[str, int]) -> None:
    rule = TileRule(tile_size=64, overlap=16, multiple=16)
    assert darker(rule, tile_size=32, overlap=16).overlap == 16
    with pytest.raises(UsageError) as refused:
        darker(rule, **options)
    option, tried = re.fullmatch(r"Try --(tile-size|overlap) (\d+)\.", refused.value.hint or "").groups()  # type: ignore[union-attr]
    darker(rule, **options | {option.replace("-", "_"): int(tried)})


def test_the_tree_is_mirrored_and_originals_are_untouched(tmp_path: Path) -> None:
    source = tmp_path / "in"
    files = [save_smooth(source / name) for name in ("a.png", "x/a.jpg", "x/y/ü (1).tif")]
    before = [file.read_bytes() for file in files]
    results = list(restore_batch(plan_of(source, tmp_path / "out"), darker()))
    assert [result.outcome for result in results] == ["restored"] * 3
    for file in files:
        assert (tmp_path / "out" / file.relative_to(source)).exists()
    assert [file.read_bytes() for file in files] == before


def test_how_much_was_changed_is_measured(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    Image.new("RGB", (40, 40), (200, 200, 200)).save(source / "a.png")
    (result,) = restore_batch(plan_of(source, tmp_path / "out"), darker())
    assert result.change == pytest.approx(20, abs=0.01)
    assert result.size == (40, 40)
    assert result.seconds > 0
    assert result.before is None


def test_metrics_before_and_after_are_those_of_the_files(tmp_path: Path) -> None:
    clear = smooth_picture(40, 40)
    for folder, pixels in (("clear", clear), ("in", np.clip(clear / 0.9, 0, 255).astype(np.uint8))):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "a.png")
    plan = plan_of(tmp_path / "in", tmp_path / "out", clear=tmp_path / "clear")
    (result,) = restore_batch(plan, darker())
    assert result.before
    assert result.after
    assert result.after.psnr > result.before.psnr
    written, reference = read_rgb(tmp_path / "out/a.png"), read_rgb(tmp_path / "clear/a.png")
    assert result.after.mse == pytest.approx(
        float(np.mean((written - reference) ** 2, dtype=np.float64)), rel=1e-4
    )


def test_one_unreadable_picture_fails_alone(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for name in ("a.png", "c.png"):
        save_smooth(source / name)
    (source / "b.png").write_bytes(b"not a picture")
    results = list(restore_batch(plan_of(source, tmp_path / "out"), darker()))
    assert [result.outcome for result in results] == ["restored", "failed", "restored"]
    assert "not a picture" in results[1].reason
    assert not (tmp_path / "out/b.png").exists()


def test_a_network_that_fails_fails_that_picture(tmp_path: Path) -> None:
    source = tmp_path / "in"
    save_smooth(source / "a.png")
    restorer = darker()

    def explode(*_: object) -> Tensor:
        raise RuntimeError("shapes do not match")

    restorer.model.forward = explode  # type: ignore[method-assign]
    (result,) = restore_batch(plan_of(source, tmp_path / "out"), restorer)
    assert (result.outcome, result.reason) == ("failed", "shapes do not match")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_no_numbers_fail_the_picture_and_are_not_written(tmp_path: Path, value: float) -> None:
    save_smooth(tmp_path / "in/a.png")
    restorer = darker()
    restorer.model.forward = lambda tiles, _: tiles * value  # type: ignore[method-assign]
    (result,) = restore_batch(plan_of(tmp_path / "in", tmp_path / "out"), restorer)
    assert result.outcome == "failed"
    assert "no numbers" in result.reason
    assert not (tmp_path / "out/a.png").exists()


def test_tiles_on_which_bf16_fails_are_done_again_in_float32() -> None:
    restorer = darker(precision="bf16")

    def fails_in_bf16(tiles: Tensor, _: None) -> Tensor:
        return tiles * (math.nan if torch.is_autocast_enabled("cpu") else 0.9)

    restorer.model.forward = fails_in_bf16  # type: ignore[method-assign]
    picture = np.random.default_rng(0).random((3, 40, 40), dtype=np.float32)
    np.testing.assert_allclose(restorer.restore(picture), picture * 0.9, atol=1e-6)


def test_a_picture_too_small_to_measure_is_restored_all_the_same(tmp_path: Path) -> None:
    for folder in ("in", "clear"):
        save_smooth(tmp_path / folder / "a.png", 8, 8)
    plan = plan_of(tmp_path / "in", tmp_path / "out", clear=tmp_path / "clear")
    (result,) = restore_batch(plan, darker())
    assert (result.outcome, result.after, result.reason) == ("restored", None, "too small for metrics")


def test_an_output_that_cannot_be_written_fails_alone(tmp_path: Path) -> None:
    for name in ("x/a.png", "z.png"):
        save_smooth(tmp_path / "in" / name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x").write_text("a file where a folder is needed")
    results = list(restore_batch(plan_of(tmp_path / "in", tmp_path / "out"), darker()))
    assert [result.outcome for result in results] == ["failed", "restored"]


def test_a_clear_picture_of_another_size_fails_that_picture(tmp_path: Path) -> None:
    save_smooth(tmp_path / "in/a.png", 40, 40)
    save_smooth(tmp_path / "clear/a.png", 41, 40)
    plan = plan_of(tmp_path / "in", tmp_path / "out", clear=tmp_path / "clear")
    (result,) = restore_batch(plan, darker())
    assert result.outcome == "failed"
    assert "40 x 40" in result.reason
    assert "41 x 40" in result.reason


def test_a_disk_that_fills_up_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_smooth(tmp_path / "in/a.png")

    def full(*_: object) -> None:
        raise DiskFullError("No space left")

    monkeypatch.setattr("artrestore.restoration.steps.write_picture", full)
    with pytest.raises(DiskFullError):
        list(restore_batch(plan_of(tmp_path / "in", tmp_path / "out"), darker()))


def skipped(plan: Plan) -> list[str]:
    return [job.skip_reason for job in plan.jobs]


def test_what_is_there_is_skipped_unless_overwritten(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "b.png"):
        save_smooth(source / name)
    save_smooth(target / "a.png")
    assert skipped(plan_of(source, target)) == ["already there, and the journal does not know it", ""]
    assert skipped(plan_of(source, target, overwrite=True)) == ["", ""]


def test_outputs_never_fall_on_originals(tmp_path: Path) -> None:
    save_smooth(tmp_path / "in/x/a.png")
    for source, target in (("in", "in"), ("in", "in/x/.."), ("in", "."), ("in/x", "in"), ("in/x/a.png", "in/x")):
        with pytest.raises(OutputError, match="never written over"):
            plan_of(tmp_path / source, tmp_path / target)
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(OutputError, match="never written over"):
        plan_of(tmp_path / "in", tmp_path / "link")


def test_links_do_not_lead_outputs_onto_originals(tmp_path: Path) -> None:
    save_smooth(tmp_path / "in/sub/a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "in/sub")
    save_smooth(tmp_path / "archive/b.png")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/b.png").symlink_to(tmp_path / "archive/b.png")
    for source, target in (("in", "out"), ("links", "archive")):
        with pytest.raises(OutputError, match="never written over"):
            plan_of(tmp_path / source, tmp_path / target, overwrite=True)


def test_an_output_folder_inside_the_input_is_not_restored_again(tmp_path: Path) -> None:
    save_smooth(tmp_path / "a.png")
    save_smooth(tmp_path / "out/old.png")
    plan = plan_of(tmp_path, tmp_path / "out")
    assert [job.name for job in plan.jobs] == [PurePosixPath("a.png")]


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    save_smooth(tmp_path / "in/A.png")
    save_smooth(tmp_path / "in/a.png")
    with pytest.raises(OutputError) as caught:
        plan_of(tmp_path / "in", tmp_path / "out")
    assert caught.value.details == ("A.png and a.png",)


def test_a_single_picture_can_be_restored(tmp_path: Path) -> None:
    plan = plan_of(save_smooth(tmp_path / "in/a.png"), tmp_path / "out")
    assert [job.target for job in plan.jobs] == [tmp_path / "out/a.png"]


def test_a_picture_without_its_clear_one_stops_before_work(tmp_path: Path) -> None:
    save_smooth(tmp_path / "in/a.png")
    save_smooth(tmp_path / "clear/b.png")
    with pytest.raises(PairingError):
        plan_of(tmp_path / "in", tmp_path / "out", clear=tmp_path / "clear")


def test_the_same_file_in_gives_the_same_file_out(tmp_path: Path, tiny_weights: Path) -> None:
    save_smooth(tmp_path / "in/a.png", 90, 70)
    for out in ("one", "two"):
        (result,) = restore_folder(tmp_path / "in", tmp_path / out, weights=tiny_weights, device="cpu")
        assert result.outcome == "restored"
    assert (tmp_path / "one/a.png").read_bytes() == (tmp_path / "two/a.png").read_bytes()


def test_neighbours_in_a_batch_do_not_matter(tiny_weights: Path) -> None:
    picture = np.random.default_rng(0).random((3, 90, 70), dtype=np.float32)
    loaded = load_model(tiny_weights, device="cpu")
    one, many = (Restorer(loaded, batch_size=size, precision="fp32").restore(picture) for size in (1, 16))
    np.testing.assert_allclose(one, many, atol=1e-5)
