"""`backprop help`: the same pages as --help, and a few topics that belong to no command."""

from __future__ import annotations

import click

from backprop_cli.errors import unknown
from backprop_cli.welcome import COMMANDS, PAGE, TOPICS


@click.command("help")
@click.argument("topic", required=False)
@click.pass_context
def help_(ctx: click.Context, topic: str | None) -> None:
    """Help on a command, or on: exit-codes, networks, completion.

    \b
    Example: backprop help step
    """
    if topic is None:
        click.echo(PAGE, nl=False)
    elif topic in TOPICS:
        click.echo(TOPICS[topic], nl=False)
    elif topic in COMMANDS:
        group = ctx.find_root()
        assert isinstance(group.command, click.Group)
        command = group.command.get_command(group, topic)
        assert command is not None
        click.echo(command.get_help(click.Context(command, parent=group, info_name=topic)))
    else:
        raise unknown("topic", topic, [*COMMANDS, *TOPICS])
