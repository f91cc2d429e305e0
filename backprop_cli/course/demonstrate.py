"""What a lesson can show: a handful of commands that only read. Nothing else in a lesson runs.

    step [--only PHASE] [--layer K] [--show symbols|numbers]    why ADDRESS    whatif ADDRESS=VALUE
    check    train [--epochs N] [--data SOURCE]

Each is about the lesson's network, or about another of the lesson's by its name behind the command: `step.adam`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from backprop_cli.course.variant import Variant
from backprop_cli.errors import UsageError, unknown
from backprop_cli.language import tr
from backprop_cli.problem_file import DEFAULT_NET
from backprop_cli.render.blocks import Block, Prose
from backprop_cli.render.report import View
from backprop_cli.render.training import TrainingReport
from backprop_cli.session import train
from backprop_cli.trace import PHASES
from backprop_cli.typed import read_number
from backprop_cli.verdict import worst_first

MADE = ("xor", "spirals", "moons", "blobs", "sine", "digits")
"""Data that needs no file."""
UNSAID = {"after", "params"}
"""Keys of a network that no option of a command can say."""
MOST_EPOCHS = 2000
FLAGS: dict[str, tuple[str, ...]] = {
    "step": ("only", "layer", "show"), "why": ("depth",), "whatif": (), "check": (),
    "train": ("epochs", "data", "batch", "lr"),
}  # fmt: skip
ADDRESSES = {"step": 0, "why": 1, "whatif": 1, "check": 0, "train": 0}
"""How many words without dashes a command takes."""


def demonstrated(line: str, variant: Variant) -> Iterator[Block]:
    """The command as one would type it, and what it shows. Raises UsageError."""
    command, network, words, flags = read_command(line, variant)
    run = variant.run(network)
    yield Prose(f"$ {spelled(command, words, flags, variant.networks[network], variant.seed)}")
    match command:
        case "train":
            yield from _trained(variant, network, flags)
        case "step":
            show: Any = flags.get("show", "both")
            yield from run.blocks(View(flags.get("only"), _whole(flags.get("layer")), show))
        case "why":
            yield from run.why(words[0], depth=_whole(flags.get("depth")) or 1).blocks()
        case "whatif":
            yield from run.whatif(*words).blocks()
        case _:
            yield from run.blocks(View(only="check"), worst_first(list(run.checks())))


def read_command(line: str, variant: Variant) -> tuple[str, str, list[str], dict[str, str]]:
    """The command, the network's name, its words, and its options, numbers put in. Raises UsageError."""
    try:
        first, *rest = shlex.split(variant.filled(line).replace("−", "-"))
    except ValueError:
        raise UsageError("cannot read the command {text!r}", text=line) from None
    command, _, network = first.partition(".")
    if command not in FLAGS:
        raise unknown("command for a lesson", command, FLAGS)
    words, flags = [], {}
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            words.append(word)
        elif word[2:] in FLAGS[command] and rest:
            flags[word[2:]] = rest.pop(0)
        else:
            raise unknown("option", word, [f"--{flag}" for flag in FLAGS[command]])
    if len(words) != ADDRESSES[command]:
        raise UsageError("{text!r}: {command} takes another number of words", text=line, command=command)
    _check_flags(flags)
    return command, network, words, flags


def _check_flags(flags: Mapping[str, str]) -> None:
    """Raises UsageError for a value that an option does not take."""
    for flag in ("layer", "depth", "epochs", "batch"):
        if flag in flags and not (flags[flag].isdigit() and 1 <= int(flags[flag]) <= MOST_EPOCHS):
            raise UsageError("--{flag} takes a whole number from 1 to {most}", flag=flag, most=MOST_EPOCHS)
    if "lr" in flags:
        read_number(flags["lr"])
    for flag, known in (("only", PHASES), ("show", ("symbols", "numbers", "both")), ("data", MADE)):
        if flag in flags and flags[flag].partition("(")[0] not in known:
            raise unknown(f"--{flag}", flags[flag], known)


def spelled(command: str, words: list[str], flags: Mapping[str, str], network: Mapping[str, Any], seed: int) -> str:
    """The command line that shows the same outside of the lesson; where no options can say it, that is said."""
    table = {"seed": seed, **network}
    parts = ["backprop", command, *words, str(table.pop("net", DEFAULT_NET))]
    options = [part for name, value in table.items() for part in _option(name, value)]
    more = [part for flag, value in flags.items() for part in (f"--{flag}", value)]
    if table.keys() & UNSAID or "" in options:
        return tr("{command}, with the lesson's own numbers", command=shlex.join([*parts[:-1], *more]))
    return shlex.join([*parts, *options, *more])


def _option(name: str, value: Any) -> tuple[str, ...]:
    """A key of a problem file as an option; "" where there is none."""
    if isinstance(value, bool):
        return (f"--{name}",) if value else ("--no-bias",) if name == "bias" else ()
    if value == []:
        return ()
    return f"--{name}", _listed(value) if isinstance(value, list) else str(value)


def _listed(value: list[Any]) -> str:
    """A list as an option has it: apart by commas, rows by semicolons; "" for anything deeper."""
    if not (value and isinstance(value[0], list)):
        return ",".join(map(str, value))
    return "" if isinstance(value[0][0], list) else ";".join(map(_listed, value))


def _trained(variant: Variant, network: str, flags: Mapping[str, str]) -> Iterator[Block]:
    table = {key: value for key, value in variant.networks[network].items() if key != "after"}
    recipe = {name: int(flags[name]) for name in ("epochs", "batch") if name in flags}
    if "lr" in flags:
        table["lr"] = read_number(flags["lr"])
    with np.errstate(all="ignore"):
        training = train({"seed": variant.seed, **table}, flags.get("data"), **recipe)
    yield from TrainingReport(training).blocks()


def _whole(text: str | None) -> int | None:
    return int(text) if text else None
