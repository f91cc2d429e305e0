"""Plain words about a gradient: which outputs are too high or too low, which way a value pushes them, and who wins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from backprop_cli.language import listed, plural, tr
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
    if "E" not in trace:
        yield tr("Raising {name} {does} {loss}.", name=name, does=does(total), loss=loss)
        return
    found = pulls(notation, ref, place)
    if total == 0:
        yield from _nothing(notation, ref, place, found)
        return
    weighty = [pull for pull in found if pull.worth]
    yield from (_pulled(notation, name, (ref, place), pull, digits) for pull in weighty[:MOST])
    if rest := sum(pull.worth for pull in weighty[MOST:]):
        yield tr("The other outputs together raise it.") if rest > 0 else tr("The other outputs together lower it.")
    yield _summed_up(notation, name, (ref, place), weighty, total)


def _pulled(notation: Notation, name: str, asked: Node, pull: Pull, digits: int) -> str:
    """What is wrong with one output, and what raising the value does about it."""
    trace, (ref, place) = notation.trace, pull.node
    if pull.node == asked and ref in trace and ref[0] == "W":
        told = {"name": name, "does": does(pull.worth)}
        return tr("The weight penalty pulls {name} towards 0: raising it {does} the loss.", **told)
    output = _output(ref)
    told = {
        "output": notation.entry(output, place),
        "value": number(trace[output][place], digits).text,
        "level": tr("too high") if (pull.worth > 0) == (pull.push > 0) else tr("too low"),
        "target": number(trace["y"][place], digits).text,
    }
    if pull.node == asked:
        return tr("{output} = {value} is {level} (its target is {target}).", **told)
    way = tr("up") if pull.push > 0 else tr("down")
    pushes = tr("pushes it {way}", way=way)
    if ref[0] == "z":
        pushes = tr("pushes its score {score} {way}", score=notation.entry(ref, place), way=way)
    return tr(
        "{output} = {value} is {level} (its target is {target}), and raising {name} {pushes}: that {does} the loss.",
        name=name, pushes=pushes, does=does(pull.worth), **told,
    )  # fmt: skip


def _summed_up(notation: Notation, name: str, asked: Node, weighty: list[Pull], total: float) -> str:
    """What raising the value does to the loss on the whole, and who wins where the outputs pull both ways."""
    told = {"name": name, "does": does(total), "update": _update(notation, *asked, total)}
    winners = [_called(notation, asked, pull.node) for pull in weighty if (pull.worth > 0) == (total > 0)]
    if not 0 < len(winners) < len(weighty):
        return tr("Raising {name} {does} the loss{update}.", **told)
    names = listed(winners)
    names = names.replace("the", "The", 1) if names.startswith("the") else names
    if len(winners) == 1:
        return tr("{names} wins: raising {name} {does} the loss{update}.", names=names, **told)
    return tr("{names} win: raising {name} {does} the loss{update}.", names=names, **told)


def _called(notation: Notation, asked: Node, node: Node) -> str:
    """How an output is called when the winners are named."""
    if node == asked and node[0][0] == "W":
        return tr("the penalty")
    return notation.entry(_output(node[0]), node[1])


def _output(ref: str) -> str:
    """The activation that people look at: a2 for the score z2 that a fused loss reads."""
    return ref.replace("z", "a", 1) if ref[0] == "z" else ref


def does(slope: float) -> str:
    """What raising a value with this slope does to the loss."""
    return tr("raises") if slope > 0 else tr("lowers") if slope < 0 else tr("does not change")


def _update(notation: Notation, ref: str, place: Place, total: float) -> str:
    """What the step then does with the value, if it does anything."""
    trace = notation.trace
    if f"{ref}_new" not in trace:
        return ""
    moved = float(trace[f"{ref}_new"][place] - trace[ref][place])
    if moved * total < 0:
        return tr(", so the update {does} it", does=does(moved))
    if not moved:
        return tr("; yet the update leaves it as it is")
    return tr("; yet the update {does} it, for what the optimizer remembers weighs more", does=does(moved))


def _nothing(notation: Notation, ref: str, place: Place, found: list[Pull]) -> Iterator[str]:
    """Why a gradient is 0: outputs that meet their targets, slopes of 0 on the way, or paths that cancel."""
    trace, entry, name = notation.trace, notation.entry, notation.entry(ref, place)
    if any(pull.worth for pull in found):
        yield tr("The pulls on {name} cancel exactly: a small change of it does not change the loss.", name=name)
        return
    pushed = flow(trace, ref, place)
    blocked = [
        tr("the slope from {start} to {end} is 0", start=entry(*node), end=entry(link.step.ref, link.place))
        for node, links in ways(trace, ref, place).items()
        for link in links
        if pushed[node] and link.slope == 0 and link.step.phase == "forward"
    ]
    met = [_called(notation, (ref, place), pull.node) for pull in found if pull.push and not pull.worth]
    reasons = [*(tr("{output} meets its target", output=output) for output in met), *blocked]
    told = tr("; ").join(reasons[:MOST])
    if len(reasons) > MOST:
        more = plural(len(reasons) - MOST, "reason")
        told = tr("{reasons}, and {more} more like these", reasons=told, more=more)
    yield tr("Nothing gets through: {reasons}.", reasons=told)
