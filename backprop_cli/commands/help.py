"""`backprop help`: the same pages as --help, and a few topics that belong to no command."""

from __future__ import annotations

import click

from backprop_cli.commands.options import lang_option, plain_option
from backprop_cli.commands.page import GroupedArgument, GroupedCommand
from backprop_cli.errors import unknown
from backprop_cli.welcome import COMMANDS, TOPICS, greeting
from backprop_cli.welcome import topic as page_on


@click.command("help", cls=GroupedCommand)
@click.argument("topic", cls=GroupedArgument, required=False)
@plain_option
@lang_option
@click.pass_context
def help_(ctx: click.Context, topic: str | None, plain: bool) -> None:
    """Help on a command, or on: networks, layers, training, exit-codes, completion.

    \b
    Example: backprop help step

    All of it is plain text.
    """
    if topic is None:
        click.echo(greeting(), nl=False)
    elif topic in TOPICS:
        click.echo(page_on(topic), nl=False)
    elif topic in COMMANDS:
        group = ctx.find_root()
        assert isinstance(group.command, click.Group)
        command = group.command.get_command(group, topic)
        assert command is not None
        click.echo(command.get_help(command.context_class(command, parent=group, info_name=topic)))
    else:
        raise unknown("topic", topic, [*COMMANDS, *TOPICS])
