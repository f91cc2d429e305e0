"""The command line: finds the command, runs it, and turns every kind of trouble into one message and an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import TracebackType

import click

from backprop_cli import __version__
from backprop_cli.commands.options import lang_option
from backprop_cli.errors import BackpropError, InputError, unknown
from backprop_cli.glyphs import spell, visible
from backprop_cli.language import tr
from backprop_cli.lines import fold, terminal_width
from backprop_cli.welcome import COMMANDS, greeting

STOPPED = 130


class LazyGroup(click.Group):
    """Knows every command's name, and loads a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"backprop_cli.commands.{cmd_name}")
        command = getattr(module, cmd_name, None) or getattr(module, f"{cmd_name}_")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        return greeting().rstrip("\n")


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(__version__, "-V", "--version", prog_name="backprop", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, envvar="BACKPROP_DEBUG", help="Show Python's own report on an error.")
@lang_option
@click.pass_context
def backprop(ctx: click.Context, debug: bool) -> None:
    """Every number of back-propagation, with its formula, proven."""
    if not debug:
        sys.excepthook = report_bug
    if ctx.invoked_subcommand is None:
        click.echo(greeting(), nl=False)


def run(arguments: list[str]) -> int:
    """Run a command line. Returns the exit code."""
    try:
        code = backprop.main(arguments, prog_name="backprop", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        complain(tr("Stopped."))
        return STOPPED
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx:
            complain(tr("Try: {command}", command=f"{error.ctx.command_path} --help"))
        complain(tr("Error: {message}", message=_told(error)))
        return 2
    except BackpropError as error:
        complain(tr("Error: {message}", message=error))
        return error.exit_code
    except SystemExit:  # click leaves by this door when whoever read us has left, or after a shell's completion
        return 0
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be said there
        if isinstance(error, BrokenPipeError):
            return 0
        complain(tr("Error: cannot write: {why}", why=tr(error.strerror or "")))
        return InputError.exit_code


def _told(error: click.ClickException) -> str:
    """Click's own sentences, with the full stop of the language; Click joins them by a blank, Chinese by none."""
    text = error.format_message().replace("。 ", "。")
    return tr("{sentence}.", sentence=text[:-1]) if text.endswith(".") else text


def complain(message: str) -> None:
    """One message on standard error, in signs that it has: one line, which is folded only at a terminal."""
    text = spell(visible(message), sys.stderr.encoding or "ascii")
    lines = fold(text, terminal_width(sys.stderr)) if sys.stderr.isatty() else [text]
    print(*lines, sep="\n", file=sys.stderr)


def report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A mistake of ours: say so, and say what to send us."""
    command = " ".join(sys.argv[1:])
    what = f"{kind.__name__}: {error}"
    complain(tr("Error: this is a bug in backprop {version}: {what}", version=__version__, what=what))
    complain(
        tr("Please report it with the command (backprop {command}) and what BACKPROP_DEBUG=1 prints.", command=command)
    )
