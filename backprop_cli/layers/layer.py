"""A layer is a word in a network's description, and what it puts on the tape.

Most layers are one kernel, declared with `@layer`. One that takes several steps, such as a GRU, is a function declared
with `@steps`: it asks its site for parameters, runs kernels there, and returns the name of what it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from backprop_cli.errors import ShapeError, UsageError
from backprop_cli.kernel import Kernel, Range, options_of, parameters_of, ranges_of
from backprop_cli.trace import Step, Trace

Put = Callable[..., str]
IMAGE = 4
"""How many axes images have: samples, channels, rows and columns."""
Shape = tuple[int, ...]
Start = float | Callable[[Mapping[str, Any]], Any]
"""What a value begins with: a number everywhere, or an array made of the parameters."""


@dataclass
class Needs:
    """What layers ask for while they are put on a tape.

    `shapes` are those of the parameters; `starts` says which of them start at one number instead of at random.
    `memory` is what a layer carries from one training step to the next, as a shape and what it starts with;
    `renewals` are the steps that renew it. `chances` are the values that are drawn anew for every training step, and
    what makes them of numbers from 0 to 1.
    """

    shapes: dict[str, Shape] = field(default_factory=dict)
    starts: dict[str, float] = field(default_factory=dict)
    memory: dict[str, tuple[Shape, Start]] = field(default_factory=dict)
    renewals: list[Step] = field(default_factory=list)
    chances: dict[str, Callable[[Any], Any]] = field(default_factory=dict)


Treatment = Callable[["Site", str, str], str]


@dataclass
class Site:
    """The place in a network where a layer puts its steps: a tape, and the number that its values go by.

    `needs` takes down what is asked for. `draw` makes an array of random numbers from 0 to 1; without it nothing is
    random, as when a network is used and not trained. `inner` runs the layers in the layer's brackets. Each of
    `treatments` takes the site and a weight's two names, and says what the layer is given in its place.
    """

    trace: Trace
    number: int
    needs: Needs
    options: Mapping[str, float] = field(default_factory=dict)
    draw: Callable[[Shape], Any] | None = None
    inner: Callable[[str], str] = str
    treatments: Sequence[Treatment] = ()

    def shape(self, ref: str) -> Shape:
        """The shape of a value on the tape; the sample axis comes first."""
        return np.shape(self.trace[ref])

    def ref(self, name: str) -> str:
        """What a value of this layer is called on the tape: W is W1 in layer 1, and h@2, of time step 2, is h1@2."""
        base, at, time = name.partition("@")
        return f"{base}{self.number}{at}{time}"

    def expect(self, a: str, rank: int, wanted: str) -> None:
        """Raises UsageError if what comes in has not so many axes, the sample's included."""
        if len(shape := self.shape(a)) != rank:
            raise UsageError("it takes {wanted}, but what comes in has shape {shape}", wanted=wanted, shape=shape)

    def param(self, name: str, *shape: int, start: float | None = None) -> str:
        """A parameter of this layer, by its name on the tape: W is W1 in layer 1. Without a `start` it is drawn.

        Weights may be treated before the layer gets them; what comes then is called prunedW1, for instance.
        """
        ref = self.ref(name)
        self.needs.shapes[ref] = shape
        if start is not None:
            self.needs.starts[ref] = start
        if ref not in self.trace:
            self.trace.leaf(ref, np.broadcast_to(0.0, shape))
        if len(shape) > 1:
            for treat in self.treatments:
                ref = treat(self, name, ref)
        return ref

    def keep(self, name: str, *shape: int, start: Start) -> str:
        """A value that is carried on: what a step makes of it, as `renew` says, it is in the next step."""
        ref = self.ref(name)
        self.needs.memory[ref] = (shape, start)
        return (
            ref
            if ref in self.trace
            else self.trace.leaf(ref, np.ones(shape) if callable(start) else np.full(shape, start))
        )

    def renew(self, kernel: Kernel, **operands: str) -> None:
        """Say how a value is carried on: the kernel, whose target is the value's name with `_new`, runs last of all."""
        ref = f"{self.ref(kernel.target.removesuffix('_new'))}_new"
        self.needs.renewals.append(Step(ref, kernel, self._with_options(kernel, operands), "update"))

    def chance(self, name: str, numbers: Any, make: Callable[[Any], Any]) -> str:
        """A value that is left to chance: what `make` makes of numbers that `draw` gave."""
        self.needs.chances[self.ref(name)] = make
        return self.leaf(name, make(numbers))

    def leaf(self, name: str, value: Any) -> str:
        """A value that the layer brings along, such as a state of zeros to begin with.

        Raises ValueError if another value has the name already.
        """
        ref = self.ref(name)
        if ref in self.trace and np.array_equal(self.trace[ref], value):
            return ref
        return self.trace.leaf(ref, value)

    def run(self, kernel: Kernel, name: str = "", **operands: str) -> str:
        """Run a kernel, whose result goes by `name` (the kernel's own, if not given) and the layer's number.

        Operands that are options of the layer, or of the kernel, need not be named.
        """
        operands = self._with_options(kernel, operands)
        return self.trace.run(self.ref(name or kernel.target), kernel, "forward", **operands)

    def _with_options(self, kernel: Kernel, operands: Mapping[str, str]) -> dict[str, str]:
        known = {**kernel.options, **self.options}
        missing = (name for name in kernel.operands if name not in operands and name in known)
        return {**operands, **{name: self.leaf(name, known[name]) for name in missing}}


