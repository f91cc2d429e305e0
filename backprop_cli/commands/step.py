"""`backprop step`: one training step, every number with its formula, and proof."""

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

PARTS = ["forward", "loss", "backward", "update", "check"]
SHOWS = ["symbols", "numbers", "both", "loops"]

show_options = all_of(
    [
        option("--only", group=SHOW, type=click.Choice(PARTS), help="One part of the step."),
        option("--layer", group=SHOW, type=click.IntRange(min=1), metavar="K", help="One layer, counted from 1."),
        option(
            "--show",
            group=SHOW,
            type=click.Choice(SHOWS),
            default="both",
            help="Formulas, arithmetic, both; or each kernel as a Python loop nest.",
        ),
        option(
            "--steps",
            group=SHOW,
            type=click.IntRange(1, 100_000),
            default=1,
            metavar="N",
            help="Run N steps: the loss and what moved, for each.",
        ),
        option("--shards", group=SHOW, type=click.IntRange(1), metavar="N", help="Share the batch out over N workers."),
        option("--dp", group=SHOW, metavar="TEXT", help="Clip each sample's gradient and add noise: clip=1,noise=0.5."),
        option("--clients", group=SHOW, type=click.IntRange(1), metavar="N", help="One round of federated averaging."),
        option(
            "--local",
            group=SHOW,
            type=click.IntRange(1, 1000),
            default=1,
            metavar="N",
            help="With --clients: the steps each takes of its own.",
        ),
        digits_option,
        option(
            "--check/--no-check", "checked", group=SHOW, default=True, help="Prove every gradient by all witnesses."
        ),
        option("-v", "--verbose", group=SHOW, is_flag=True, help="Work out every entry, and explain each kernel."),
    ]
)


@click.command(cls=GroupedCommand)
@problem_argument
@network_options
@show_options
@output_options
def step(**options: Any) -> int:
    """Run one training step and show every number of it.

    \b
    Examples: backprop step --net 3-4-2
              backprop step mazur --only backward
              backprop step --net 2-2-1 --x "1,2;3,4" --optimizer adam --json

    PROBLEM is a network such as 3-4-2, a preset such as mazur, or a TOML or JSON file. Options override it.
    """
    network, output, shown = sort_out(options)
    steps, checked = shown.pop("steps"), shown.pop("checked")
    shared = {name: shown.pop(name) for name in ("shards", "dp", "clients", "local")}
    if any(shared[name] for name in ("shards", "dp", "clients")):
        if network["expr"] is not None:
            raise click.UsageError(tr("An expression has no samples to share out."))
        if steps > 1 or shown["only"] or shown["layer"] or shown["show"] != "both":
            raise click.UsageError(
                tr("--shards, --dp and --clients show a whole step; leave --steps, --only, --layer and --show out.")
            )
        return share(bp.step(**network), output, shared, shown["digits"])
    if shared["local"] != 1:
        raise click.UsageError(tr("--local says how many steps each client takes; it goes with --clients."))
    if steps > 1 and (shown["only"] or shown["layer"] or shown["show"] != "both"):
        raise click.UsageError(tr("--steps gives a line for each step; --only, --layer and --show do not go with it."))
    if steps > 1 and network["expr"] is not None:
        raise click.UsageError(tr("An expression has no parameters that move, so there is one step only."))
    if shown["only"] == "check" and not checked:
        raise click.UsageError(tr("--only check and --no-check leave nothing to show."))
    if shown["layer"] and shown["only"] in ("loss", "check"):
        raise click.UsageError(tr("--only {part} belongs to no layer; leave --layer out.", part=shown["only"]))
    run = first = bp.step(**network)
    if shown["layer"]:
        run.check_layer(shown["layer"])
    view = bp.View(**shown)
    history = bp.History()
    if steps > 1:
        for run in bp.progress(first.walk(steps), steps, tr("stepping"), output.quiet):
            history.add(run.problem, run.trace)
    wanted = checked and shown["only"] in (None, "check") and shown["show"] != "loops"
    checks = bp.Checks(run.checks() if wanted else ())
    if output.wants_json:
        output.document(lambda: bp.step_document(run.problem, run.trace, checks, history.records))
    elif steps > 1:
        blocks = history.blocks(run.problem, run.trace, run.loss_after, checks, view)
        output.report(blocks, f"backprop step {run.name} --steps {steps}")
    else:
        output.report(run.blocks(view, checks), f"backprop step {run.name}")
    return checks.exit_code


def share(run: Any, output: Any, shared: dict[str, Any], digits: int) -> int:
    """The step shared out in one of three ways."""
    if sum(bool(shared[name]) for name in ("shards", "dp", "clients")) > 1:
        raise click.UsageError(tr("--shards, --dp and --clients go one at a time."))
    problem, trace = run.problem, run.trace
    if shared["shards"]:
        step = bp.Shards.of(problem, trace, shared["shards"])
        blocks = bp.shards(step, digits)
    elif shared["dp"]:
        step = bp.Private.of(problem, trace, *bp.read_privacy(shared["dp"]))
        blocks = bp.private(step, digits)
    else:
        step = bp.Federated.of(problem, shared["clients"], shared["local"])
        blocks = bp.federated(step, trace, digits)
    if output.wants_json:
        output.document(lambda: bp.shared_document(step, trace))
    else:
        output.report(blocks, f"backprop step {run.name}")
    return 0
