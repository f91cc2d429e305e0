"""What the parts of a report are called: the layers of a network, and the time steps of a recurrent one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from backprop_cli.language import tr
from backprop_cli.refs import layer_of, time_of
from backprop_cli.trace import Step, Trace

MOST_TIMES = 8
"""Of a longer sequence, only the first two time steps and the last are shown one by one."""


class Titles:
    """The titles of one trace's parts. `words` are what the layers are made of, by number: {1: ("conv", "relu")}."""

    def __init__(self, trace: Trace, words: Mapping[int, Sequence[str]]) -> None:
        self.trace = trace
        self.forward = list(trace.of_phase("forward"))
        self.layers = {number: self._layer(number, found) for number, found in words.items()}
        self.times: dict[int | None, int] = {}
        for step in self.forward:
            layer = layer_of(step.ref)
            self.times[layer] = max(self.times.get(layer, 0), time_of(step.ref))

    def of(self, step: Step) -> str:
        """The title of the part that a step belongs to; empty if it has none."""
        if step.phase not in ("forward", "backward") or not self.layers:
            return ""
        if step.phase == "backward" and any(re.fullmatch(r"d[LJ]\d*", ref) for ref in step.operands.values()):
            return tr("The loss itself")
        layer, time = layer_of(step.ref), time_of(step.ref)
        if time:
            return tr(
                "Layer {layer}, time step {time} of {times}", layer=layer, time=time, times=self.times.get(layer, time)
            )
        return self.layers.get(layer or 0, "")

    def alike(self, step: Step) -> dict[str, int] | None:
        """The time steps that go like those beside them and are left out, if this step is in one of these."""
        times = self.times.get(layer_of(step.ref), 0)
        between = times > MOST_TIMES and 2 < time_of(step.ref) < times
        return {"first": 3, "last": times - 1} if between else None

    def _layer(self, number: int, words: Sequence[str]) -> str:
        """`Layer 1: conv, 1×6×6 → 2×4×4, relu`; a dense layer goes without saying."""
        steps = [step for step in self.forward if layer_of(step.ref) == number]
        if not steps:
            return ""
        bent = next((count for count, step in enumerate(steps) if step.ref == f"a{number}"), len(steps))
        sizes = f"{self._size(next(self._incoming(steps)))} → {self._size(steps[max(bent, 1) - 1].ref)}"
        first, *others = words
        parts = [sizes, *others] if first == "dense" else [first, sizes, *others]
        return tr("Layer {layer}: {parts}", layer=number, parts=", ".join(parts))

    def _incoming(self, steps: list[Step]) -> Iterator[str]:
        """What a layer's steps read of what was made before them."""
        made = {"x", *(step.ref for step in self.forward)} - {step.ref for step in steps}
        return (ref for step in steps for ref in step.operands.values() if ref in made)

    def _size(self, ref: str) -> str:
        return "×".join(map(str, np.shape(self.trace[ref])[1:]))
