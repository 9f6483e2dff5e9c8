"""The house itself: imports go one way, the command line starts without torch, the package is complete."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import artrestore

SOURCE = Path(artrestore.__file__).parent
# A room may import from rooms further down, never from its own row's other rooms, never up.
ROWS = [
    {"cli"},
    {"restoration", "training", "scoring", "comparing", "sampling", "damaging"},
    {"reporting", "matching"},
    {"models"},
    {"weights"},
    {"losses", "metrics", "tiling", "pairing", "damage", "uncertainty"},
    {"io", "lookup"},
    {"errors"},
]
LEVEL = {room: row for row, rooms in enumerate(ROWS) for room in rooms}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("artrestore.")}


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down_only(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return
    for name in imports_of(path):
        other = room_of(name)
        if other in LEVEL and other != room:
            assert LEVEL[other] > LEVEL[room], f"{room} imports {name}"


def test_every_room_has_its_row() -> None:
    rooms = {
        p.name.removesuffix(".py") for p in SOURCE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert rooms - {"__init__", "__main__"} == set(LEVEL)


def test_files_stay_small() -> None:
    long = {str(p): n for p in SOURCE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert not long


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], *([name, "--help"] for name in ("train", "restore", "sample", "compare"))],
)
def test_help_and_version_load_no_torch(arguments: list[str]) -> None:
    program = (
        f"import sys; from artrestore.cli.app import app; sys.argv[1:] = {arguments}\n"
        "try: app()\n"
        "except SystemExit as exit: assert not exit.code, exit.code\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'PIL', 'skimage', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_loads_no_torch_but_offers_the_three_calls() -> None:
    program = (
        "import sys, artrestore; assert 'torch' not in sys.modules\n"
        "assert artrestore.load_model and artrestore.restore and artrestore.score\n"
        "assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_unknown_attribute_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = artrestore.nonsense
