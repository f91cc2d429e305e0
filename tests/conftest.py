"""What several test files share: running the program as a person would."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pyte
import pytest

from backprop_cli import cli
from backprop_cli.language import current, speak, wanted

os.environ["BACKPROP_LANG"] = "en"  # whoever runs the tests may have another
os.environ["BACKPROP_HOME"] = tempfile.mkdtemp()  # what they have learnt is none of the tests' business
ROOT = Path(__file__).parent.parent
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def backprop(tmp_path: Path) -> Run:
    """Run `backprop` with some arguments in an empty folder; the environment is clean but for what is given."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
        settings = {
            "PYTHONUTF8": "1",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "80",
            "BACKPROP_HOME": str(tmp_path / "home"),
        }
        settings |= env or {}
        command = [sys.executable, "-m", "backprop_cli", *arguments]
        return subprocess.run(command, capture_output=True, input=stdin, env=kept | settings, cwd=tmp_path, timeout=120)

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same without a process of its own, which takes half a second less; nothing needs to be loaded again."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        settings = {"COLUMNS": "80", "BACKPROP_LANG": "en", "PATH": os.environ["PATH"]}
        settings |= {"BACKPROP_HOME": str(tmp_path / "home"), **(env or {})}
        encoding, _, errors = settings.get("PYTHONIOENCODING", "utf-8").partition(":")
        given, shown, said = (
            io.TextIOWrapper(io.BytesIO(content), encoding, errors or None) for content in (stdin, b"", b"")
        )
        said.reconfigure(errors="backslashreplace")
        with monkeypatch.context() as world:
            world.chdir(tmp_path)
            for name, stream in (("stdin", given), ("stdout", shown), ("stderr", said)):
                world.setattr(sys, name, stream)
            for name in os.environ.keys() - settings.keys():
                world.delenv(name)
            for name, value in settings.items():
                world.setenv(name, value)
            before = current()
            speak(wanted(arguments, os.environ))
            code = cli.run(list(arguments))
            speak(before)
        streams = (stream.buffer for stream in (shown, said) if not stream.flush())
        out, err = (stream.getvalue() for stream in streams)
        return subprocess.CompletedProcess(arguments, code, out, err)

    return run


def spawn(columns: int, *arguments: str, **more: str) -> tuple[pexpect.spawn, pyte.Screen]:
    """The program at a terminal of 24 lines, and a screen that shows what it would show."""
    env = {"TERM": "xterm", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PATH": "/usr/bin:/bin", **more}
    command = ["-m", "backprop_cli", *arguments]
    child = pexpect.spawn(sys.executable, command, env=env, dimensions=(24, columns), encoding="utf-8", timeout=30)
    return child, pyte.Screen(columns, 24)
