"""`backprop doctor`: what this program runs on, and what this terminal can show."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

import backprop_cli as bp

PACKAGES = ("numpy", "click", "rich", "sympy")
SETTINGS = (
    "TERM",
    "COLUMNS",
    "NO_COLOR",
    "FORCE_COLOR",
    "BACKPROP_PLAIN",
    "ACCESSIBLE",
    "BACKPROP_AMBIGUOUS",
    "LANG",
    "PYTHONIOENCODING",
)
SAMPLE = "∂L/∂W₁ = δ₁·xᵀ,  Σᵢ σ(z) − y² ≤ ½ → ✓"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--plain", is_flag=True, envvar="BACKPROP_PLAIN", show_envvar=True, help="ASCII only.")
def doctor(as_json: bool, plain: bool) -> None:
    """Report on this installation and this terminal.

    \b
    Example: backprop doctor
    """
    screen = bp.look_at(sys.stdout, plain)
    output = bp.Output(as_json=as_json, plain=plain)
    facts = {
        "backprop": bp.__version__,
        "python": f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        **{name: _version(name) for name in PACKAGES},
        "program": _home(Path(bp.__file__).parent),
        "terminal": "yes" if sys.stdout.isatty() else "no",
        "encoding": sys.stdout.encoding or "unknown",
        "glyphs": screen.glyphs,
        "width": str(screen.width),
        "colour": "yes" if screen.colour else "no",
        "plain": "yes" if screen.plain else "no",
        "settings": ", ".join(f"{name}={os.environ[name]}" for name in SETTINGS if name in os.environ) or "none",
    }
    if as_json:
        output.document(lambda: {"schema": "backprop.doctor/1", **facts})
        return
    output.report(bp.facts({**facts, "sample": SAMPLE}), "backprop doctor")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _home(path: Path) -> str:
    """A path with the home folder as ~."""
    text, home = str(path), str(Path.home())
    return "~" + text[len(home) :] if text.startswith(home) else text
