"""`backprop exercise`: worksheets for a class, and a trial of their keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import backprop_cli as bp
from backprop_cli.commands.options import (
    NETWORK_KEYS,
    OUTPUT,
    all_of,
    option,
    screen_options,
    trained_options,
)
from backprop_cli.commands.page import GroupedArgument, GroupedCommand
from backprop_cli.language import tr

SHEET = "Sheet"
COUPLES = 40
"""So many students with two mistakes are made up for each key."""

sheet_options = all_of(
    [
        option("--roster", group=SHEET, metavar="FILE", help="A sheet for each name in a CSV file."),
        option(
            "--ask",
            group=SHEET,
            metavar="WHAT",
            default="all",
            help="forward, loss, backward, update, all, or addresses: delta1,dW1[2,3].",
        ),
        option(
            "--digits",
            group=SHEET,
            type=click.IntRange(2, 10),
            default=4,
            metavar="N",
            help="Significant digits that are asked for.",
        ),
        option(
            "--samples", group=SHEET, type=click.IntRange(1, 100), default=1, metavar="N", help="Size of the batch."
        ),
        option("--as-is", group=SHEET, is_flag=True, help="Take the problem's own numbers, the same for all."),
        option("--any-units", group=SHEET, is_flag=True, help="Dead and saturated units may occur."),
        option(
            "--format",
            "forms",
            group=SHEET,
            metavar="FORM[,FORM...]",
            default="toml,md,html",
            help="toml and csv to fill in; md, tex and html to print.",
        ),
        option("-o", "--output", group=OUTPUT, metavar="DIR", help="The folder that is made."),
        option("--force", group=OUTPUT, is_flag=True, help="Write into a folder that is there."),
        option("-q", "--quiet", group=OUTPUT, is_flag=True, help="Only the result."),
        option("--json", "as_json", group=OUTPUT, is_flag=True, help="One JSON document, in full precision."),
    ]
)


@click.command(cls=GroupedCommand)
@click.argument("words", nargs=-1, cls=GroupedArgument, metavar="new [PROBLEM] | test KEY")
@trained_options
@sheet_options
@screen_options
def exercise(words: tuple[str, ...], **options: Any) -> int:
    """Make worksheets whose numbers tell mistakes apart, and try their keys out.

    \b
    Examples: backprop exercise new -o week3
              backprop exercise new --net 3-4-2 --roster class.csv -o week3
              backprop exercise new mazur --as-is --ask backward -o mazur-sheet
              backprop exercise test week3/keys

    Sheets go to DIR/sheets and DIR/print, keys to DIR/keys; no sheet holds an answer. See: backprop help grading
    """
    word, *rest = words or ("",)
    if word not in ("new", "test") or len(rest) > 1 or (word == "test" and not rest):
        raise click.UsageError(tr("exercise takes new, with a problem or options, or test, with a key"))
    output = bp.Output(**{name: options.pop(name) for name in ("as_json", "plain", "colour", "quiet")})
    if word == "test":
        return _test(rest[0], output)
    return _new(rest[0] if rest else None, output, options)


def _new(problem: str | None, output: Any, options: dict[str, Any]) -> int:
    if not options["output"]:
        raise click.UsageError(tr("say where the sheets go: -o DIR"))
    network = {name: options[name] for name in NETWORK_KEYS if options.get(name) is not None}
    if not options["as_is"] and network.keys() & {"x", "y", "params"}:
        raise click.UsageError(tr("a sheet draws its numbers itself; to keep x, y or params, add --as-is"))
    seed = network.pop("seed", 1)
    table = bp.sheet_table(problem or network.pop("net", None), network)
    sheet = {"digits": options["digits"], "ask": bp.split_addresses(options["ask"])}
    drawn = (bp.Variants(table, sheet, options["samples"], options["as_is"], options["any_units"]) for _ in range(1))
    variants = next(bp.patiently(drawn, tr("looking what mistakes come to"), output.quiet))
    students = bp.read_roster(options["roster"]) if options["roster"] else [""]
    folder = Path(options["output"])
    forms = [form.strip() for form in options["forms"].split(",")]
    todo = bp.make_sheets(variants, students, seed, folder, forms, options["force"])
    keys = list(bp.progress(todo, len(students), tr("drawing sheets"), output.quiet))
    if output.wants_json:
        output.document(lambda: bp.made_document(keys, folder))
    else:
        output.report(bp.made_sheets(keys, variants, folder), "backprop exercise new")
    return 0


def _test(path: str, output: Any) -> int:
    trial = bp.Trial(list(bp.read_keys(path).values()), COUPLES)
    for _ in bp.progress(trial.run(), trial.rounds, tr("marking"), output.quiet):
        pass
    if output.wants_json:
        output.document(trial.document)
    else:
        output.report(trial.blocks(), "backprop exercise test")
    return 0 if trial.good else 1