@dataclass(frozen=True)
class Layer:
    """`sizes` are what the description gives because the input cannot tell: dense64 has o = 64.

    `kernels` holds those of a layer that is one kernel, one for each number of axes it can be given.
    """

    word: str
    put: Put
    sizes: tuple[str, ...] = ()
    options: Mapping[str, float] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    kernels: tuple[Kernel, ...] = ()
    weights: bool = True

    @property
    def kernel(self) -> Kernel | None:
        """The kernel, if the layer is one."""
        return self.kernels[0] if self.kernels else None

    @property
    def bends(self) -> bool:
        """Whether it is an activation."""
        return self.kernel is not None and self.kernel.target == "a"


LAYERS: dict[str, Layer] = {}
"""Every layer by its word; each file of this folder adds its own."""


def layer(word: str, sizes: str = "", window: str = "") -> Callable[[Kernel], Kernel]:
    """Declare that `word` means this kernel. `sizes`: axes, one letter each, whose size stands behind the word.

    `window`: axes of the size in brackets, conv32(3). A word declared again has a kernel for values of other axes.
    """

    def declare(kernel: Kernel) -> Kernel:
        kernels = (*(LAYERS[word].kernels if word in LAYERS else ()), kernel)
        LAYERS[word] = of_kernels(word, kernels, tuple(sizes) + ((window,) if window else ()))
        return kernel

    return declare


def of_kernels(word: str, kernels: tuple[Kernel, ...], sizes: tuple[str, ...] = ()) -> Layer:
    """The layer that one of these kernels makes."""
    options, ranges = kernels[0].options, kernels[0].ranges
    return Layer(word, partial(_one_kernel, kernels), sizes, options, ranges, kernels, bool(kernels[0].weights))


def steps(word: str, weights: bool = True) -> Callable[[Put], Put]:
    """Declare a layer of several steps: a function of its site, what comes in, its sizes, and its options.

    Parameters without a default are sizes, in the order in which the description gives them: embedding64x32.
    """

    def declare(put: Put) -> Put:
        names = parameters_of(put)[2:]
        options = options_of(put)
        sizes = tuple(name for name in names if name not in options)
        LAYERS[word] = Layer(word, put, sizes, options, ranges_of(put), weights=weights)
        return put

    return declare


def _one_kernel(kernels: tuple[Kernel, ...], site: Site, a: str, **given: Any) -> str:
    """Run the kernel that fits what comes in, on parameters of the shapes that its formula says."""
    shape = site.shape(a)
    kernel = next((kernel for kernel in kernels if _takes(kernel, len(shape))), None)
    if kernel is None:
        entry = next(entry for entry in kernels[0].formula.reads if entry.name == kernels[0].parameters[0])
        if len(shape) == IMAGE and len(entry.axes) < IMAGE:
            told = {"wanted": entry, "shape": shape}
            raise UsageError("it takes {wanted}, not an image of shape {shape}; put a flatten before it", **told)
        raise UsageError("it takes {wanted}, but what comes in has shape {shape}", wanted=entry, shape=shape)
    sizes = {axis: size for axes, size in given.items() if axes not in kernel.options for axis in axes}
    formula, activation = kernel.formula, kernel.parameters[0]
    bound = formula.bind({activation: shape}, **{**kernel.options, **site.options, **sizes})
    try:
        axes = {name: kernel.gradients[name].formula.target.axes for name in kernel.weights}
        weights = {name: site.param(name, *(bound[axis] for axis in axes[name])) for name in kernel.weights}
    except KeyError as axis:
        raise ShapeError("{formula}: nothing tells the size of {axis}", formula=formula, axis=axis) from None
    return site.run(kernel, **{activation: a}, **weights)


def _takes(kernel: Kernel, rank: int) -> bool:
    """Whether a kernel takes a value of so many axes."""
    axes = kernel.formula.axes_of(kernel.parameters[0])
    return len(axes) == rank or (axes[0] == "..." and len(axes) - 1 <= rank)
