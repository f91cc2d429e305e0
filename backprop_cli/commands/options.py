"""The options that several commands share: the same name means the same thing everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.page import GroupedArgument, GroupedOption
from backprop_cli.language import Wish, code, current, speak, tr

ENGLISH = "This terminal ({where}) cannot show Chinese; English it is."
"""Said in English alone, for there is nothing else to say it in."""
NETWORK, SHOW, OUTPUT = "Network", "Show", "Output"


def option(*names: str, group: str, **settings: Any) -> Callable[[Any], Any]:
    """A click option in a group, with its default shown where it has one."""
    return click.option(*names, cls=GroupedOption, group=group, show_default=True, **settings)


def all_of(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A decorator that adds several options, listed in this order."""

    def decorate(function: Any) -> Any:
        for add in reversed(options):
            function = add(function)
        return function

    return decorate


def _presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What the shell may complete a problem to, besides files."""
    return [name for name in bp.preset_names() if name.startswith(incomplete)]


def _speak(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Use the language that was asked for, or say why not."""
    if value is None:
        return
    wish = Wish(code(value), "--lang")
    if not wish.language:
        raise click.BadParameter(tr("{value!r} is not a language of this program: en or zh", value=value))
    speak(wish)
    if current() != wish:
        click.echo(ENGLISH.format(where=current().source), err=True)


lang_option = option(
    "--lang",
    group=OUTPUT,
    metavar="en|zh",
    is_eager=True,
    expose_value=False,
    callback=_speak,
    help="Language: en or zh; also BACKPROP_LANG.",
)

problem_argument = click.argument("problem", cls=GroupedArgument, required=False, shell_complete=_presets)

trained_options = all_of(
    [
        option("--net", group=NETWORK, metavar="SPEC", help="Network, e.g. 3-4-2 or '3 dense4 relu dense2 softmax'."),
        option(
            "--activation",
            group=NETWORK,
            metavar="NAME[,NAME...]",
            help="One for all layers, or one for each; a number in brackets: leaky_relu(0.1).",
        ),
        option("--loss", group=NETWORK, metavar="NAME", help="mse, sse, half_sse, mae, huber, bce, bce_sum or ce."),
        option("--reduction", group=NETWORK, type=click.Choice(["mean", "sum"]), help="Over the batch."),
        option(
            "--optimizer",
            group=NETWORK,
            metavar="NAME",
            help="sgd, momentum, nesterov, rmsprop, adagrad, adam or adamw; options in brackets: adam(beta1=0.8).",
        ),
        option("--lr", group=NETWORK, type=float, metavar="X", help="Learning rate."),
        option(
            "--x",
            group=NETWORK,
            metavar="DATA",
            help="Inputs: 1,2,3; samples apart by ';' or a .json, .csv, .npy or .npz file.",
        ),
        option("--y", group=NETWORK, metavar="DATA", help="Targets, likewise; for ce also class numbers from 0."),
        option("--params", group=NETWORK, metavar="FILE", help="Parameters from a .npz, .safetensors or .json file."),
        option(
            "--seed",
            group=NETWORK,
            type=click.IntRange(min=0),
            metavar="N",
            help="Seed of all numbers that are not given.",
        ),
        option("--init", group=NETWORK, type=click.Choice(["nice", "xavier", "he"]), help="How parameters are drawn."),
        option(
            "--l2",
            group=NETWORK,
            type=float,
            metavar="X",
            help="Adds half of this times the squared weights to the loss.",
        ),
        option(
            "--frozen", group=NETWORK, metavar="NAME[,NAME...]", help="Parameters not to update: b1,b2 or layer1-2."
        ),
        option(
            "--prune",
            group=NETWORK,
            type=click.FloatRange(0, 1),
            metavar="SHARE",
            help="The smallest weights, so large a share, count as 0.",
        ),
        option("--bias/--no-bias", group=NETWORK, default=None, help="Layers with or without a bias."),
        option("--tiny", group=NETWORK, is_flag=True, default=None, help="A preset's small version, for reading."),
        option("--dtype", group=NETWORK, type=click.Choice(["float64", "float32"]), help="Precision."),
    ]
)

"""What a network is."""

network_options = all_of(
    [
        trained_options,
        option(
            "--quantize",
            group=NETWORK,
            type=click.IntRange(2, 16),
            metavar="BITS",
            help="Weights rounded to so many bits.",
        ),
        option(
            "--eval",
            group=NETWORK,
            is_flag=True,
            default=None,
            help="As the network is used, not trained: no dropout, batchnorm by what it remembers.",
        ),
        option("--expr", group=NETWORK, metavar="TEXT", help="Instead of a network, an expression: 'f = (x + y) * z'."),
        option("--at", group=NETWORK, metavar="X=1,...", help="The values of the expression's variables."),
    ]
)
"""What a network is, or an expression."""

plain_option = option(
    "--plain",
    group=OUTPUT,
    is_flag=True,
    envvar="BACKPROP_PLAIN",
    show_envvar=True,
    help="ASCII, one fact a line; made to be read aloud.",
)

screen_options = all_of(
    [
        plain_option,
        option(
            "--color",
            "--colour",
            "colour",
            group=OUTPUT,
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            help="Colour.",
        ),
        lang_option,
    ]
)
"""How things look."""

output_options = all_of(
    [
        screen_options,
        option("--json", "as_json", group=OUTPUT, is_flag=True, help="One JSON document, in full precision."),
        option(
            "-o",
            "--output",
            group=OUTPUT,
            metavar="FILE",
            default="-",
            help="Write there: .svg is a picture, .json is JSON, anything else text.",
        ),
        option("--force", group=OUTPUT, is_flag=True, help="Overwrite the file if it is there."),
        option("-q", "--quiet", group=OUTPUT, is_flag=True, help="Only the result."),
    ]
)
"""How things look, where the result goes, and in which form. See `Output`."""


digits_option = option(
    "--digits", group=SHOW, type=click.IntRange(1, 17), default=6, metavar="N", help="Significant digits."
)

NETWORK_KEYS = (
    "expr",
    "at",
    "problem",
    "net",
    "activation",
    "loss",
    "reduction",
    "optimizer",
    "lr",
    "x",
    "y",
    "params",
    "seed",
    "init",
    "l2",
    "frozen",
    "prune",
    "quantize",
    "eval",
    "bias",
    "dtype",
    "tiny",
)
OUTPUT_KEYS = ("as_json", "plain", "colour", "output", "force", "quiet")


def sort_out(options: dict[str, Any]) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """What was typed, in three: the network's settings, the `Output`, and what is left, the command's own."""
    network = {name: options.pop(name) for name in NETWORK_KEYS if name in options}
    if network["frozen"] is not None:
        network["frozen"] = [name.strip() for name in network["frozen"].split(",")]
    output = bp.Output(**{name: options.pop(name) for name in OUTPUT_KEYS if name in options})
    return network, output, options
