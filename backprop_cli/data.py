"""From a set of data to parts that fit a network: to train on, to watch while training, and for the last test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from backprop_cli.datasets import Dataset
from backprop_cli.errors import UsageError
from backprop_cli.fitting import Part, fit
from backprop_cli.language import plural
from backprop_cli.network import Network

Normalize = Literal["auto", "none", "unit", "standard"]
SHARE, MANY = 0.1, 100
"""Where nobody says how much is kept for the test: so much, of at least so many samples."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The data of one training. Inputs are (x − shift) / scale of what was in the file; `shape` is a sample's there."""

    name: str
    train: Part
    validation: Part | None
    test: Part | None
    shape: tuple[int, ...]
    names: tuple[str, ...] = ()
    normalized: str = "none"
    scaling: Mapping[str, Any] = field(default_factory=dict)

    @property
    def judged(self) -> tuple[str, Part]:
        """The part on which the result is judged: the test if there is one, and its name."""
        parts = {"test": self.test, "validation": self.validation, "training": self.train}
        return next((name, part) for name, part in parts.items() if part is not None)


def prepare(
    network: Network,
    data: Dataset,
    rng: np.random.Generator,
    dtype: Any,
    validation: float = 0.0,
    test: float | None = None,
    normalize: Normalize = "auto",
) -> Parts:
    """Fit the data to the network, split it at random (a text in order), and bring the inputs to scale.

    `validation` and `test` are shares of what is not set apart already; what normalising needs to know is found on the
    training part alone. Raises UsageError or ShapeError.
    """
    if data.test is not None and test is not None:
        raise UsageError("{name} has a test part of its own; leave --test out", name=data.name)
    if test is None:
        test = SHARE if data.test is None and len(data.x) >= MANY else 0.0
    whole = fit(network, data, data.x, data.y)
    count = len(whole)
    last, middle = (round(share * count) for share in (test, validation))
    if last + middle >= count:
        raise UsageError(
            "of {samples}, {validation:g} for validation and {test:g} for the test leave none to train on",
            samples=plural(count, "sample"),
            validation=validation,
            test=test,
        )
    order = rng.permutation(count) if last + middle and data.kind != "text" else np.arange(count)
    train, *rest = (whole.pick(part) for part in np.split(order, [count - middle - last, count - last]))
    watched, apart = (part if len(part) else None for part in rest)
    if data.test is not None:
        apart = fit(network, data, *data.test)
    way = _way(normalize, data, network)
    scaling = _scaling(way, train.x)
    parts = [part and _scaled(part, scaling, dtype) for part in (train, watched, apart)]
    assert parts[0] is not None
    shape = np.shape(data.x)[1:]
    return Parts(data.name, parts[0], parts[1], parts[2], shape, data.names, way, scaling)


def _way(normalize: str, data: Dataset, network: Network) -> str:
    """How to normalise where nobody says: pixels by the largest, columns of a table by themselves, else not at all."""
    if network.vocabulary:
        return "none"
    return {"images": "unit", "table": "standard"}.get(data.kind, "none") if normalize == "auto" else normalize


BYTE = 255.0
"""The whitest a pixel can be, whether or not one among these images is."""


def _scaling(way: str, x: Any) -> dict[str, Any]:
    """What is taken off the inputs, and what they are then divided by."""
    if way == "unit":
        largest = float(x.max()) or 1.0
        return {"shift": 0.0, "scale": BYTE if x.dtype == np.uint8 and largest > BYTE / 2 else largest}
    if way == "standard":
        axes = tuple(range(x.ndim)) if x.dtype == np.uint8 else (0,)
        scale = x.std(axes)
        return {"shift": x.mean(axes), "scale": np.where(scale > 0, scale, 1.0)}
    return {}


def _scaled(part: Part, scaling: Mapping[str, Any], dtype: Any) -> Part:
    """The part in the numbers that the network counts in."""
    x = part.x.astype(dtype)
    if scaling:
        x = (x - np.asarray(scaling["shift"], dtype)) / np.asarray(scaling["scale"], dtype)
    y = part.y if part.spelled is not None else part.y.astype(dtype)
    return Part(x, y, None if part.spelled is None else part.spelled.astype(dtype))
