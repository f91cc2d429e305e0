"""`backprop why`: one number explained, with every path it takes to the loss."""

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
from backprop_cli.commands.page import GroupedArgument, GroupedCommand
from backprop_cli.language import tr

why_options = all_of(
    [
        option("--depth", group=SHOW, type=click.IntRange(0, 50), default=1, metavar="N", help="Steps to go back."),
        option("--paths", group=SHOW, type=click.IntRange(1, 1000), default=8, metavar="N", help="Paths to list."),
        digits_option,
        option("--check/--no-check", "checked", group=SHOW, default=True, help="Ask the witnesses about it."),
    ]
)


@click.command(cls=GroupedCommand)
@click.argument("address", cls=GroupedArgument)
@problem_argument
@network_options
@why_options
@output_options
def why(address: str, **options: Any) -> int:
    """Explain one number: where it comes from, and every path by which it reaches the loss.

    \b
    Examples: backprop why W1[1,1] mazur
              backprop why delta1[2] --net 3-4-2
              backprop why z2[1] mazur --depth 3

    ADDRESS counts from 1: W1[2,3], z2[1], delta1[2], dW1[2,3], L; with several samples the sample comes first, z1[3;2].

    With time steps, as in a gru, the step stands behind an @: h1@2[1].
    """
    network, output, shown = sort_out(options)
    run = bp.step(**network)
    found = run.why(address, shown["digits"], shown["paths"], shown["depth"])
    checks = bp.Checks(run.checks_of(found) if shown["checked"] else ())
    if output.wants_json:
        output.document(lambda: bp.why_document(run.problem, found, checks))
    else:
        blocks = bp.patiently(found.blocks(checks), tr("following the paths"), output.quiet)
        output.report(blocks, f"backprop why {address}")
    return checks.exit_code
