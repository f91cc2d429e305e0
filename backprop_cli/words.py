"""Plain words about a gradient: which outputs are too high or too low, which way a value pushes them, and who wins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from backprop_cli.notation import Notation, number
from backprop_cli.paths import Path, Paths, Place

MOST = 3
"""The most outputs that get a sentence of their own."""


class Pull(NamedTuple):
    """What a value does to one output: `push` is the slope of the output, `worth` the part of the gradient."""

    ref: str
    place: Place
    push: float
    worth: float


def pulls(found: Paths) -> list[Pull]:
    """The paths gathered by the output through which they reach the loss, the weightiest first."""
    gathered: dict[tuple[str, Place], Pull] = {}
    for path in found.largest:
        key, push = _output(path)
        if key:
            known = gathered.get(key, Pull(*key, 0.0, 0.0))
            gathered[key] = known._replace(push=known.push + push, worth=known.worth + path.product)
    return sorted(gathered.values(), key=lambda pull: -abs(pull.worth))


def _output(path: Path) -> tuple[tuple[str, Place] | None, float]:
    """The value that a path hands to the loss, and the slope of that value; None for a path through the penalty."""
    push = 1.0
    for before, link in zip((None, *path.links), path.links, strict=False):
        if link.step.phase == "loss":
            return ((before.step.ref, before.place), push) if before else (None, 0.0)
        push *= link.slope
    return None, 0.0


def sentences(notation: Notation, ref: str, place: Place, found: Paths, digits: int) -> Iterator[str]:
    """One sentence for each output that matters, and one that sums up."""
    name, loss = notation.entry(ref, place), notation.name("L")
    if found.total and "y" not in notation.trace:
        yield f"Raising {name} {'raises' if found.total > 0 else 'lowers'} {loss}."
        return
    if found.total == 0:
        yield _nothing(notation, name, found)
        return
    pulled = [pull for pull in pulls(found) if pull.worth]
    for pull in pulled[:MOST]:
        output = notation.trace[pull.ref.replace("z", "a", 1)][pull.place]
        target = notation.trace["y"][pull.place]
        high = (pull.worth > 0) == (pull.push > 0)
        yield (
            f"{notation.entry(pull.ref.replace('z', 'a', 1), pull.place)} = {number(output, digits).text} is too "
            f"{'high' if high else 'low'} (its target is {number(target, digits).text}), and raising {name} pushes it "
            f"{'up' if pull.push > 0 else 'down'}: that {'raises' if pull.worth > 0 else 'lowers'} the loss."
        )
    if len(pulled) > MOST:
        rest = found.total - sum(pull.worth for pull in pulled[:MOST])
        yield f"The other outputs together {'raise' if rest > 0 else 'lower'} it."
    verb, update = ("raises", "lowers") if found.total > 0 else ("lowers", "raises")
    against = any(pull.worth * found.total < 0 for pull in pulled)
    wins = f"{notation.entry(pulled[0].ref.replace('z', 'a', 1), pulled[0].place)} wins: " if against and pulled else ""
    yield f"{wins}{'raising' if wins else 'Raising'} {name} {verb} the loss, so gradient descent {update} it."


def _nothing(notation: Notation, name: str, found: Paths) -> str:
    """Why a gradient is 0: the first slope of 0 on the way, or paths that cancel."""
    for path in found.largest:
        for link in path.links:
            if link.slope == 0:
                came = notation.entry(link.step.operands[link.operand], link.source)
                return (
                    f"Nothing gets through: the slope from {came} to {notation.entry(link.step.ref, link.place)} is 0."
                )
    return f"The paths of {name} cancel exactly: a small change of it does not change the loss."
