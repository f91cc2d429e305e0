"""`backprop progress`: what was answered so far, to look at and to take along."""

from __future__ import annotations

from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.options import OUTPUT_KEYS, all_of, option, output_options
from backprop_cli.commands.page import GroupedArgument, GroupedCommand
from backprop_cli.language import plural, tr

ACTIONS = ("show", "export", "import", "reset")


@click.command(cls=GroupedCommand)
@click.argument("action", type=click.Choice(ACTIONS), default="show", cls=GroupedArgument)
@click.argument("name", default="", cls=GroupedArgument, metavar="[FILE | LESSON]")
@all_of([option("--yes", group="Progress", is_flag=True, help="With reset: do not ask.")])
@output_options
def progress(action: str, name: str, yes: bool, **options: Any) -> None:
    """Show what was answered, export or import it, or forget it.

    \b
    Examples: backprop progress
              backprop progress export mine.jsonl
              backprop progress import mine.jsonl
              backprop progress reset 040-hidden-delta

    What was answered is a line each in a file of its own; BACKPROP_HOME says in which folder.
    """
    output = bp.Output(**{key: options.pop(key) for key in OUTPUT_KEYS})
    kept = bp.Progress(bp.progress_home())
    if action == "show" and name:
        raise click.UsageError(tr("progress show takes no name; it shows every lesson"))
    if action == "show":
        if output.wants_json:
            output.document(lambda: bp.progress_document(kept))
        else:
            output.report(bp.progress_blocks(kept), "backprop progress")
    elif action == "export":
        bp.export_progress(kept, name, output)
    elif action == "import":
        with kept.alone():
            count = kept.merge(bp.read_progress(name))
        output.report([bp.Fact(tr("Imported"), plural(count, "event"), 0, True)], "backprop progress")
    else:
        lesson = bp.read_lesson(bp.find_lesson(name)).key if name else ""
        what = lesson or tr("everything")
        if not yes and not click.confirm(tr("Forget {what}?", what=what)):
            raise click.Abort
        with kept.alone():
            count = kept.reset(lesson)
        told = tr("{events}; they are still in {path}", events=plural(count, "event"), path=kept.path.name + ".bak")
        output.report([bp.Fact(tr("Forgotten"), told, 0, True)], "backprop progress")
