"""Plain words about a gradient: which outputs are too high or too low, which way a value pushes them, and who wins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from backprop_cli.language import plural
from backprop_cli.notation import Notation, number
from backprop_cli.paths import Node, Place, flow, paths, ways

MOST = 3
"""The most outputs, or reasons, that get a sentence of their own."""


class Pull(NamedTuple):
    """What a value does to one number that the loss reads: `push` is that number's slope, `worth` its part of dL."""

    node: Node
    push: float
    worth: float


def pulls(notation: Notation, ref: str, place: Place) -> list[Pull]:
    """The outputs that a value pushes, the weightiest first; its own penalty, if it has one, counts as one of them."""
    trace = notation.trace
    pushed = flow(trace, ref, place)
    found = []
    for node, links in ways(trace, ref, place).items():
        judged = [link for link in links if link.step.phase == "loss"]
        slope = sum(link.slope * paths(trace, link.step.ref, link.place, 1).total for link in judged)
        made_by = trace.producer(node[0])
        if judged and not (made_by and made_by.phase == "loss"):
            found.append(Pull(node, pushed[node], pushed[node] * slope))
    return sorted(found, key=lambda pull: -abs(pull.worth))


def sentences(notation: Notation, ref: str, place: Place, digits: int) -> Iterator[str]:
    """One sentence for each output that matters, and one that sums up."""
    trace, name, loss = notation.trace, notation.entry(ref, place), notation.name("L")
    total = paths(trace, ref, place, 1).total
    if "y" not in trace:
        yield f"Raising {name} {_does(total)} {loss}."
        return
    found = pulls(notation, ref, place)
    if total == 0:
        yield from _nothing(notation, ref, place, found)
        return
    weighty = [pull for pull in found if pull.worth]
    yield from (_pulled(notation, name, (ref, place), pull, digits) for pull in weighty[:MOST])
    if rest := sum(pull.worth for pull in weighty[MOST:]):
        yield f"The other outputs together {'raise' if rest > 0 else 'lower'} it."
    wins = ""
    if any(pull.worth * total < 0 for pull in weighty):
        winners = [_called(notation, (ref, place), pull.node) for pull in weighty if pull.worth * total > 0]
        names = f"{', '.join(winners[:-1])} and {winners[-1]}" if len(winners) > 1 else winners[0]
        names = names.replace("the", "The", 1) if names.startswith("the") else names
        wins = f"{names} {'win' if len(winners) > 1 else 'wins'}: "
    raising = "raising" if wins else "Raising"
    yield f"{wins}{raising} {name} {_does(total)} the loss{_update(notation, ref, place, total)}."


def _pulled(notation: Notation, name: str, asked: Node, pull: Pull, digits: int) -> str:
    """What is wrong with one output, and what raising the value does about it."""
    trace, (ref, place) = notation.trace, pull.node
    if pull.node == asked and ref in trace and ref[0] == "W":
        return f"The weight penalty pulls {name} towards 0: raising it {_does(pull.worth)} the loss."
    score = ref[0] == "z"
    output = _output(ref)
    value, target = (number(trace[where][place], digits).text for where in (output, "y"))
    high = "high" if (pull.worth > 0) == (pull.push > 0) else "low"
    pushed = f"its score {notation.entry(ref, place)}" if score else "it"
    if pull.node == asked:
        return f"{notation.entry(output, place)} = {value} is too {high} (its target is {target})."
    way = "up" if pull.push > 0 else "down"
    return (
        f"{notation.entry(output, place)} = {value} is too {high} (its target is {target}), and raising {name} pushes "
        f"{pushed} {way}: that {_does(pull.worth)} the loss."
    )


def _called(notation: Notation, asked: Node, node: Node) -> str:
    """How an output is called when the winners are named."""
    if node == asked and node[0][0] == "W":
        return "the penalty"
    return notation.entry(_output(node[0]), node[1])


def _output(ref: str) -> str:
    """The activation that people look at: a2 for the score z2 that a fused loss reads."""
    return ref.replace("z", "a", 1) if ref[0] == "z" else ref


def _does(slope: float) -> str:
    return "raises" if slope > 0 else "lowers" if slope < 0 else "does not change"


def _update(notation: Notation, ref: str, place: Place, total: float) -> str:
    """What the step then does with the value, if it does anything."""
    trace = notation.trace
    if f"{ref}_new" not in trace:
        return ""
    moved = float(trace[f"{ref}_new"][place] - trace[ref][place])
    if moved * total < 0:
        return f", so the update {'lowers' if moved < 0 else 'raises'} it"
    if not moved:
        return "; yet the update leaves it as it is"
    return f"; yet the update {'lowers' if moved < 0 else 'raises'} it, for what the optimizer remembers weighs more"


def _nothing(notation: Notation, ref: str, place: Place, found: list[Pull]) -> Iterator[str]:
    """Why a gradient is 0: outputs that meet their targets, slopes of 0 on the way, or paths that cancel."""
    trace, name = notation.trace, notation.entry(ref, place)
    if any(pull.worth for pull in found):
        yield f"The pulls on {name} cancel exactly: a small change of it does not change the loss."
        return
    pushed = flow(trace, ref, place)
    blocked = [
        f"the slope from {notation.entry(*node)} to {notation.entry(link.step.ref, link.place)} is 0"
        for node, links in ways(trace, ref, place).items()
        for link in links
        if pushed[node] and link.slope == 0 and link.step.phase == "forward"
    ]
    met = [_called(notation, (ref, place), pull.node) for pull in found if pull.push and not pull.worth]
    reasons = [*(f"{output} meets its target" for output in met), *blocked]
    more = f", and {plural(len(reasons) - MOST, 'reason')} more like these" if len(reasons) > MOST else ""
    yield f"Nothing gets through: {'; '.join(reasons[:MOST])}{more}."
