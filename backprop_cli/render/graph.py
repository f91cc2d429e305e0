"""A computation graph drawn with signs: at each node its value, above it its operation, below it its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from backprop_cli.language import tr
from backprop_cli.lines import cells, padded
from backprop_cli.render.blocks import Graph


def drawn(graph: Graph, say: Callable[[str], str] = str) -> list[str]:
    """The graph as lines of text; a node that is used twice is drawn at each of its uses.

    Every sign is spelled by `say` before its width is counted on.
    """
    return "\n".join(line.rstrip() for line in _drawn(graph, say)[0]).rstrip().split("\n")


def _drawn(graph: Graph, say: Callable[[str], str]) -> tuple[list[str], int]:
    """The lines of a node and all before it, and the line on which the node's name stands.

    There is a line above the name for the operation, and one below it for the gradient.
    """
    label = say(graph.name if graph.name == graph.value else f"{graph.name} = {graph.value}")
    below = say(f"∂ {graph.gradient}") if graph.gradient else ""
    operation = say(_operation(graph))
    width = max(cells(label), cells(below))
    if not graph.sources:
        return [padded(label, width), padded(below, width)], 0
    parts = [_drawn(source, say) for source in graph.sources]
    wide = max(cells(line) for lines, _ in parts for line in lines)
    above = len(parts) == 1 and parts[0][1] == 0
    lines = [" " * wide] if above else []
    anchors = []
    for part, anchor in parts:
        anchors.append(len(lines) + anchor)
        lines += [padded(line, wide) for line in part]
    middle = (anchors[0] + anchors[-1]) // 2
    node = {middle - 1: operation, middle: label, middle + 1: below}
    span = max(width, cells(operation))
    rows = []
    for row, line in enumerate(lines):
        joint = padded(say(_joint(row, anchors, middle)), cells(say("───→ ")))
        reach = f"{line.rstrip()} "
        reach += (say("─") if row in anchors else " ") * (wide + 1 - cells(reach))
        rows.append(f"{reach}{joint}{padded(node.get(row, ''), span)}")
    return rows, middle


def _joint(row: int, anchors: list[int], middle: int) -> str:
    """The piece of line between the sources and the node on one row."""
    arriving = row in anchors
    first, last = min(*anchors, middle), max(*anchors, middle)
    left = "─" if arriving else " "
    if first == last:
        return f"{left}──→ " if row == first else "     "
    if not first <= row <= last:
        return "     "
    corner = "┐" if row == first else "┘" if row == last else "┤" if arriving else "│"
    if row == middle:
        corner = "┬" if row == first else "┴" if row == last else "┼" if arriving else "├"
        return f"{left}{corner}─→ "
    return f"{left}{corner}   "


def _operation(graph: Graph) -> str:
    """What the operation that makes a node is called: square root."""
    return tr(graph.operation.replace("_", " "))


def facts(graph: Graph) -> Iterator[str]:
    """The same for a listener: every node in the order of computation, and once even if it is used twice."""
    yield from dict.fromkeys(_facts(graph))


def _facts(graph: Graph) -> Iterator[str]:
    for source in graph.sources:
        yield from _facts(source)
    if graph.sources:
        sources = ", ".join(source.name for source in graph.sources)
        told = {"name": graph.name, "operation": _operation(graph), "sources": sources, "value": graph.value}
        made = tr("{name}: {operation} of {sources} = {value}", **told)
        yield tr("{made}, gradient {gradient}", made=made, gradient=graph.gradient) if graph.gradient else made
    elif graph.name != graph.value:
        gradient = graph.gradient or tr("none")
        yield tr("{name}: given, {value}, gradient {gradient}", name=graph.name, value=graph.value, gradient=gradient)
