"""Augmentation: an image moved a little, or seen in a mirror, is still an image of the same thing.

A network that is trained on such variants, drawn anew for every batch, cannot learn its samples by heart.
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from backprop_cli.errors import UsageError
from backprop_cli.kernel import Range
from backprop_cli.spec import look_up, parts_of

Change = Callable[[Any, np.random.Generator], Any]
CHANGES: dict[str, Callable[..., Any]] = {}
"""Every kind of change by its name. Each takes images (N, …, H, W), a generator of random numbers, and options."""


def change(body: Callable[..., Any]) -> Callable[..., Any]:
    """Declare a kind of change."""
    CHANGES[body.__name__] = body
    return body


@change
def shift(images: Any, rng: np.random.Generator, pixels: Annotated[int, Range(1, 100)] = 2) -> Any:
    """Each image moved by up to so many pixels, up or down and left or right; what comes in is 0."""
    around = [(0, 0)] * (images.ndim - 2) + [(pixels, pixels)] * 2
    seen = sliding_window_view(np.pad(images, around), images.shape[-2:], (-2, -1))
    down, right = rng.integers(0, 2 * pixels + 1, (2, len(images)))
    return seen[np.arange(len(images)), ..., down, right, :, :]


@change
def flip(images: Any, rng: np.random.Generator, share: Annotated[float, Range(0, 1)] = 0.5) -> Any:
    """A share of the images with left and right exchanged."""
    mirrored = rng.random(len(images)) < share
    return np.where(mirrored.reshape(-1, *[1] * (images.ndim - 1)), images[..., ::-1], images)


def read_augmentation(text: str, shape: tuple[int, ...]) -> Change | None:
    """The changes that words such as `shift(2) flip` describe, for images of a shape; None for no words.

    Raises UsageError.
    """
    words = parts_of(text)
    if not words:
        return None
    if len(shape) < 2:
        raise UsageError("--augment changes images; these samples are {count} numbers in a row", count=shape[0])
    changes = [look_up("augmentation", word, CHANGES) for word in words]

    def changed(x: Any, rng: np.random.Generator) -> Any:
        images = x.reshape(len(x), *shape)
        for change in changes:
            images = change(images, rng)
        return images.reshape(x.shape)

    return changed
