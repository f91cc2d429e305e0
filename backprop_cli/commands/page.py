"""How a command's help looks: in the reader's language, options by group, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import cleandoc
from typing import Any

import click

from backprop_cli.language import later, tr
from backprop_cli.lines import cells, columns, fold, terminal_width

WIDEST = 78
EXAMPLES = later("Examples"), later("Example")
TYPES = {"integer": later("whole number"), "float": later("number")}
"""What Click calls the numbers that an option takes, and what we do; a range goes by the same name."""


class Page(click.HelpFormatter):
    """Click's own counts characters; this one counts cells, and so has room for Chinese."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__(width=max(20, min(terminal_width(), WIDEST + 2) - 2))

    def _add(self, lines: Iterable[str]) -> None:
        self.write("".join(f"{line}\n" for line in lines))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """`Usage: backprop step [OPTIONS] [PROBLEM]`."""
        usage = tr("{label}: {text}", label=tr("Usage"), text=f"{prog} {args}")
        self._add(fold(usage, self.width, rest=" " * 4))

    def write_heading(self, heading: str) -> None:
        """`Network:`."""
        self._add([tr("{heading}:", heading=heading)])

    def write_text(self, text: str) -> None:
        """A paragraph; one that opens with \\b keeps its lines, as far as they fit."""
        pad = " " * self.current_indent
        lines = text.removeprefix("\b\n").splitlines() if text.startswith("\b") else [" ".join(text.split())]
        for line in lines:
            own = pad + " " * (len(line) - len(line.lstrip()))
            self._add(fold(line.lstrip(), self.width, own, own + "  " if len(lines) > 1 else own))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Options and what they do, in two columns."""
        self._add(columns(list(rows), self.width, col_max))


class _Context(click.Context):
    formatter_class = Page


class GroupedOption(click.Option):
    """An option that is listed under a title in `--help`, and whose help can be told in any language."""

    def __init__(self, *args: Any, group: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        english, self.help = self.help, tr(self.help or "")
        try:
            return super().get_help_record(ctx)
        finally:
            self.help = english

    def make_metavar(self, ctx: click.Context) -> str:
        return tr(super().make_metavar(ctx))

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        english, self.type.name = self.type.name, tr(TYPES.get(self.type.name.partition(" ")[0], self.type.name))
        try:
            return super().type_cast_value(ctx, value)
        finally:
            self.type.name = english


class GroupedArgument(click.Argument):
    """An argument whose name can be told in any language."""

    def make_metavar(self, ctx: click.Context) -> str:
        return tr(super().make_metavar(ctx))


class GroupedCommand(click.Command):
    """A command whose help opens with its text and lists its options by group."""

    context_class = _Context

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [tr(piece) for piece in super().collect_usage_pieces(ctx)]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option:  # Click translates this one when it is made, once for all
            option.help = tr("Show this message and exit.")
        return option

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for paragraph in paragraphs(self):
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(_examples(paragraph) if paragraph.startswith("\b") else tr(paragraph))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record and isinstance(param, click.Option):
                groups.setdefault(getattr(param, "group", "Options"), []).append(record)
        for title, records in groups.items():
            with formatter.section(tr(title)):
                formatter.write_dl(records)


def _examples(paragraph: str) -> str:
    """The paragraph that opens with one of EXAMPLES: commands below each other, behind the translated word."""
    word, _, lines = paragraph.removeprefix("\b\n").partition(": ")
    word = tr("{label}: {text}", label=tr(word), text="")
    pad = "\n" + " " * cells(word)
    return f"\b\n{word}{pad.join(line.strip() for line in lines.splitlines())}"


def paragraphs(command: click.Command) -> list[str]:
    """The paragraphs of a command's help, in English."""
    return cleandoc(command.help or "").split("\n\n")
