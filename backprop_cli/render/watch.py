"""Watching a training while it runs: a bar on a terminal, now and then a line elsewhere, both on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from backprop_cli.language import tr
from backprop_cli.notation import number
from backprop_cli.render.blocks import labelled
from backprop_cli.render.progress import PATIENCE
from backprop_cli.training import Training

PAUSE = 0.1
"""Seconds between two looks at the bar; a step may take less than it takes to draw it."""


def watch(training: Training, after: Callable[[Training], None], quiet: bool = False) -> None:
    """Run the training to its end, and call `after` whenever an epoch is over."""
    if quiet or not sys.stderr.isatty():
        _in_lines(training, after, quiet)
        return
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[more]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    total = training.steps * training.recipe.epochs
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(tr("training"), total=total, completed=training.state.step, more="")
        looked = time.monotonic()

        def tell(step: int, loss: float) -> None:
            nonlocal looked
            if (now := time.monotonic()) - looked > PAUSE:
                looked = now
                bar.update(task, completed=step, more=_told(training, len(training.state.history) + 1, loss))

        for _ in training.run(tell):
            after(training)


def _in_lines(training: Training, after: Callable[[Training], None], quiet: bool) -> None:
    last = time.monotonic()
    for record in training.run():
        after(training)
        if not quiet and time.monotonic() - last > PATIENCE:
            last = time.monotonic()
            print(
                labelled(tr("training"), _told(training, record["epoch"], record["loss"])), file=sys.stderr, flush=True
            )


def _told(training: Training, epoch: int, loss: float) -> str:
    """Where the training is."""
    told = {"epoch": epoch, "epochs": training.recipe.epochs, "loss": number(loss, 4).text}
    return tr("epoch {epoch} of {epochs}, loss {loss}", **told)
