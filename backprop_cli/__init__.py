"""backprop: every number of a training step, with its formula, proven three ways.

    import backprop_cli as bp
    t = bp.step("3-4-2", seed=7)
    print(t)

Importing this costs nothing: the engine is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backprop_cli.api import Run, check, step
    from backprop_cli.errors import BackpropError

__version__ = "0.1.0"
__all__ = ["BackpropError", "Run", "__version__", "check", "step"]

HOMES = {"BackpropError": "errors", "Run": "api", "check": "api", "step": "api"}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
