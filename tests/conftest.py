"""What several test files share: running the program as a person would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

os.environ["BACKPROP_LANG"] = "en"  # whoever runs the tests may have another
ROOT = Path(__file__).parent.parent
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def backprop(tmp_path: Path) -> Run:
    """Run `backprop` with some arguments in an empty folder; the environment is clean but for what is given."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
        settings = {"PYTHONUTF8": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "80", **(env or {})}
        command = [sys.executable, "-m", "backprop_cli", *arguments]
        return subprocess.run(command, capture_output=True, input=stdin, env=kept | settings, cwd=tmp_path, timeout=120)

    return run
