"""`backprop check`: every gradient of a network, in every entry, against independent witnesses or somebody's claims."""

from __future__ import annotations

from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.options import (
    SHOW,
    all_of,
    digits_option,
    network_options,
    option,
    output_options,
    problem_argument,
    sort_out,
)
from backprop_cli.commands.page import GroupedCommand
from backprop_cli.language import tr

check_options = all_of(
    [
        option(
            "--witness",
            "witnesses",
            group=SHOW,
            type=click.Choice(["symbolic", "finite_difference", "complex_step"]),
            multiple=True,
            help="This witness; may be given more than once. All, if not given.",
        ),
        option(
            "--sample",
            group=SHOW,
            type=click.IntRange(min=1),
            metavar="N",
            help="Look at N entries of each gradient instead of all.",
        ),
        option(
            "--against",
            group=SHOW,
            metavar="FILE",
            help="Check the gradients in this .npz, .json or .safetensors file against ours.",
        ),
        digits_option,
    ]
)


@click.command(cls=GroupedCommand)
@problem_argument
@network_options
@check_options
@output_options
def check(**options: Any) -> int:
    """Check every gradient of a network; exit code 1 if one is wrong.

    \b
    Examples: backprop check mazur
              backprop check --net 784-128-10 --witness finite_difference
              backprop check mazur --against my-gradients.npz

    The worst comes first. PROBLEM is a network such as 3-4-2, a preset, or a TOML or JSON file.
    """
    network, output, shown = sort_out(options)
    if shown["against"] and (shown["witnesses"] or shown["sample"]):
        raise click.UsageError(tr("--against compares with a file; --witness and --sample do not go with it."))
    run = bp.step(**network)
    if shown["against"]:
        found = run.compare(shown["against"])
    else:
        witnesses = shown["witnesses"] or bp.WITNESSES
        todo = run.checks(witnesses, shown["sample"], exhaustive=True)
        found = list(bp.progress(todo, len(witnesses) * len(run.problem.params), tr("checking"), output.quiet))
    checks = bp.Checks(bp.worst_first(found))
    if output.wants_json:
        output.document(lambda: bp.check_document(run.problem, run.trace, checks))
    else:
        view = bp.View(only="check", digits=shown["digits"])
        output.report(run.blocks(view, checks), f"backprop check {run.name}")
    return checks.exit_code
