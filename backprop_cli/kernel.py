"""A kernel is one line of mathematics and the NumPy that computes it fast.

    @kernel("z[n,o] = sum[i](W[o,i] * a[n,i]) + b[o]")
    def dense(a, W, b):
        return a.dot(W.T) + b

    @dense.gradient("dW[o,i] = sum[n](dz[n,o] * a[n,i])")
    def dW(dz, a):
        return dz.mT @ a

The body's parameter names are its operands: the first is the incoming activation, the rest are weights. A parameter
with a default is an option, one number. A gradient is a kernel too; what it takes is what the layer must remember.

Bodies work on the last axes of the values that flow through a network, so that extra leading axes are many copies
run side by side. They also accept complex numbers wherever NumPy does: that is what makes the complex-step check work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Any, NamedTuple, Protocol

from backprop_cli.formula import Formula
from backprop_cli.language import tr

Body = Callable[..., Any]


class Range(NamedTuple):
    """The numbers an option may take, as in `beta1: Annotated[float, Range(0, 1)] = 0.9`; the upper end is left out."""

    low: float = -inf
    high: float = inf
    open: bool = False

    def __contains__(self, value: object) -> bool:
        inside = isinstance(value, float | int) and isfinite(value) and self.low <= value < self.high
        return inside and not (self.open and value == self.low)

    def __str__(self) -> str:
        low = tr("above {low:g}", low=self.low) if self.open else tr("at least {low:g}", low=self.low)
        if self.high == inf:
            return low if self.low > -inf else tr("a finite number")
        high = tr("below {high:g}", high=self.high)
        return tr("{low} and {high}", low=low, high=high) if self.low > -inf else high


@dataclass(frozen=True, eq=False)
class Kernel:
    """A formula, the body that computes it, and the gradient of each operand.

    `plain` is set on a fused kernel only: the kernel it stands for, to be used where a value that the fused body
    skips over is replaced from outside. `joint` says, for an operand that several steps may share, which kernel gives
    its gradient from all these steps at once. A body that takes any number of operands has their names in `takes`.
    `held` is set where the gradient is not the slope, as of a rounding: the kernel whose slope it is, that takes the
    first operand and, as `off`, how far the result is from it, held fixed.
    """

    formula: Formula
    body: Body
    plain: Kernel | None = None
    inner: Kernel | None = None
    gradients: dict[str, Kernel] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    joint: dict[str, Joint] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    held: Kernel | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    conventions: list[Mistake] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<kernel {self.name}: {self.formula}>"

    @property
    def name(self) -> str:
        return self.body.__name__

    @property
    def doc(self) -> str:
        """The first paragraph of the body's docstring, on one line."""
        return " ".join((self.body.__doc__ or "").partition("\n\n")[0].split())

    @property
    def target(self) -> str:
        """The name of what it computes: z, a, E, dW, w_new …"""
        return self.formula.name

    @property
    def parameters(self) -> tuple[str, ...]:
        """What the body takes, in order."""
        return self.takes or parameters_of(self.body)

    @property
    def weights(self) -> tuple[str, ...]:
        """The parameters that are neither the incoming activation nor options."""
        return tuple(name for name in self.parameters[1:] if name not in self.options)

    @property
    def options(self) -> dict[str, float]:
        """The parameters that have a default: numbers such as the slope of a leaky ReLU."""
        return options_of(self.body)

    @property
    def ranges(self) -> dict[str, Range]:
        """What each option may be; without an annotation, any finite number."""
        return ranges_of(self.body)

    @property
    def operands(self) -> tuple[str, ...]:
        """All it may read: what the body takes, and what the formula speaks of."""
        return tuple(dict.fromkeys((*self.parameters, *self.formula.operands)))

    def run(self, operands: Mapping[str, Any]) -> Any:
        """The body, on values found by name."""
        return self.body(*[operands[name] for name in self.parameters])

    def gradient(self, text: str) -> Callable[[Body], Kernel]:
        """Declare the gradient of one operand; the target's name says which: `dW[o,i] = …` is that of W."""

        def declare(body: Body) -> Kernel:
            gradient = Kernel(Formula(text), body)
            self.gradients[gradient.target.removeprefix("d")] = gradient
            return gradient

        return declare

    def fused(self, inner: Kernel) -> Callable[[Body], Kernel]:
        """Declare a body that computes this kernel directly from what `inner` was given.

        Cross-entropy after a softmax is the reason: through the probabilities, log(0) loses everything, while from
        the logits it is exact. The formula stays the one on the whiteboard; the gradient goes past `inner`.
        """
        return lambda body: Kernel(self.formula, body, plain=self, inner=inner)

    def remark(self, condition: str, text: str) -> None:
        """Declare what to say of an entry for which `condition` (a formula's right side) is not 0.

        `text` may hold the operands' names in braces: {z} becomes `z₁[2] = −0.4`.
        """
        self.remarks.append(Remark(self._with(condition), text))

    def mistake(self, code: str, rule: str, text: str) -> None:
        """Declare a typical mistake: the `rule` (a formula's right side) by which people compute it, and what to say.

        The rule may also speak of what stands around: of the step that a gradient belongs to, and of those before it.
        """
        self.mistakes.append(Mistake(code, self._with(rule), text))

    def convention(self, code: str, rule: str, text: str) -> None:
        """Declare another rule that is right as well, such as the other slope at a kink, and what to say of it."""
        self.conventions.append(Mistake(code, self._with(rule), text))

    def _with(self, right: str) -> Formula:
        """The formula's left side with another right side."""
        return Formula(f"{self.formula.text.partition('=')[0]}= {right}")


def parameters_of(body: Body) -> tuple[str, ...]:
    """What a function takes, in order."""
    code = body.__code__
    return code.co_varnames[: code.co_argcount]


def options_of(body: Body) -> dict[str, float]:
    """The parameters of a function that have a default."""
    names, defaults = parameters_of(body), body.__defaults__ or ()
    return dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))


def ranges_of(body: Body) -> dict[str, Range]:
    """What the options of a function may be."""
    notes = body.__annotations__
    return {name: next(iter(getattr(notes.get(name), "__metadata__", ())), Range()) for name in options_of(body)}


class Use(Protocol):
    """A step of a tape that uses a value: its kernel, and what it calls which value."""

    @property
    def kernel(self) -> Kernel: ...
    @property
    def operands(self) -> Mapping[str, str]: ...


Joint = Callable[[Sequence[Use]], Kernel | None]
"""From the steps that use a value, first to last, the kernel of its gradient; None if they are not as expected."""


class Remark(NamedTuple):
    """A sentence worth saying when the numbers are such."""

    condition: Formula
    text: str


class Mistake(NamedTuple):
    """A wrong rule that people use, under the name that graders know it by."""

    code: str
    rule: Formula
    text: str


def kernel(text: str, held: Kernel | None = None) -> Callable[[Body], Kernel]:
    """Declare a kernel: the formula above, the NumPy body below."""
    return lambda body: Kernel(Formula(text), body, held=held)
