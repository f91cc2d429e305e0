"""How verdicts are told: each witness on each gradient, the worst entry where one is wrong, and the last word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce

from backprop_cli.language import enumerated, plural, tr
from backprop_cli.notation import Notation, number
from backprop_cli.render.blocks import Block, Checked, Heading, Outcome, witness_name
from backprop_cli.verdict import Check


def proof(notation: Notation, checks: Iterable[Check], digits: int, asked: bool = False) -> Iterator[Block]:
    """Each verdict as it comes, and the outcome; nothing if there are no checks.

    `asked` says that one entry was asked about, and so looking at it alone is no sample.
    """
    found: list[Check] = []
    for check in checks:
        if not found:
            yield Heading(tr("CHECK"))
        found.append(check)
        yield Checked(notation.name(check.ref), check, _worst(notation, check, digits))
    if found:
        yield outcome(found, asked)


def _worst(notation: Notation, check: Check, digits: int) -> str:
    """The worst entry spelled out, where something is wrong; at a kink, the slopes on both sides."""
    entry = check.worst
    if entry is None or check.verdict not in ("disagree", "kink"):
        return ""
    address = notation.address(check.ref, entry.place)
    if check.slopes:
        left, right, engine = (number(value, digits).text for value in (*check.slopes, entry.engine))
        return tr(
            "{address}: slope {left} to the left, {right} to the right; the engine uses {engine}",
            address=address,
            left=left,
            right=right,
            engine=engine,
        )
    engine, value = (number(each, max(digits, 10)).text for each in (entry.engine, entry.witness))
    return tr(
        "{address}: engine {engine}, {witness} {value}, absolute error {absolute:.2e}, relative {relative:.2e}",
        address=address,
        engine=engine,
        witness=witness_name(check),
        value=value,
        absolute=entry.abs_error,
        relative=entry.rel_error,
    )


def outcome(checks: list[Check], asked: bool = False) -> Outcome:
    """The last word on some checks."""
    if wrong := [check for check in checks if check.verdict == "disagree"]:
        return Outcome(False, _wrong(wrong, len(checks)))
    spoke = [check for check in checks if check.verdict != "skipped"]
    if spoke and all(check.under == check.checked for check in spoke):
        return Outcome(True, tr("Nothing could be told: every gradient is under the floor, 0 or nearly so."))
    if spoke:
        return Outcome(True, reduce(_and_then, _right(spoke, len(checks), asked)))
    return Outcome(True, tr("Nothing was checked: {reason}.", reason=checks[0].reason))


def _wrong(wrong: list[Check], count: int) -> str:
    """Which gradients are wrong."""
    told = {"checks": plural(count, "check"), "names": enumerated(dict.fromkeys(check.ref for check in wrong))}
    if len(wrong) == 1:
        return tr("1 of {checks} disagrees: {names}.", **told)
    return tr("{wrong} of {checks} disagree: {names}.", wrong=len(wrong), **told)


def _right(spoke: list[Check], count: int, asked: bool) -> Iterator[str]:
    """Who agrees on what, and how much of it could be told."""
    told = {
        "gradients": plural(len({check.ref for check in spoke}), "gradient"),
        "witnesses": enumerated(dict.fromkeys(map(witness_name, spoke))),
    }
    if spoke[0].witness == "claimed":
        yield tr("The file agrees on {gradients}.", **told)
        if (missing := count - len(spoke)) == 1:
            yield tr("1 gradient of the net is not in the file.")
        elif missing:
            yield tr("{count} gradients of the net are not in the file.", count=missing)
    elif not asked and any(check.checked < check.total for check in spoke):
        yield tr("All witnesses agree on {gradients}: {witnesses} (on a sample).", **told)
    else:
        yield tr("All witnesses agree on {gradients}: {witnesses}.", **told)
    if kinks := sum(check.verdict == "kink" for check in spoke):
        yield tr("{count} of the checks met a kink, where any slope in between is right.", count=kinks)
    if blind := sum(check.under == check.checked for check in spoke):
        yield tr("{count} of the checks could tell nothing: the gradient is under the floor.", count=blind)


def _and_then(told: str, sentence: str) -> str:
    """Two sentences, one after the other: Chinese puts no blank between them."""
    return tr("{told} {sentence}", told=told, sentence=sentence)
