"""The layers: one family a file, found by themselves. A new layer is a new file here and a change nowhere else."""

from importlib import import_module
from pkgutil import iter_modules

from backprop_cli.kernel import Kernel
from backprop_cli.layers.layer import LAYERS, Layer, Needs, Site, Treatment, of_kernels

__all__ = ["ACTIVATIONS", "ALIASES", "KERNELS", "LAYERS", "LOSSES", "Layer", "Needs", "Site", "Treatment"]

KERNELS: dict[str, Kernel] = {
    value.name: value
    for found in iter_modules(__path__)
    for value in vars(import_module(f"{__name__}.{found.name}")).values()
    if isinstance(value, Kernel) and not value.target.startswith("d")
}
"""Every forward kernel by its name."""

ACTIVATIONS = {name: kernel for name, kernel in KERNELS.items() if kernel.target == "a"}
LOSSES = {
    name: kernel
    for name, kernel in KERNELS.items()
    if kernel.target == "E" and not kernel.plain and not name.endswith("_each")
}
ALIASES = {"linear": "identity"}

LAYERS.update({name: of_kernels(name, (kernel,)) for name, kernel in ACTIVATIONS.items()})
