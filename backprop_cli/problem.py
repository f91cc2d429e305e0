"""A problem is everything one training step needs: a network, data, parameters, and the rule that updates them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backprop_cli.building import build
from backprop_cli.errors import ShapeError, UsageError, unknown
from backprop_cli.language import plural, tr
from backprop_cli.layers.compression import TREATMENTS
from backprop_cli.network import Network
from backprop_cli.optimizers import OPTIMIZERS, Optimizer
from backprop_cli.parameters import parameters
from backprop_cli.problem_file import DEFAULT_NET, find_faults, is_file, read_source
from backprop_cli.refs import layer_of
from backprop_cli.samples import samples
from backprop_cli.spec import apart, read_word
from backprop_cli.trace import Trace, backward

MOST_BITS = 16
"""The most bits of a quantized weight; beyond that nothing is seen to happen."""

DTYPES = {"float64": np.float64, "float32": np.float32}


@dataclass(frozen=True, eq=False)
class Problem:
    """One step, ready to run. x is (N, inputs), y is (N, outputs); `step` counts from 1.

    `used` says that the network runs as it is used, not trained: see `Network.forward`. `scaled` says that x was
    brought to the scale of the training from which the parameters come.
    """

    net: str
    network: Network
    optimizer: Optimizer
    numbers: Mapping[str, float]
    seed: int
    x: Any
    y: Any
    params: Mapping[str, Any]
    state: Mapping[str, Any]
    frozen: tuple[str, ...] = ()
    step: int = 1
    used: bool = False
    scaled: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is given besides the parameters and the targets."""
        return ("x",)

    @property
    def words(self) -> dict[int, list[str]]:
        """What the layers are made of, by the number that their values go by: {1: ["conv", "relu"]}."""
        every = [each for placed in self.network.layers for each in placed.all()]
        return {placed.number: [each.layer.word for each in every if each.number == placed.number] for placed in every}

    @property
    def settings(self) -> dict[str, Any]:
        """What the problem is, for a JSON document."""
        network = self.network
        return {
            "net": self.net,
            "activation": network.activations,
            "loss": network.loss.name,
            "reduction": network.reduction,
            "optimizer": self.optimizer.name,
            "lr": self.numbers["lr"],
            "seed": self.seed,
            "step": self.step,
            "l2": network.l2,
            **network.treatments,
            **({"eval": True} if self.used else {}),
            "frozen": list(self.frozen),
            "options": {name: value for name, value in self.numbers.items() if name != "lr"},
        }

    @property
    def title(self) -> str:
        """The problem in one line."""
        return tr("{summary}; seed {seed}", summary=self.summary, seed=self.seed)

    @property
    def summary(self) -> str:
        """The same without the seed, for whoever has the numbers."""
        network = self.network
        options = ", ".join(f"{name} {_short(value)}" for name, value in self.numbers.items() if name != "lr")
        return tr(
            "{net}; {activations}; loss {loss} ({batch}); {optimizer} lr {lr}{options}",
            net=self.net,
            activations=", ".join(_with_options(placed.layer.word, placed.options) for placed in network.bends),
            loss=_with_options(network.loss.name, network.loss_options),
            batch=self._batch,
            optimizer=self.optimizer.name,
            lr=_short(self.numbers["lr"]),
            options=f" ({options})" if options else "",
        )

    @property
    def _batch(self) -> str:
        """How many samples the loss is over, and what it charges for large weights."""
        network, batch = self.network, plural(len(self.x), "sample")
        if len(self.x) > 1:
            mean = network.reduction == "mean"
            batch = tr("mean over {samples}", samples=batch) if mean else tr("sum over {samples}", samples=batch)
        more: dict[str, float] = {"l2": network.l2} if network.l2 else {}
        more |= network.treatments
        batch = tr("{batch}, as used", batch=batch) if self.used else batch
        return tr(", ").join([batch, *(f"{name} {_short(value)}" for name, value in more.items())])

    def forward(self) -> Trace:
        """The forward pass and the loss, as training has them: what is random depends on the seed and the step."""
        draw = None if self.used else np.random.default_rng((self.seed, self.step)).random
        return self.network.forward(self.params, self.x, self.y, draw, self.state)

    def run(self, wrt: Sequence[str] = ()) -> Trace:
        """The whole step: forward, loss, backward, update. `wrt` names further values whose gradient is wanted.

        Raises UsageError where a number overflows.
        """
        with np.errstate(all="ignore"):
            trace = self.forward()
            backward(trace, [*self.params, *wrt])
            if not self.used:
                self.network.renew(trace)
            names = [name for name in self.params if name not in self.frozen]
            self.optimizer.update(trace, names, self.state, **self.numbers, t=self.step)
        check_finite(trace)
        return trace

    def after(self, trace: Trace) -> Problem:
        """The problem as the step in `trace` leaves it: moved parameters, and what optimizer and layers remember."""
        return replace(
            self,
            params={name: trace.values.get(f"{name}_new", value) for name, value in self.params.items()},
            state={name: trace.values.get(f"{name}_new", value) for name, value in self.state.items()},
            step=self.step + 1,
        )


def check_finite(trace: Trace) -> None:
    """Raises UsageError where a number has overflowed."""
    for step in trace.steps:
        if not np.isfinite(trace[step.ref]).all():
            raise UsageError("{ref} overflows; use smaller inputs, weights or a smaller learning rate", ref=step.ref)


