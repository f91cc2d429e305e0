"""Data made by a rule: points in the plane, of which no straight line can tell the classes apart, and a curve."""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from backprop_cli.kernel import Range

Points = tuple[Any, Any]
Count = Annotated[int, Range(2, 1_000_000)]
Classes = Annotated[int, Range(2, 100)]
Noise = Annotated[float, Range(0)]


GENERATORS: dict[str, Callable[..., Points]] = {}
"""Every rule by its name."""


def rule(make: Callable[..., Points]) -> Callable[..., Points]:
    """Declare a rule. It takes a generator of random numbers, and options."""
    GENERATORS[make.__name__] = make
    return make


@rule
def xor(rng: np.random.Generator, samples: Count = 4, noise: Noise = 0.0) -> Points:
    """The corners of a square in turn; opposite corners are of one class."""
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    at = np.arange(samples) % 4
    return corners[at] + noise * rng.normal(size=(samples, 2)), corners[at].sum(1) % 2


@rule
def spirals(rng: np.random.Generator, samples: Count = 300, noise: Noise = 0.1, classes: Classes = 2) -> Points:
    """Arms that wind once around the middle, one for each class."""
    y = np.arange(samples) % classes
    radius = np.sqrt(rng.uniform(0.01, 1, samples))
    angle = 2 * np.pi * (radius + y / classes) + noise * rng.normal(size=samples)
    return _round(radius, angle), y


@rule
def moons(rng: np.random.Generator, samples: Count = 300, noise: Noise = 0.1) -> Points:
    """Two half circles that reach into each other."""
    y = np.arange(samples) % 2
    circle = _round(1.0, np.pi * (rng.uniform(0, 1, samples) + y))
    return circle + y[:, None] * [1, 0.5] + noise * rng.normal(size=(samples, 2)), y


@rule
def blobs(rng: np.random.Generator, samples: Count = 300, noise: Noise = 0.25, classes: Classes = 3) -> Points:
    """A cloud for each class, their middles on a circle."""
    y = np.arange(samples) % classes
    return _round(1.0, 2 * np.pi * y / classes) + noise * rng.normal(size=(samples, 2)), y


@rule
def sine(rng: np.random.Generator, samples: Count = 300, noise: Noise = 0.05) -> Points:
    """One number in, −π to π, and its sine to be found."""
    x = rng.uniform(-np.pi, np.pi, (samples, 1))
    return x, np.sin(x) + noise * rng.normal(size=(samples, 1))


def _round(radius: Any, angle: Any) -> Any:
    """Points (N, 2) around the middle."""
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
