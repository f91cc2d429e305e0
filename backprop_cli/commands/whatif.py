"""`backprop whatif`: change a number and see what moves."""

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
    sort_out,
)
from backprop_cli.commands.page import GroupedArgument, GroupedCommand
from backprop_cli.language import tr

whatif_options = all_of(
    [
        option("--sweep", group=SHOW, metavar="LO:HI:N", help="Draw L for N values of the number, and the tangent."),
        digits_option,
    ]
)


@click.command(cls=GroupedCommand)
@click.argument("changes", cls=GroupedArgument, nargs=-1, required=True, metavar="ADDRESS=VALUE... [PROBLEM]")
@network_options
@whatif_options
@output_options
def whatif(changes: tuple[str, ...], **options: Any) -> None:
    """Change numbers of a step, and see what moves, what does not, and what the slope would have promised.

    \b
    Examples: backprop whatif W2[2,1]=-0.5 mazur
              backprop whatif "x[1]=0.5" "x[2]=0" --net 2-2-1
              backprop whatif W1[1,1]=1 mazur --sweep -4:4:81 -o loss.svg

    The last word may be the PROBLEM: a network such as 3-4-2, a preset, or a TOML or JSON file.
    """
    *words, last = changes
    problem = None if "=" in last and "(" not in last and not last.endswith((".toml", ".json")) else last
    if problem is None:
        words.append(last)
    if not words:
        raise click.UsageError(tr("Name a change, such as W2[2,1]=-0.5."))
    network, output, shown = sort_out({**options, "problem": problem})
    run = bp.step(**network)
    found = run.whatif(*words, digits=shown["digits"])
    plot = found.sweep(*bp.read_sweep(shown["sweep"])) if shown["sweep"] else None
    if output.wants_json:
        output.document(lambda: bp.whatif_document(run.problem, found, plot))
    elif plot and output.output.endswith(".svg"):
        output.save(bp.plot_svg(plot))
    else:
        output.report([*found.blocks(), *([plot] if plot else [])], f"backprop whatif {' '.join(words)}")
