"""`backprop grade`: a student's own numbers, marked as a good teacher does."""

from __future__ import annotations

from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.options import OUTPUT_KEYS, SHOW, all_of, option, output_options
from backprop_cli.commands.page import GroupedArgument, GroupedCommand
from backprop_cli.language import tr

MARKING = "Marking"

grade_options = all_of(
    [
        option("--key", group=MARKING, metavar="KEY", required=True, help="A key, a folder of keys, or a problem."),
        option(
            "--fail-below",
            group=MARKING,
            type=click.FloatRange(0, 100),
            metavar="PERCENT",
            help="Exit code 1 if a sheet has less.",
        ),
        option(
            "--reveal",
            group=SHOW,
            type=click.Choice(["none", "verdict", "diagnosis", "value"]),
            default="diagnosis",
            help="How much is told; only value shows what is right.",
        ),
        option("--explain", group=SHOW, is_flag=True, help="The arithmetic behind each mark, with their numbers."),
        option("--box", "places", group=SHOW, multiple=True, metavar="ADDRESS", help="With --explain: of these boxes."),
        option("--watch", group=SHOW, is_flag=True, help="Mark again whenever the file is saved."),
    ]
)


@click.command(cls=GroupedCommand)
@click.argument("files", nargs=-1, required=True, cls=GroupedArgument, metavar="FILE...")
@grade_options
@output_options
def grade(files: tuple[str, ...], **options: Any) -> int:
    """Mark a student's numbers: one slip costs once, and mistakes get their name.

    \b
    Examples: backprop grade answers.toml --key mazur
              backprop grade answers.txt --key week3/keys/Ada.toml --explain
              backprop grade week3/sheets --key week3/keys --json

    A FILE is TOML, JSON, CSV, Markdown, or lines such as dz1 = [0.0087, 0.00995]; or a folder of such. What is rounded
    by hand is no mistake; what follows from an earlier slip counts as right.
    """
    output = bp.Output(**{name: options.pop(name) for name in OUTPUT_KEYS})
    if options["places"] and not options["explain"]:
        raise click.UsageError(tr("--box goes with --explain"))
    if options["explain"] and options["reveal"] not in ("diagnosis", "value"):
        raise click.UsageError(tr("--explain tells the diagnosis; it goes with --reveal diagnosis or value"))
    keys = bp.read_keys(options["key"])
    if options["watch"]:
        if len(files) != 1 or files[0] == "-" or output.wants_json or output.file:
            raise click.UsageError(tr("--watch looks at one file, and shows it on the terminal"))
        for results in bp.marked_whenever(files[0], keys):
            output.report(_blocks(results, options), "backprop grade")
        return 0
    paths = bp.sheet_paths(files)
    results = list(bp.progress(bp.grade_files(paths, keys), len(paths), tr("marking"), output.quiet))
    if output.wants_json:
        output.document(lambda: bp.graded_document(results, options["reveal"]))
    else:
        output.report(_blocks(results, options), "backprop grade")
    return bp.exit_code(results, options["fail_below"])


def _blocks(results: Any, options: dict[str, Any]) -> Any:
    """The report on each sheet; of many, a line each."""
    for result in results:
        if len(results) > 1 and not options["explain"]:
            yield bp.in_a_line(result, options["reveal"])
            continue
        yield from result.blocks(options["reveal"])
        if options["explain"]:
            yield from bp.explained(result, options["reveal"], options["places"])
