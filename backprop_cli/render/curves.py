"""Several curves over the same axis, such as the losses of a training: as signs, as facts, and as an SVG picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from backprop_cli.language import tr
from backprop_cli.lines import cells, fold
from backprop_cli.notation import number
from backprop_cli.render.blocks import Curves
from backprop_cli.render.plot import FONT, framed, label

ROWS = 12
WIDEST = 64
SIGNS = "•◇◆"
STROKES = ('stroke="#06c" stroke-width="2"', 'stroke="#c60" stroke-width="2" stroke-dasharray="7 4"')
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 300, 80, 24, 616, 236
"""Of one panel of the picture, and of the frame in it, in pixels."""


def drawn(curves: Curves, width: int, say: Callable[[str], str] = str) -> Iterator[str]:
    """The curves as lines of text, at most `width` cells wide, in signs that `say` spells; the first lies on top."""
    low, high = _limits(curves)
    ends = [say(number(end, 4).text) for end in (high, low)]
    margin = max(map(cells, ends)) + 1
    columns = max(10, min(width - margin - 1, WIDEST))
    canvas = [[" "] * columns for _ in range(ROWS)]
    xs = np.linspace(curves.xs[0], curves.xs[-1], columns)
    for sign, (_, ys) in reversed(list(zip(SIGNS, curves.lines, strict=False))):
        heights = [round((high - y) / (high - low) * (ROWS - 1)) for y in np.interp(xs, curves.xs, ys)]
        for column, (before, row) in enumerate(zip([heights[0], *heights], heights, strict=False)):
            nearest = before + (row > before) - (row < before)
            for between in range(min(nearest, row), max(nearest, row) + 1):
                canvas[between][column] = say(sign)
    yield from framed(canvas, {0: ends[0], ROWS - 1: ends[1]}, margin, say)
    first, last = (say(number(x, 6).text) for x in (curves.xs[0], curves.xs[-1]))
    name = say(curves.x_name)
    rest = columns - len(first) - len(last)
    before = max(1, (rest - cells(name)) // 2)
    yield " " * (margin + 1) + first + " " * before + name + " " * max(1, rest - before - cells(name)) + last
    legend = (f"{sign}\N{NO-BREAK SPACE}{name}" for sign, (name, _) in zip(SIGNS, curves.lines, strict=False))
    pad = " " * min(margin + 1, width // 3)
    yield from fold(say(f"{tr('{heading}:', heading=curves.y_name)}   {'   '.join(legend)}"), width, pad, pad)


def facts(curves: Curves) -> Iterator[str]:
    """The same for a listener: where each curve starts, where it is lowest and highest, and where it ends."""
    for name, ys in curves.lines:
        least, most = int(np.argmin(ys)), int(np.argmax(ys))
        places = {tr("first"): 0, tr("lowest"): least, tr("highest"): most, tr("last"): -1}
        for what, at in places.items():
            yield tr(
                "{y_name}, {name}, {what}: {y} at {x_name} {x}",
                y_name=curves.y_name,
                name=name,
                what=what,
                y=number(ys[at], 6).text,
                x_name=curves.x_name,
                x=number(curves.xs[at], 6).text,
            )


def curves_svg(panels: Sequence[Curves]) -> str:
    """Panels below each other as one picture."""
    height = HEIGHT * len(panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for row, panel in enumerate(panels):
        lines += [f'<g transform="translate(0 {HEIGHT * row})">', *_panel(panel), "</g>"]
    return "\n".join([*lines, "</svg>\n"])


def _panel(curves: Curves) -> Iterator[str]:
    low, high = _limits(curves)
    across = (RIGHT - LEFT) / (curves.xs[-1] - curves.xs[0])

    yield f'<path d="M{LEFT},{TOP} V{BOTTOM} H{RIGHT}" fill="none" stroke="black"/>'
    yield label(number(high, 4).text, LEFT - 8, TOP + 5, "end")
    yield label(number(low, 4).text, LEFT - 8, BOTTOM + 5, "end")
    yield label(curves.y_name, LEFT - 8, (TOP + BOTTOM) / 2, "end")
    yield label(curves.x_name, (LEFT + RIGHT) / 2, BOTTOM + 20)
    for x, at in ((curves.xs[0], LEFT), (curves.xs[-1], RIGHT)):
        yield label(number(x, 6).text, at, BOTTOM + 20)
    for place, (stroke, (name, ys)) in enumerate(zip(STROKES, curves.lines, strict=False)):
        points = " ".join(
            f"{LEFT + (x - curves.xs[0]) * across:.1f},{BOTTOM - (y - low) / (high - low) * (BOTTOM - TOP):.1f}"
            for x, y in zip(curves.xs, ys, strict=True)
        )
        start = LEFT + 40 + 200 * place
        yield f'<polyline points="{points}" fill="none" {stroke}/>'
        yield f'<path d="M{start},{BOTTOM + 42} h36" {stroke}/>'
        yield label(name, start + 44, BOTTOM + 47, "start")


def _limits(curves: Curves) -> tuple[float, float]:
    """The lowest and the highest value; a little apart if they are the same."""
    values = [y for _, ys in curves.lines for y in ys]
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
