"""A layer is a kernel under the word by which a network's description calls it."""

from collections.abc import Callable
from typing import NamedTuple

from backprop_cli.kernel import Kernel


class Layer(NamedTuple):
    """`sizes` are the axes whose size the description gives, because the input cannot tell: dense64 has o = 64."""

    word: str
    kernel: Kernel
    sizes: tuple[str, ...] = ()


LAYERS: dict[str, Layer] = {}
"""Every layer by its word; each file of this folder adds its own."""


def layer(word: str, sizes: str = "") -> Callable[[Kernel], Kernel]:
    """Declare that `word` in a network's description means this kernel. `sizes`: axes, one letter each."""

    def declare(kernel: Kernel) -> Kernel:
        LAYERS[word] = Layer(word, kernel, tuple(sizes))
        return kernel

    return declare
