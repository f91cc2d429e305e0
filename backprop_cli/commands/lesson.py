"""`backprop lesson`: the course in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.options import OUTPUT_KEYS, all_of, option, output_options
from backprop_cli.commands.page import GroupedArgument, GroupedCommand
from backprop_cli.commands.play import converse
from backprop_cli.language import tr

AUTHORS = "Authors"

author_options = all_of(
    [
        option("--all", "every", group=AUTHORS, is_flag=True, help="With check: every lesson of the course."),
        option("--strict", group=AUTHORS, is_flag=True, help="With check: what is doubtful counts as a fault too."),
        option("--from", "start", group=AUTHORS, metavar="ID", help="With preview: begin at this question."),
        option("--seed", group=AUTHORS, type=click.IntRange(1), metavar="N", help="With preview: these numbers."),
    ]
)


@click.command(cls=GroupedCommand)
@click.argument("words", nargs=-1, cls=GroupedArgument, metavar="[next | NAME | FOLDER]")
@author_options
@output_options
def lesson(words: tuple[str, ...], **options: Any) -> int:
    """Learn back-propagation, a lesson at a time, with questions that understand wrong answers.

    \b
    Examples: backprop lesson
              backprop lesson next
              backprop lesson 4
              backprop lesson notes 4

    Without a word, the list of lessons. A lesson goes on where it was left; what was answered is kept at once.

    For authors: lesson new FOLDER, lesson check FOLDER, lesson preview FOLDER. See: backprop help lessons
    """
    output = bp.Output(**{name: options.pop(name) for name in OUTPUT_KEYS})
    word, *rest = words or ("",)
    if word in ("check", "new", "preview", "notes"):
        return _author(word, rest, output, options)
    progress = bp.Progress(bp.progress_home())
    if not word:
        output.report(bp.overview(bp.lessons(), progress.events()), "backprop lesson")
        return 0
    if rest:
        raise click.UsageError(tr("lesson takes one name, or next"))
    with progress.alone():
        chosen = bp.choose_lesson(word, progress.events())
        if chosen is None:
            output.report(bp.overview(bp.lessons(Path(word)), progress.events()), "backprop lesson")
            return 0
        converse(bp.begin_lesson(chosen, progress), output, "backprop lesson")
    return 0


def _author(word: str, rest: list[str], output: Any, options: dict[str, Any]) -> int:
    """The commands for those who write lessons, and the notes."""
    if len(rest) > 1 or (word != "check" and not rest):
        raise click.UsageError(tr("lesson {word} takes the name of a lesson, or its folder", word=word))
    name = rest[0] if rest else ""
    if word == "notes":
        print(bp.lesson_notes(bp.read_lesson(bp.find_lesson(name)), bp.Progress(bp.progress_home())), end="")
    elif word == "new":
        output.report(bp.new_lesson(name), "backprop lesson new")
    elif word == "preview":
        player = bp.preview_lesson(name, options["seed"] or 1, options["start"])
        converse(player, output, "backprop lesson preview")
    else:
        found = bp.check_lessons("" if options["every"] else name, options["strict"])
        if output.wants_json:
            output.document(found.document)
        else:
            output.report(found.blocks(), "backprop lesson check")
        return found.exit_code
    return 0
