"""A curve as signs on a terminal, as facts to be read aloud, and as an SVG picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape

import numpy as np

from backprop_cli.language import tr
from backprop_cli.lines import cells, fold
from backprop_cli.notation import number
from backprop_cli.render.blocks import Plot, labelled

ROWS = 14
FONT = 'font-family="sans-serif" font-size="14"'
CURVE, TANGENT, POINT, NEW = "•", "∙", "◆", "◇"


def drawn(plot: Plot, width: int, say: Callable[[str], str] = str) -> Iterator[str]:
    """The curve, the tangent and the points as lines, at most `width` cells wide, in signs that `say` spells."""
    low, high = _limits(plot)
    labels = list(map(say, _told_apart(high, low)))
    y_name, x_name = say(plot.y_name), say(plot.x_name)
    margin = max(map(cells, (*labels, y_name))) + 1
    columns = max(10, min(width - margin - 1, 72))
    canvas = [[" "] * columns for _ in range(ROWS)]

    def mark(xs: tuple[float, ...], ys: tuple[float, ...], sign: str) -> None:
        for column in range(columns):
            x = plot.xs[0] + (plot.xs[-1] - plot.xs[0]) * column / (columns - 1)
            y = float(np.interp(x, xs, ys))
            if low <= y <= high:
                canvas[_row(y, low, high)][column] = sign

    mark(plot.xs, plot.tangent, say(TANGENT))
    mark(plot.xs, plot.ys, say(CURVE))
    for sign, _, (x, y) in reversed(_marks(plot)):
        canvas[_row(y, low, high)][round((x - plot.xs[0]) / (plot.xs[-1] - plot.xs[0]) * (columns - 1))] = say(sign)
    yield from framed(canvas, {0: labels[0], ROWS // 2: y_name, ROWS - 1: labels[1]}, margin, say)
    left, right = map(say, _told_apart(plot.xs[0], plot.xs[-1]))
    yield f"{'':>{margin}}{left}{x_name:^{max(1, columns - len(left) - len(right))}}{right}"
    legend = {CURVE: plot.y_name, TANGENT: tr("tangent"), **{sign: what for sign, what, _ in _marks(plot)}}
    yield from fold("   ".join(say(f"{sign}\N{NO-BREAK SPACE}{what}") for sign, what in legend.items()), width, rest="")


def framed(canvas: list[list[str]], labels: Mapping[int, str], margin: int, say: Callable[[str], str]) -> Iterator[str]:
    """The rows of a canvas behind its axis, some of them labelled."""
    return (
        f"{labels.get(row, ''):>{margin - 1}} {say('│')}{''.join(line)}".rstrip() for row, line in enumerate(canvas)
    )


def facts(plot: Plot) -> Iterator[str]:
    """The same for a listener: where the curve starts, where it is lowest, where it ends, and the two points."""
    places = {tr("first"): 0, tr("lowest"): int(np.argmin(plot.ys)), tr("last"): -1}
    points = {what: (plot.xs[at], plot.ys[at]) for what, at in places.items()}
    for what, at in {**points, tr("at present"): plot.point, tr("new"): plot.new}.items():
        x, y = (number(value, 6).text for value in at)
        yield tr("{what}: {x} gives {y}", what=what, x=f"{plot.x_name} = {x}", y=f"{plot.y_name} = {y}")
    rise = (plot.tangent[-1] - plot.tangent[0]) / (plot.xs[-1] - plot.xs[0])
    yield labelled(tr("slope of the tangent at present"), number(rise, 6).text)


def plot_svg(plot: Plot, width: int = 640, height: int = 400) -> str:
    """The same as a picture of its own, sizes in pixels."""
    low, high = _limits(plot)
    left, top, right, bottom = 80, 24, width - 24, height - 56

    def at(x: float, y: float) -> tuple[float, float]:
        across = left + (x - plot.xs[0]) / (plot.xs[-1] - plot.xs[0]) * (right - left)
        return round(across, 1), round(bottom - (y - low) / (high - low) * (bottom - top), 1)

    def line(ys: tuple[float, ...], style: str) -> str:
        points = " ".join("{},{}".format(*at(x, y)) for x, y in zip(plot.xs, ys, strict=True))
        return f'<polyline points="{points}" fill="none" clip-path="url(#frame)" {style}/>'

    fills = {POINT: "#c60", NEW: "white"}
    points = [(fills[sign], *at(*point)) for sign, _, point in reversed(_marks(plot))]
    legend = tr("solid: {curve}; dashed: the tangent; filled: at present; hollow: new", curve=plot.y_name)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {FONT}>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<clipPath id="frame"><rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/></clipPath>',
        f'<path d="M{left},{top} V{bottom} H{right}" fill="none" stroke="black"/>',
        line(plot.tangent, 'stroke="#c60" stroke-dasharray="6 4"'),
        line(plot.ys, 'stroke="#06c" stroke-width="2"'),
        *(f'<circle cx="{x}" cy="{y}" r="5" fill="{fill}" stroke="#c60"/>' for fill, x, y in points),
        label(_told_apart(high, low)[0], left - 8, top + 5, "end"),
        label(_told_apart(high, low)[1], left - 8, bottom + 5, "end"),
        label(plot.y_name, left - 8, (top + bottom) / 2, "end"),
        label(number(plot.xs[0], 4).text, left, bottom + 20, "middle"),
        label(number(plot.xs[-1], 4).text, right, bottom + 20, "middle"),
        label(plot.x_name, (left + right) / 2, bottom + 20, "middle"),
        label(legend, (left + right) / 2, height - 12, "middle"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def label(text: str, x: float, y: float, anchor: str = "middle") -> str:
    """A text in a picture."""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _marks(plot: Plot) -> list[tuple[str, str, tuple[float, float]]]:
    """The points that lie within the sweep: each one's sign, what it is, and where."""
    points = [(POINT, tr("at present"), plot.point), (NEW, tr("new"), plot.new)]
    return [mark for mark in points if plot.xs[0] <= mark[2][0] <= plot.xs[-1]]


def _limits(plot: Plot) -> tuple[float, float]:
    """The lowest and highest value shown: the curve's, with a little room, so that a steep tangent is cut off."""
    ys = [*plot.ys, *(y for _, _, (_, y) in _marks(plot))]
    low, high = min(ys), max(ys)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return low - room, high + room


def _told_apart(p: float, q: float) -> list[str]:
    """Two numbers, with as many digits as it takes to tell them apart."""
    return next(
        texts
        for digits in range(4, 18)
        if len(set(texts := [number(value, digits).text for value in (p, q)])) == 2 or digits == 17
    )


def _row(y: float, low: float, high: float) -> int:
    return round((high - y) / (high - low) * (ROWS - 1))
