"""What is shipped: a wheel with the presets and the lessons in it, that works away from the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip("hatchling", reason="building needs hatchling")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source") / "checkout"
    ignore = shutil.ignore_patterns(".*cache*", "__pycache__", ".venv", ".git", "dist", "build", ".benchmarks")
    shutil.copytree(ROOT, source, ignore=ignore)
    script = "from hatchling.build import build_wheel; print(build_wheel('dist'))"
    found = subprocess.run([sys.executable, "-c", script], cwd=source, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return source / "dist" / found.stdout.strip().splitlines()[-1]


def test_the_wheel_holds_presets_lessons_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"backprop_cli/presets/mazur.toml", "backprop_cli/py.typed", "backprop_cli/lessons/README.md"} <= names
    assert {
        f"backprop_cli/{path.relative_to(ROOT / 'backprop_cli')}" for path in ROOT.glob("backprop_cli/**/*.py")
    } <= names
    assert not [name for name in names if name.startswith(("tests", "lessons"))]


def test_the_wheel_runs_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    command = [sys.executable, "-m", "backprop_cli", "step", "mazur", "--no-check"]
    found = subprocess.run(command, cwd=tmp_path / "site", capture_output=True, text=True, encoding="utf-8")
    assert found.returncode == 0
    assert "0.298371" in found.stdout
