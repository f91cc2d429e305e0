"""`backprop play`: step through a training step in the terminal, forward and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from io import TextIOWrapper
from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.options import (
    SHOW,
    all_of,
    digits_option,
    network_options,
    option,
    problem_argument,
    screen_options,
    sort_out,
)
from backprop_cli.commands.page import GroupedCommand

play_options = all_of(
    [
        option("--predict", group=SHOW, is_flag=True, help="Be asked for each number before it is shown."),
        digits_option,
    ]
)


@click.command(cls=GroupedCommand)
@problem_argument
@network_options
@play_options
@screen_options
def play(**options: Any) -> None:
    """Step through a training step by hand: forward, back, why, what if, and predictions.

    \b
    Examples: backprop play mazur
              backprop play --net 2-2-1 --predict
              printf 'n\\nn\\nq\\n' | backprop play

    PROBLEM is a network such as 3-4-2, a preset, or a TOML or JSON file. Type ? for the commands, q to leave.
    """
    network, output, shown = sort_out(options)
    session = bp.Play(bp.step(**network), shown["predict"], shown["digits"])
    converse(session, output, "backprop play")
    if not session.over:
        output.report(session.ending(), "backprop play")


def converse(session: Any, output: Any, title: str) -> None:
    """Show what a session opens with, and what each typed line brings, until it is over or the input ends."""
    output.report(session.opening(), title)
    lines = typed(session, output)
    while not session.over and (line := next(lines, None)) is not None:
        output.report(session.answer(line), title)


def typed(session: Any, output: Any) -> Iterator[str]:
    """The lines that are typed, until the input ends. What comes through a pipe is shown behind its prompt."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # a sign that is not in the encoding is no reason to stop
    if sys.stdin.isatty():
        with suppress(ImportError):
            import readline  # noqa: F401  it gives input() its arrow keys, where there is one
    while True:
        prompt = output.say(session.prompt)
        try:
            line = input(prompt)
        except EOFError:
            print()
            return
        if not sys.stdin.isatty():
            print(output.say(line))
        yield line
