"""What is not wrong but only done differently, and consistently: other ways to read the same sheet.

δ may have its sign turned if the update makes up for it; the ½ and the 1/n may stand in the loss or in the update;
rows may be columns. Each is a reading of the numbers as ours, and counts if the sheet is better for it to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from backprop_cli.grading.key import Key
from backprop_cli.grading.submission import Given
from backprop_cli.language import tr

SQUARES = ("mse", "sse", "half_sse")
"""The losses that have a ½ in some books and not in others."""


def readings(key: Key, given: Given, wrong: Mapping[str, set[str]]) -> Iterator[tuple[str, dict[str, tuple[Any, Any]]]]:
    """Other readings of a sheet on which some values are `wrong`, with the codes for that: what to say, the numbers.

    Without an update nobody can know whether it would have made up for what was different before.
    """
    moved = {ref for ref in given if ref.endswith("_new") and ref.removesuffix("_new") in key.notation.leaves}
    back = {ref for ref in given if ref in key.steps and key.steps[ref].phase == "backward"}
    if not moved or not back:
        return
    codes = set().union(*(found for ref, found in wrong.items() if ref in back))
    flow = {ref for ref in back if ref[1:] not in key.notation.leaves}
    if codes & {"sign", "factor_2", "no_mean", "mean_twice", "mean_over_outputs"}:
        for factor, said in _scales(key):
            for part in (back, flow):
                scaled = part | ({"L"} if factor > 0 and "L" in wrong and "L" in given else set())
                yield said, {ref: _scaled(*found, factor) if ref in scaled else found for ref, found in given.items()}
    if codes & {"dw_transposed", "index_order"}:
        square = {ref for ref in (*back, *moved) if _square(given[ref][0]) and ref in _of_weights(key)}
        said = tr("Rows and columns of the weights are exchanged throughout; that is a convention.")
        yield said, {ref: (found[0].T, found[1].T) if ref in square else found for ref, found in given.items()}


def _scales(key: Key) -> Iterator[tuple[float, str]]:
    """Factors that may stand in the loss or in the update, and what to say of each."""
    yield -1.0, tr("δ has its sign turned throughout, and what follows makes up for it; that is a convention.")
    if key.problem.network.loss.name in SQUARES:
        for factor in (2.0, 0.5):
            yield factor, tr("The ½ stands elsewhere, and what follows makes up for it; that is a convention.")
    if key.samples > 1:
        for factor in (float(key.samples), 1 / key.samples):
            yield factor, tr("The mean over the samples is taken further on, not in the loss; that is a convention.")


def _scaled(value: Any, half: Any, factor: float) -> tuple[Any, Any]:
    return value / factor, half / abs(factor)


def _square(value: Any) -> bool:
    return value.ndim == 2 and value.shape[0] == value.shape[1] > 1


def _of_weights(key: Key) -> set[str]:
    """What has the shape of the weights: their gradients, and what they become."""
    return {form for leaf in key.notation.leaves for form in (f"d{leaf}", f"{leaf}_new")}
