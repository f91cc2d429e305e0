"""The optimizers: one a file, found by themselves, like the layers."""

from importlib import import_module
from pkgutil import iter_modules

from backprop_cli.optimizers.optimizer import OPTIMIZERS, Optimizer

__all__ = ["OPTIMIZERS", "Optimizer"]

for found in iter_modules(__path__):
    import_module(f"{__name__}.{found.name}")
