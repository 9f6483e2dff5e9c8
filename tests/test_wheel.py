"""The built wheel is what people install: it holds everything and runs outside the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import artrestore

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the tree with one more weight file in it."""
    out, tree = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "src/artrestore/weights").mkdir(exist_ok=True)
    (tree / "src/artrestore/weights/probe.safetensors").write_bytes(b"any weights")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", out, tree],
        check=True,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel], check=True
    )
    return site


def call(site: Path, *command: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_module_and_the_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    source = ROOT / "src"
    files = [*source.rglob("*.py"), *source.rglob("*.toml"), *source.rglob("*.safetensors")]
    expected = {str(path.relative_to(source)) for path in files} | {"artrestore/py.typed"}
    assert any("recipes" in name for name in expected)
    assert "artrestore/weights/probe.safetensors" in names
    assert expected <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_program_runs_from_the_wheel(installed: Path) -> None:
    where = call(installed, sys.executable, "-c", "import artrestore; print(artrestore.__file__)")
    assert Path(where.strip()).is_relative_to(installed)
    assert (
        call(installed, str(installed / "bin/artrestore"), "--version") == f"artrestore {artrestore.__version__}\n"
    )
    assert "skip-vae" in call(installed, sys.executable, "-m", "artrestore", "models")
