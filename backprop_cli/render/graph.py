"""A computation graph drawn with signs: at each node its value, below it its gradient, and the result on the right."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from backprop_cli.render.blocks import Graph


def drawn(graph: Graph) -> list[str]:
    """The graph as lines of text; a node that is used twice is drawn at each of its uses."""
    return [line.rstrip() for line in _drawn(graph)[0]]


def _drawn(graph: Graph) -> tuple[list[str], int]:
    """The lines of a node and all before it, and the line on which the node's name stands."""
    label = graph.name if graph.name == graph.value else f"{graph.name} = {graph.value}"
    below = f"∂ {graph.gradient}" if graph.gradient else ""
    width = max(cell_len(label), cell_len(below))
    if not graph.sources:
        return [_padded(label, width), _padded(below, width)], 0
    parts = [_drawn(source) for source in graph.sources]
    wide = max(cell_len(line) for lines, _ in parts for line in lines)
    lines: list[str] = []
    anchors = []
    for part, anchor in parts:
        anchors.append(len(lines) + anchor)
        lines += [_padded(line, wide) for line in part]
    middle = anchors[0] if len(anchors) == 1 else (anchors[0] + anchors[-1]) // 2
    middle = min(middle, len(lines) - 2) if len(lines) > 1 else 0
    node = {middle - 1: graph.operation, middle: label, middle + 1: below}
    span = max(width, cell_len(graph.operation))
    rows = []
    for row, line in enumerate(lines):
        joint = _joint(row, anchors, middle)
        reach = f"{line.rstrip()} ".ljust(wide + 1, "─") if row in anchors else f"{line} "
        rows.append(f"{reach}{joint}{_padded(node.get(row, ''), span)}")
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


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def facts(graph: Graph) -> Iterator[str]:
    """The same for a listener: every node in the order of computation."""
    for source in graph.sources:
        yield from facts(source)
    if graph.sources:
        slope = f", gradient {graph.gradient}" if graph.gradient else ""
        sources = ", ".join(source.name for source in graph.sources)
        yield f"{graph.name}: {graph.operation} of {sources} = {graph.value}{slope}"
    elif graph.name != graph.value:
        yield f"{graph.name}: given, {graph.value}, gradient {graph.gradient or 'none'}"