def _short(value: float) -> str:
    return f"{value:g}".replace("e-0", "e-")


def _with_options(name: str, options: Mapping[str, float]) -> str:
    """`huber(delta=0.5)`, or the name alone if it has no options."""
    written = ", ".join(f"{option}={_short(value)}" for option, value in options.items())
    return f"{name}({written})" if written else name


def load(source: str | Mapping[str, Any] | None = None, **options: Any) -> Problem:
    """The problem named by `source`: a description, a preset, a .toml or .json file, or `-` for standard input.

    It may also be a table, with the keys of a problem file, and so are the `options`; those that are not None
    override the file. Raises UsageError or InputError.
    """
    if isinstance(source, Mapping):
        return load(None, **{**source, **options})
    given = {key: value for key, value in options.items() if value is not None}
    for _, fault in find_faults(given):
        raise UsageError(fault)
    tiny = given.pop("tiny", False)
    table = read_source(source if source is not None else given.pop("net", DEFAULT_NET), tiny)
    try:
        return _assemble({**table, **given})
    except UsageError as error:
        if source and is_file(source):
            raise type(error)(f"{source}: {error}") from None
        raise


def _assemble(table: Mapping[str, Any]) -> Problem:
    net = table.get("net", DEFAULT_NET)
    activation = table.get("activation")
    names = [part.strip() for part in apart(activation, ",".__eq__)] if isinstance(activation, str) else activation
    l2 = _positive(table, "l2", 0.0)
    reduction, bias, treatments = table.get("reduction", "mean"), table.get("bias", True), _treatments(table)
    network = build(net, names, table.get("loss"), reduction, bias, l2, treatments)

    word = read_word(table.get("optimizer", "sgd"))
    if word.name not in OPTIMIZERS:
        raise unknown("optimizer", word.name, OPTIMIZERS)
    optimizer = OPTIMIZERS[word.name]
    numbers = {"lr": _positive(table, "lr", 0.1), **word.settings(optimizer.options, optimizer.ranges)}

    dtype = table.get("dtype", "float64")
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    seed = table.get("seed", 0)
    if seed < 0:
        raise UsageError("seed = {seed}: expected a whole number that is not negative", seed=seed)
    rng = np.random.default_rng(seed)
    params, memory, scaling = parameters(network, table.get("params", {}), table.get("init", "nice"), rng)
    x, y = samples(network, table.get("x"), table.get("y"), rng)
    if scaling and table.get("x") is not None:
        x = _scaled(x, scaling, str(table["params"]))

    frozen = tuple(dict.fromkeys(part for name in table.get("frozen", ()) for part in _named(str(name), params)))
    cast = DTYPES[dtype]
    params = {name: value.astype(cast) for name, value in params.items()}
    state = optimizer.start(params) | {name: value.astype(cast) for name, value in memory.items()}
    return Problem(
        net,
        network,
        optimizer,
        numbers,
        seed,
        x.astype(cast),
        y.astype(cast),
        params,
        state,
        frozen,
        used=bool(table.get("eval")),
        scaled=bool(scaling) and table.get("x") is not None,
    )


def _scaled(x: Any, scaling: Mapping[str, Any], path: str) -> Any:
    """The inputs as they were for the training that the parameters come from. Raises ShapeError."""
    shift, scale = (np.asarray(scaling.get(name, default), float) for name, default in (("shift", 0), ("scale", 1)))
    if not all(part.shape in ((), x.shape[1:]) for part in (shift, scale)):
        raise ShapeError(
            "{path}: x_shift has shape {shift} and x_scale {scale}, but an input has {needed}",
            path=path,
            shift=shift.shape,
            scale=scale.shape,
            needed=x.shape[1:],
        )
    return (x - shift) / scale


def _treatments(table: Mapping[str, Any]) -> dict[str, float]:
    """What is done to the weights before the layers get them. Raises UsageError."""
    share, bits = table.get("prune"), table.get("quantize")
    if share is not None and not 0 <= share <= 1:
        raise UsageError("prune = {share:g}: expected a share from 0 to 1", share=share)
    if bits is not None and not 2 <= bits <= MOST_BITS:
        raise UsageError("quantize = {bits}: expected 2 to {most} bits", bits=bits, most=MOST_BITS)
    return {name: table[name] for name in TREATMENTS if table.get(name) is not None}


def _named(name: str, params: Mapping[str, Any]) -> list[str]:
    """The parameters that are meant by a name: W1, or all those of a layer, or of some layers: layer2, layer1-3.

    Raises UsageError.
    """
    if name in params:
        return [name]
    layers = re.fullmatch(r"layer(\d+)(?:-(\d+))?", name)
    first, last = (int(layers[1]), int(layers[2] or layers[1])) if layers else (1, 0)
    found = [param for param in params if first <= (layer_of(param) or 0) <= last]
    if layers and not found:
        raise UsageError(
            "frozen: there are no parameters in {name}; the net has {params}", name=name, params=", ".join(params)
        )
    if not found:
        raise unknown("parameter to freeze", name, [*params, "layer1"])
    return found


def _positive(table: Mapping[str, Any], key: str, default: float) -> float:
    value = float(table.get(key, default))
    if not (0 <= value < np.inf):
        raise UsageError("{key} = {value:g}: expected a finite number that is not negative", key=key, value=value)
    return value
