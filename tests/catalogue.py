"""Which sentences the program has for people, and the catalogue of their translations.

    python tests/catalogue.py

brings the .po file up to date with the code: new sentences come in, to be translated by hand, and old ones go. Then it
compiles the .mo file, which is the one that the program reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from backprop_cli import play, predict, welcome
from backprop_cli.cli import backprop as group
from backprop_cli.commands.page import paragraphs
from backprop_cli.course import player
from backprop_cli.grading.catalogue import every_kernel
from backprop_cli.layers import KERNELS
from backprop_cli.rewrites import REWRITES
from backprop_cli.trace import PHASES, added
from backprop_cli.verdict import WITNESSES

PACKAGE = Path(__file__).parent.parent / "backprop_cli"
PO = PACKAGE / "locale" / "zh" / "LC_MESSAGES" / "backprop.po"
MO = PO.with_suffix(".mo")
TRANSLATED = {"tr", "later", "UsageError", "ShapeError", "InputError"}
"""What the first argument of these is, is a sentence."""
NOUNS = {"unknown", "look_up"}
"""What the first argument of these is, and the second of `plural`, is a noun."""
OTHERS = "Python and the system"
"""Where messages come from that none of our code has: they stand in the .po file by hand, with this as their place."""

CLICK = "Click"

Key = str | tuple[str, str]


class Sentence(NamedTuple):
    """A key of the catalogue, with its plural if it has one, and where it stands."""

    key: Key
    place: str


def sentences() -> Iterator[Sentence]:
    """Every sentence: those in calls, those in tables, and Click's own."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from in_calls(path, TRANSLATED)
    for place, texts in tables().items():
        yield from (Sentence(text, place) for text in texts if text)
    for path in sorted(Path(click.__file__).parent.glob("*.py")):
        yield from in_calls(path, {"_"})


def in_calls(path: Path, names: set[str]) -> Iterator[Sentence]:
    """The literal sentences that a file passes to the functions of these names."""
    place = str(path.relative_to(PACKAGE.parent)) if path.is_relative_to(PACKAGE) else CLICK
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [text for arg in node.args if (text := literal(arg)) is not None]
        if texts and (name in names or name in NOUNS):
            yield Sentence(texts[0], place)
        elif texts and name == "plural":
            yield Sentence((f"{{count}} {texts[-1]}", f"{{count}} {texts[-1]}s"), place)
        elif len(texts) > 1 and name == "ngettext":
            yield Sentence((texts[0], texts[1]), place)


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def tables() -> dict[str, Iterable[str]]:
    """The sentences that stand in tables and docstrings, and are translated where they are shown."""
    return {
        "welcome.py": [welcome.PAGE, *welcome.COMMANDS.values(), *welcome.TOPICS.values()],
        "commands": list(help_texts()),
        "layers, optimizers": list(kernel_texts()),
        "layers/elementary.py": [kernel.name.replace("_", " ") for kernel in KERNELS.values() if kernel.target == "s"],
        "course/player.py": [*player.HELP, *player.HELP.values()],
        "rewrites.py": [rewrite.text for rewrite in REWRITES],
        "play.py": [*play.HELP, *play.HELP.values()],
        "predict.py": predict.STAGES,
        "trace.py": PHASES,
        "verdict.py": [
            *(witness.replace("_", " ") for witness in (*WITNESSES, "claimed")),
            *("agree", "disagree", "kink", "skipped"),
        ],
    }


def help_texts() -> Iterator[str]:
    """What `--help` says of every command."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield from (paragraph for paragraph in paragraphs(command) if not paragraph.startswith("\b"))
        with command.context_class(command) as inside:
            for param in command.params:
                if isinstance(param, click.Option):
                    yield from (param.help or "", getattr(param, "group", "Options"))
                yield param.metavar or (
                    click.Argument.make_metavar(param, inside) if isinstance(param, click.Argument) else ""
                )
    yield from ("[OPTIONS]", "required")


def kernel_texts() -> Iterator[str]:
    """What kernels say of themselves, and of their numbers."""
    for kernel in (added(2), added(3), *every_kernel()):
        yield kernel.doc
        yield from (remark.text for remark in kernel.remarks)
        yield from (mistake.text for mistake in (*kernel.mistakes, *kernel.conventions))


def catalogue() -> Catalog:
    """What is on file."""
    with PO.open("rb") as file:
        return read_po(file, locale="zh", domain="backprop")


def updated(old: Catalog) -> Catalog:
    """The catalogue of today's sentences, with the translations that the old one has for them."""
    dates = {"creation_date": old.creation_date, "revision_date": old.creation_date}
    names = dict.fromkeys(("copyright_holder", "msgid_bugs_address", "last_translator", "language_team"), "backprop")
    new = Catalog("zh", "backprop", "# backprop in Chinese.", "backprop", "1", fuzzy=False, **dates, **names)
    for key, place in sentences():
        known = old.get(key)
        new.add(key, known.string if known else "", [(place, None)])
    for message in old:
        if (OTHERS, None) in message.locations:
            new.add(message.id, message.string, message.locations)
    return new


def main() -> None:
    new = updated(catalogue() if PO.exists() else Catalog("zh"))
    with PO.open("wb") as file:
        write_po(file, new, width=120, include_lineno=False, ignore_obsolete=True)
    with MO.open("wb") as file:
        write_mo(file, new)
    missing = [message.id for message in new if message.id and not any(message.string)]
    print(f"{len(new)} sentences, {len(missing)} without a translation", *map(repr, missing), sep="\n")


if __name__ == "__main__":
    main()
