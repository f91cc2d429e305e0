"""`backprop doctor`: what this program runs on, and what this terminal can show."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.options import OUTPUT, option, screen_options
from backprop_cli.commands.page import GroupedCommand
from backprop_cli.language import current, later, tr

PACKAGES = ("numpy", "click", "rich", "sympy", "platformdirs", "filelock", "markdown-it-py")
SETTINGS = (
    "TERM",
    "COLUMNS",
    "NO_COLOR",
    "FORCE_COLOR",
    "BACKPROP_PLAIN",
    "ACCESSIBLE",
    "BACKPROP_AMBIGUOUS",
    "BACKPROP_LANG",
    "BACKPROP_HOME",
    "LC_ALL",
    "LC_MESSAGES",
    "LANG",
    "PYTHONIOENCODING",
)
SAMPLE = {
    later("signs"): "∂L/∂W₁ = δ₁·xᵀ,  Σᵢ σ(z) − y² ≤ ½ → ✓",
    later("letters"): "反向传播",
}
"""What should come out as it is, or in another spelling; never as garbage."""


@click.command(cls=GroupedCommand)
@option("--mistakes", group=OUTPUT, is_flag=True, help="Print the catalogue of mistakes that grading knows.")
@option("--json", "as_json", group=OUTPUT, is_flag=True, help="One JSON document.")
@screen_options
def doctor(mistakes: bool, as_json: bool, plain: bool, colour: Any) -> None:
    """Report on this installation and this terminal.

    \b
    Example: backprop doctor

    It measures how wide your terminal draws a sign such as ─, and says how the language and the colours were chosen.
    """
    output = bp.Output(as_json=as_json, plain=plain, colour=colour)
    if mistakes:
        if as_json:
            output.document(bp.catalogue_document)
        else:
            output.report(bp.catalogue_blocks(), "backprop doctor --mistakes")
        return
    screen = bp.look_at(sys.stdout, plain, colour)
    measured = None if as_json else bp.ambiguous_width()
    facts = {**installation(), **terminal(screen, measured, colour)}
    if as_json:
        named = {name.replace(" ", "_"): text for name, text in facts.items()}
        output.document(lambda: {"schema": "backprop.doctor/1", **named})
        return
    samples = SAMPLE if current().language == "zh" else {"signs": SAMPLE["signs"]}
    output.report(bp.facts({tr(name): tr(text) for name, text in {**facts, **samples}.items()}), "backprop doctor")
    if measured == 2 and not screen.wide:
        click.echo(tr("This terminal draws some signs two columns wide; BACKPROP_AMBIGUOUS=2 keeps lines straight."))


def installation() -> dict[str, str]:
    """What runs: the versions of everything, and where it is."""
    return {
        "backprop": bp.__version__,
        "python": f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        **{name: _version(name) for name in PACKAGES},
        later("program"): _home(Path(bp.__file__).parent),
        later("interpreter"): _home(Path(sys.executable)),
        later("progress"): _home(bp.progress_home()),
    }


def terminal(screen: Any, measured: int | None, colour: str) -> dict[str, str]:
    """What it writes to, and why it writes as it does."""
    coloured, why = bp.wants_colour(sys.stdout, screen.plain, colour)
    wish = current()
    ambiguous = (
        "2, BACKPROP_AMBIGUOUS" if screen.wide else f"{measured}, measured" if measured else later("not measured")
    )
    return {
        later("terminal"): _yes(sys.stdout.isatty()),
        later("encoding"): sys.stdout.encoding or later("unknown"),
        later("glyphs"): screen.glyphs,
        later("width"): str(screen.width),
        later("ambiguous width"): ambiguous,
        later("colour"): _yes(coloured),
        later("colour decided by"): why,
        later("plain"): _yes(screen.plain),
        later("language"): wish.language,
        later("language decided by"): wish.source or later("default"),
        later("settings"): ", ".join(f"{name}={os.environ[name]}" for name in SETTINGS if name in os.environ)
        or later("none"),
    }


def _yes(fact: bool) -> str:
    return later("yes") if fact else later("no")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return later("missing")


def _home(path: Path) -> str:
    """A path with the home folder as ~."""
    text, home = str(path), str(Path.home())
    return "~" + text[len(home) :] if text.startswith(home) else text
