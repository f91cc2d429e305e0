"""How verdicts are told: each witness on each gradient, the worst entry where one is wrong, and the last word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from backprop_cli.language import plural
from backprop_cli.notation import Notation, number
from backprop_cli.render.blocks import Block, Checked, Heading, Outcome
from backprop_cli.verdict import Check


def proof(notation: Notation, checks: Iterable[Check], digits: int) -> Iterator[Block]:
    """Each verdict as it comes, and the outcome; nothing if there are no checks."""
    found: list[Check] = []
    for check in checks:
        if not found:
            yield Heading("CHECK")
        found.append(check)
        yield Checked(notation.name(check.ref), check, _worst(notation, check, digits))
    if found:
        yield outcome(found)


def _worst(notation: Notation, check: Check, digits: int) -> str:
    """The worst entry spelled out, where something is wrong; at a kink, the slopes on both sides."""
    entry = check.worst
    if entry is None or check.verdict not in ("disagree", "kink"):
        return ""
    address = notation.address(check.ref, entry.place)
    if check.slopes:
        left, right, engine = (number(value, digits).text for value in (*check.slopes, entry.engine))
        return f"{address}: slope {left} to the left, {right} to the right; the engine uses {engine}"
    engine, witness = (number(value, max(digits, 10)).text for value in (entry.engine, entry.witness))
    errors = f"absolute error {entry.abs_error:.2e}, relative {entry.rel_error:.2e}"
    return f"{address}: engine {engine}, {check.witness.replace('_', ' ')} {witness}, {errors}"


def outcome(checks: list[Check]) -> Outcome:
    """The last word on some checks."""
    wrong = [check for check in checks if check.verdict == "disagree"]
    if wrong:
        names = ", ".join(dict.fromkeys(check.ref for check in wrong))
        verb = "disagrees" if len(wrong) == 1 else "disagree"
        return Outcome(False, f"{len(wrong)} of {plural(len(checks), 'check')} {verb}: {names}.")
    spoke = [check for check in checks if check.verdict != "skipped"]
    if not spoke:
        return Outcome(True, f"Nothing was checked: {checks[0].reason}.")
    witnesses = ", ".join(dict.fromkeys(check.witness.replace("_", " ") for check in spoke))
    sample = " (on a sample)" if any(check.checked < check.total for check in spoke) else ""
    gradients = plural(len({check.ref for check in spoke}), "gradient")
    if claims := [check for check in spoke if check.witness == "claimed"]:
        missing = len(checks) - len(claims)
        more = f" {plural(missing, 'gradient')} of the net {'is' if missing == 1 else 'are'} not in the file."
        text = f"The file agrees on {gradients}.{more if missing else ''}"
    else:
        text = f"All witnesses agree on {gradients}: {witnesses}{sample}."
    kinks = sum(check.verdict == "kink" for check in checks)
    if kinks:
        text += f" {kinks} of the checks met a kink, where any slope in between is right."
    if blind := sum(check.under == check.checked for check in spoke):
        text += f" {blind} of the checks could tell nothing: the gradient is under the floor."
    return Outcome(True, text)
