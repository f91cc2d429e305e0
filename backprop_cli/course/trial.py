"""A lesson tried: its commands run, its text looked through for typed numbers, and a play from beginning to end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from backprop_cli.course.demonstrate import read_command
from backprop_cli.course.items import items_of
from backprop_cli.course.lesson import Lesson
from backprop_cli.course.player import Player
from backprop_cli.course.prose import HOLE, Run, texts
from backprop_cli.errors import BackpropError, UsageError
from backprop_cli.language import Wish, current, speak, tr
from backprop_cli.lines import cells
from backprop_cli.render import plain, terminal
from backprop_cli.render.blocks import Block
from backprop_cli.render.screen import Screen

WIDTH = 80
SCREENS = (Screen(WIDTH, "utf-8", colour=False, plain=False), Screen(WIDTH, "utf-8", colour=False, plain=True))
DECIMAL = re.compile(r"(?<![\w.])[-−]?\d+\.\d+(?![\w.])")
Found = Iterator[tuple[str, str, bool]]
"""Faults: where, what, and whether it is only a doubt."""


def shows(lesson: Lesson) -> Found:
    """Commands can be run, and no number stands in the text that the engine knows."""
    variant = lesson.variant(lesson.seeds[0])
    try:
        known = {
            f"{abs(float(value)):.{digits}f}"
            for network in lesson.networks
            for array in variant.run(network).trace.values.values()
            for value in np.ravel(np.asarray(array, float))[:500]
            for digits in range(2, 7)
        }
    except UsageError as error:
        yield "lesson.toml", str(error), False
        return
    for text in lesson.texts.values():
        for piece in text.pieces:
            if isinstance(piece, Run):
                try:
                    _, network, _, _ = read_command(piece.command, variant)
                    variant.run(network)
                except UsageError as error:
                    yield f"{text.language}.md", str(error), False
        for each in texts(text.pieces):
            for found in DECIMAL.findall(HOLE.sub("", each)):
                if found.lstrip("-−") in known:
                    yield (
                        f"{text.language}.md",
                        tr("{number} is typed, but the engine knows it; write an expression", number=found),
                        True,
                    )


def played(lesson: Lesson) -> Found:
    """A play with the model answers, in each language, on the first set of numbers: all fits, and it ends in done."""
    before = current()
    for language in lesson.texts:
        speak(Wish(language, "linter"))
        try:
            events: list[dict[str, Any]] = []
            items, closing = items_of(lesson, language, lesson.seeds[0])
            if not items:
                yield f"{language}.md", tr("the lesson asks nothing"), False
                continue
            player = Player(items, closing, events.append)
            wide = _too_wide(player.opening())
            for item in items:
                if not player.over:
                    wide = _too_wide(player.answer(item.question.model(item.lesson.variant(item.seed)))) or wide
            if wide:
                yield (
                    f"{language}.md",
                    tr("a line is wider than {width} columns: {line}", width=WIDTH, line=wide),
                    False,
                )
            if not events or events[-1]["verdict"] != "done":
                yield f"{language}.md", tr("a play with the model answers does not end in done"), False
        except BackpropError as error:
            yield f"{language}.md", str(error), False
        finally:
            speak(before)


def _too_wide(blocks: Iterator[Block]) -> str:
    """A line that does not fit, handsome or plain; nothing if all do."""
    for block in blocks:
        handsome: Callable[..., Any] = terminal.lines
        for screen, lines in zip(SCREENS, (handsome, plain.lines), strict=True):
            for line in lines(block, screen):
                if cells(str(line)) > WIDTH:
                    return str(line)
    return ""
