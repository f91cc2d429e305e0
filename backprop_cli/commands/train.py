"""`backprop train`: step after step over a set of data, watched, told, and kept."""

from __future__ import annotations

from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.options import all_of, option, output_options, problem_argument, sort_out, trained_options
from backprop_cli.commands.page import GroupedCommand
from backprop_cli.language import tr

DATA, TRAINING, KEEP = "Data", "Training", "Keep"
SHARE = click.FloatRange(0, 1, max_open=True)

data_options = all_of(
    [
        option(
            "--data",
            group=DATA,
            metavar="SOURCE",
            help="xor, spirals, moons, blobs, sine, digits; or a .npz, .csv, .txt, IDX or CIFAR-10 file. "
            "See: backprop help training. The problem's own samples, if not given.",
        ),
        option("--validation", group=DATA, type=SHARE, metavar="SHARE", help="Share that is watched, not trained on."),
        option(
            "--test",
            group=DATA,
            type=SHARE,
            metavar="SHARE",
            help="Share kept for the test; 0.1 of 100 samples or more, if not given.",
        ),
        option(
            "--normalize",
            group=DATA,
            type=click.Choice(["auto", "none", "unit", "standard"]),
            default="auto",
            help="Inputs divided by the largest, or brought to mean 0 and deviation 1.",
        ),
        option("--augment", group=DATA, metavar="WORDS", help="Images varied: 'shift(2) flip'."),
    ]
)
training_options = all_of(
    [
        option(
            "--epochs", group=TRAINING, type=click.IntRange(1), default=10, metavar="N", help="Times over the data."
        ),
        option("--batch", group=TRAINING, type=click.IntRange(1), default=32, metavar="N", help="Samples in a step."),
        option(
            "--schedule",
            group=TRAINING,
            metavar="WORDS",
            help="Learning rate over time: step(10), cosine, warmup(100), plateau(5), or several.",
        ),
        option(
            "--clip",
            group=TRAINING,
            type=click.FloatRange(0, min_open=True),
            metavar="X",
            help="Gradients no longer than this.",
        ),
        option(
            "--early-stop",
            "patience",
            group=TRAINING,
            type=click.IntRange(1),
            metavar="N",
            help="Stop when the loss was not lower for N epochs, and keep the best.",
        ),
    ]
)
keep_options = all_of(
    [
        option("--save", group=KEEP, metavar="FILE", help="Parameters as .npz, or .safetensors with PyTorch's names."),
        option("--checkpoint", group=KEEP, metavar="FILE", help="Where it stands, again and again, as .npz."),
        option("--resume", group=KEEP, is_flag=True, help="Go on from the checkpoint."),
        option("--plot", group=KEEP, metavar="FILE", help="The curves as a picture, .svg."),
    ]
)


@click.command(cls=GroupedCommand)
@problem_argument
@data_options
@training_options
@keep_options
@trained_options
@output_options
def train(**options: Any) -> None:
    """Train a network, and tell how it went.

    \b
    Examples: backprop train xor --data xor --epochs 500
              backprop train "64 dense32 relu dense10 softmax" --data digits
              backprop train mnist-mlp --data mnist.npz --checkpoint run.npz

    PROBLEM is a network such as 3-4-2, a preset such as xor, or a TOML or JSON file. Options override it.

    Unlike a single step, training counts in float32 and draws parameters as he or xavier, if nothing else is said.
    """
    network, output, shown = sort_out(options)
    if shown["plot"] and shown["epochs"] == 1:
        raise click.UsageError(tr("--plot draws curves over the epochs, so it takes at least 2 epochs."))
    kept = {name: shown.pop(name) for name in ("save", "checkpoint", "resume", "plot")}
    keep = bp.Keep(**kept, report=output.file, force=output.force)
    planned = {name: shown.pop(name) for name in bp.Recipe._fields}
    recipe = bp.Recipe(**{name: value for name, value in planned.items() if value is not None})
    training = bp.begin(network.pop("problem"), recipe=recipe, **shown, **network)
    keep.start(training)
    try:
        bp.watch(training, keep.after_epoch, output.quiet)
    except KeyboardInterrupt:
        if keep.checkpoint:
            done = len(training.state.history)
            click.echo(tr("Stopped after epoch {number}; the same with --resume goes on.", number=done), err=True)
        raise
    finally:
        keep.now(training)
    report = bp.TrainingReport(training)
    if output.wants_json:
        output.document(lambda: bp.train_document(training, report))
    else:
        output.report(report.blocks(), f"backprop train {training.problem.net}")
    keep.finish(training, lambda: bp.curves_svg(report.curves()))  # last, lest a full disk keep the report back
