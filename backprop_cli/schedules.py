"""Learning-rate schedules: what the learning rate is multiplied with as training goes on.

A schedule looks at the moment, and at nothing else: it remembers nothing, so a training that was interrupted goes on
with the same rates. Several in a row multiply: `warmup(100) cosine`.
"""

from collections.abc import Callable
from math import cos, pi, prod
from typing import Annotated, NamedTuple

from backprop_cli.kernel import Range
from backprop_cli.spec import look_up, parts_of

Count = Annotated[int, Range(1)]
Share = Annotated[float, Range(0, 1)]


class Moment(NamedTuple):
    """Where a training is: `step` of `steps` in all, and `epoch`, both from 0; the loss after each epoch so far."""

    step: int
    steps: int
    epoch: int
    losses: tuple[float, ...] = ()


Schedule = Callable[[Moment], float]
SCHEDULES: dict[str, Callable[..., float]] = {}
"""Every schedule by its name."""


def schedule(factor: Callable[..., float]) -> Callable[..., float]:
    """Declare a schedule: a function of the moment, and of options."""
    SCHEDULES[factor.__name__] = factor
    return factor


@schedule
def step(at: Moment, every: Count = 10, factor: Share = 0.1) -> float:
    """Down by a factor every so many epochs."""
    return factor ** (at.epoch // every)


@schedule
def cosine(at: Moment, floor: Share = 0.0) -> float:
    """Down along half a wave of the cosine, from 1 to `floor`. (Loshchilov & Hutter 2017, without restarts)"""
    return floor + (1 - floor) * (1 + cos(pi * at.step / at.steps)) / 2


@schedule
def warmup(at: Moment, steps: Count = 100) -> float:
    """Up in a straight line over the first steps."""
    return min(1.0, (at.step + 1) / steps)


@schedule
def plateau(at: Moment, patience: Count = 5, factor: Share = 0.1) -> float:
    """Down by a factor whenever the loss has not been lower for more than `patience` epochs (PyTorch's rule)."""
    found, best, waited = 1.0, float("inf"), 0
    for loss in at.losses:
        best, waited = (loss, 0) if loss < best * (1 - 1e-4) else (best, waited + 1)
        if waited > patience:
            found, waited = found * factor, 0
    return found


def read_schedule(text: str) -> Schedule:
    """The schedule that words such as `warmup(100) cosine` describe; no words leave the rate as it is.

    Raises UsageError.
    """
    factors = [look_up("schedule", word, SCHEDULES) for word in parts_of(text)]
    return lambda at: prod(factor(at) for factor in factors)
