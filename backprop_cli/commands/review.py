"""`backprop review`: what was learnt, asked again when it is due."""

from __future__ import annotations

from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.options import OUTPUT_KEYS, screen_options
from backprop_cli.commands.page import GroupedCommand
from backprop_cli.commands.play import converse
from backprop_cli.language import tr


@click.command(cls=GroupedCommand)
@screen_options
def review(**options: Any) -> None:
    """Ask again what is due, with fresh numbers.

    \b
    Example: backprop review

    A question comes again after 1, 2, 4, 8 and 16 days, as long as it is answered right; after a wrong answer it begins
    anew.
    """
    output = bp.Output(**{name: options.pop(name) for name in OUTPUT_KEYS if name in options})
    progress = bp.Progress(bp.progress_home())
    with progress.alone():
        player = bp.review(progress)
        if player is None:
            output.report([bp.Outcome(True, tr("Nothing is due. backprop lesson next goes on."))], "backprop review")
        else:
            converse(player, output, "backprop review")
