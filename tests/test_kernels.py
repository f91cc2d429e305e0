"""The drift guard: for every kernel, the fast body, the formula, its gradients and its printed loops say the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sympy

from backprop_cli import loops
from backprop_cli.formula import NUMBERS, Algebra, coordinates, positions
from backprop_cli.indices import computed, where
from backprop_cli.kernel import Kernel
from backprop_cli.layers import ACTIVATIONS, KERNELS, LOSSES
from backprop_cli.layers.gates import filtered_gates_dq, gates_dp, gates_dq
from backprop_cli.layers.recurrent import every_dp, every_dU, every_dv, stack
from backprop_cli.optimizers import OPTIMIZERS
from backprop_cli.syntax import Entry
from backprop_cli.trace import added

SIZES = {"n": 3, "o": 4, "j": 4, "i": 2, "k": 2, "r": 2, "s": 2, "t": 3, "u": 2, "v": 2, "e": 2, "h": 2, "...": (3, 4)}
EXTRA = 0


def some(names: str, *shape: int) -> dict[str, Any]:
    """Any numbers under each of these names."""
    rng = np.random.default_rng(7)
    return {name: rng.normal(size=shape) for name in names.split()}


GIVEN: dict[str, dict[str, Any]] = {
    "flatten": {"count": 8, "rows": 2, "columns": 2},
    "embedding": {"x": np.array([[0, 3, 1], [3, 3, 0], [2, 1, 1]]), "W": np.linspace(-1, 1, 8).reshape(4, 2)},
    "scores": {"heads": 2, "width": 2},
    "context": {"width": 2},
    "heard": {"before": 1},
    "both": {"units": 2, "gate": 1, "before": 1},
    "filtered": {"units": 2, "gate": 1, "before": 1},
    "gates_dp": {"units": 2, **some("dz1 dz2 dz3 dz4 dz5 dz6", 3, 2), **some("p", 3, 2, 6)},
    "gates_dq": {"units": 2, **some("dz1 dz2 dz3 dz4", 3, 2), **some("q", 3, 8)},
    "filtered_gates_dq": {"units": 2, **some("dz1 dz2 dz3 r", 3, 2), **some("q", 3, 6)},
}
"""Operands that may not be any number: sizes, and tokens."""
RULES = {f"{name}: {rule.name}": rule for name, found in OPTIMIZERS.items() for rule in found.rules}
MADE = (
    *map(added, (2, 3)), stack(1), every_dp(3), every_dU(3), every_dv(3), gates_dp(3, 2), gates_dq(4), filtered_gates_dq
)  # fmt: skip
"""Kernels that are made for any number of operands."""
FORWARD = {**KERNELS, **RULES, **{f"{made.name} of {len(made.parameters)}": made for made in MADE}}
PAIRS = {f"{name}: d{operand}": (kernel, operand) for name, kernel in KERNELS.items() for operand in kernel.gradients}
SLOPES = [name for name, (kernel, _) in PAIRS.items() if not kernel.held]
"""Those whose gradient is the slope; a rounding's is not."""


def sizes_of(kernel: Kernel) -> dict[str, Any]:
    reads = (*kernel.formula.reads, *(kernel.inner.formula.reads if kernel.inner else ()))
    dots = any("..." in entry.axes and len(entry.axes) > 1 for entry in reads)
    rank = max((len(entry.axes) for entry in kernel.formula.reads), default=0) - 1 if kernel.inner else 1
    return {**SIZES, "...": (3,) * rank} if dots else SIZES


def operands_for(kernel: Kernel, seed: int = 0) -> dict[str, Any]:
    """Random values for all that a kernel reads: probabilities where the formula wants them, no kinks nearby."""
    rng = np.random.default_rng(seed)
    sizes = sizes_of(kernel)
    source = kernel.inner or kernel
    values: dict[str, Any] = dict(GIVEN.get(kernel.name, {}))
    for entry in (*source.formula.reads, *kernel.formula.reads):
        if entry.name in values or (kernel.inner and entry.name == kernel.inner.target):
            continue
        shape = shape_of(entry, kernel, sizes)
        if entry.name in ("a", "y") and kernel.target == "E":
            values[entry.name] = rng.uniform(0.1, 0.9, shape)
        elif entry.name in ("v", "v_new", "vhat", "var"):
            values[entry.name] = rng.uniform(0.5, 2, shape)
        elif entry.name == "t":
            values[entry.name] = 3
        elif entry.axes:
            values[entry.name] = rng.choice([-1, 1], shape) * rng.uniform(0.2, 1.5, shape)
        else:
            values[entry.name] = kernel.options.get(entry.name, 0.3 + 0.2 * len(values))
    if kernel.plain or kernel.name == "ce":
        values["y"] = values["y"] / values["y"].sum(-1, keepdims=True)
    if kernel.inner:
        values[kernel.inner.target] = kernel.inner.formula.evaluate(values)
    return values


def shape_of(entry: Entry, kernel: Kernel, sizes: dict[str, Any]) -> tuple[int, ...]:
    """An operand's shape; where an index is computed, one that reaches just as far, or a little further."""
    if not computed(entry):
        return coordinates(entry.axes, sizes)
    given = {**dict.fromkeys(kernel.formula.operands, 2), **kernel.options, **GIVEN.get(kernel.name, {})}
    bounds = {axis: int(given[name]) for axis, name in kernel.formula.bounds.items()}
    last = {axis: size - 1 for axis, size in {**sizes, **bounds}.items() if axis != "..."}
    return tuple(
        sizes[place] if isinstance(place, str) else where(place, last, given) + 1 + EXTRA for place in entry.axes
    )


def values_for(kernel: Kernel, operand: str) -> tuple[dict[str, Any], Kernel]:
    """The same with what a gradient may ask for besides: the kernel's result and a gradient of it."""
    values = operands_for(kernel)
    result = kernel.run(values)
    values[kernel.target] = result
    values[f"d{kernel.target}"] = np.random.default_rng(1).uniform(0.5, 1.5, np.shape(result))[()]
    return values, kernel.gradients[operand]


def through_inner(kernel: Kernel, values: dict[str, Any]) -> dict[str, Any]:
    """A fused kernel's formula speaks of what `inner` made; it is computed anew when its input moves."""
    return {**values, kernel.inner.target: kernel.inner.run(values)} if kernel.inner else values


@pytest.mark.parametrize("name", FORWARD)
def test_body_equals_formula(name: str) -> None:
    kernel = FORWARD[name]
    for seed in range(3):
        values = operands_for(kernel, seed)
        np.testing.assert_allclose(kernel.run(values), kernel.formula.evaluate(values), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(kernel.run(values), kernel.formula.everywhere(values), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", PAIRS)
def test_gradient_body_equals_its_formula(name: str) -> None:
    values, gradient = values_for(*PAIRS[name])
    result = gradient.run(values)
    known = {operand: values[operand] for operand in gradient.operands}
    np.testing.assert_allclose(result, gradient.formula.evaluate(known), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(result, gradient.formula.everywhere(known), rtol=1e-12, atol=1e-15)
    assert np.shape(result) == np.shape(values[PAIRS[name][1]])


@pytest.mark.parametrize("name", SLOPES)
def test_gradient_equals_finite_difference(name: str) -> None:
    """With the fake loss Σ dout · out, whose gradient is the kernel's own."""
    kernel, operand = PAIRS[name]
    values, gradient = values_for(kernel, operand)
    weights = values[f"d{kernel.target}"]

    def loss(moved: Any) -> float:
        changed = through_inner(kernel, {**values, operand: moved})
        return float(
            np.sum(weights * kernel.formula.evaluate({name: changed[name] for name in kernel.formula.operands}))
        )

    value, step = np.asarray(values[operand], float), 1e-6
    slopes = np.zeros(value.shape)
    for place in np.ndindex(*value.shape):
        nudge = np.zeros(value.shape)
        nudge[place] = step
        slopes[place] = (loss((value + nudge)[()]) - loss((value - nudge)[()])) / (2 * step)
    np.testing.assert_allclose(gradient.run(values), slopes, rtol=1e-6, atol=1e-8)


def bracket(test: Any) -> Any:
    return sympy.Piecewise((1, test), (0, True))


SYMBOLS: Algebra = {
    **{op: NUMBERS[op] for op in ("+", "-", "*", "/", "**", "neg", "sum", "mean", "number")},
    "largest": lambda terms: sympy.Max(*terms), "==": lambda p, q: bracket(sympy.Eq(p, q)),
    **{op: getattr(sympy, op) for op in ("exp", "log", "sqrt", "tanh", "sin", "cos", "erf")},
    "abs": sympy.Abs, "max": sympy.Max, "min": sympy.Min,
    "where": lambda c, p, q: sympy.Piecewise((p, c > 0), (q, True)),
    ">": lambda p, q: bracket(p > q), "<": lambda p, q: bracket(p < q),
    ">=": lambda p, q: bracket(p >= q), "<=": lambda p, q: bracket(p <= q),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOPES)
def test_gradient_equals_sympy(name: str) -> None:
    """sympy differentiates the formula with respect to one entry, all others being symbols too; three entries each."""
    kernel, operand = PAIRS[name]
    values, gradient = values_for(kernel, operand)
    result, weights = np.asarray(gradient.run(values)), np.asarray(values[f"d{kernel.target}"])
    formula, numbers = kernel.formula, {}
    symbols: dict[str, Any] = {}
    for known, value in values.items():
        array = np.empty(np.shape(value), object)
        for place in np.ndindex(*array.shape):
            array[place] = sympy.Symbol(f"{known}_{'_'.join(map(str, place))}", real=True)
            numbers[array[place]] = np.asarray(value)[place]
        symbols[known] = array if array.shape else array[()]
    if kernel.inner:
        symbols[kernel.inner.target] = kernel.inner.formula.evaluate(symbols, SYMBOLS)
    sizes = formula.sizes(values)
    entries = list(positions(formula.target.axes, sizes))
    for place in list(np.ndindex(*result.shape))[:: max(1, result.size // 3)]:
        symbol = symbols[operand][place] if result.shape else symbols[operand]
        slope = 0.0
        for index in entries:
            expression = formula.at(index, symbols, SYMBOLS, sizes)
            if symbol in expression.free_symbols:
                at = coordinates(formula.target.axes, index)
                slope += float(expression.diff(symbol).subs(numbers)) * float(weights[at] if at else weights)
        assert slope == pytest.approx(float(result[place]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", {**FORWARD, **PAIRS})
def test_printed_loops_run_and_give_the_same(name: str) -> None:
    if name in FORWARD:
        kernel = FORWARD[name]
        values = operands_for(kernel)
    else:
        values, kernel = values_for(*PAIRS[name])
    target = kernel.formula.target
    rank = np.ndim(kernel.run(values)) - len(target.axes) + 1
    source = loops.source(kernel.name, kernel, kernel.formula.spread(tuple("nhkt"[:rank])))
    namespace: dict[str, Any] = {"np": np, "math": math}
    exec(source, namespace)
    function = namespace[kernel.name]
    takes = function.__code__.co_varnames[: function.__code__.co_argcount]
    np.testing.assert_allclose(function(**{name: values[name] for name in takes}), kernel.run(values), rtol=1e-12)
    assert str(kernel.formula.spread(tuple("nhkt"[:rank]))) == function.__doc__


BETWEEN = ("z", "a", "E", "L", "p", "f", "mu", "var", "xhat", "norm", "kept", "sum", "pos", "score", "w", "c")
FLOWING = {name: kernel for name, kernel in KERNELS.items() if kernel.target in BETWEEN}


@pytest.mark.parametrize("name", FLOWING)
def test_extra_leading_axes_are_copies_side_by_side(name: str) -> None:
    """What the many nudges at once rely on: values that flow through the network may be stacked."""
    kernel = FLOWING[name]
    copies = [operands_for(kernel, seed) for seed in range(3)]
    first = kernel.parameters[0]
    stacked = {**copies[0], first: np.stack([np.asarray(copy[first]) for copy in copies])}
    one_by_one = [kernel.run({**copies[0], first: copy[first]}) for copy in copies]
    np.testing.assert_allclose(kernel.run(stacked), np.stack(one_by_one), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", FLOWING)
def test_single_precision_stays_single(name: str) -> None:
    kernel = FLOWING[name]
    values = {name: np.float32(v) if np.ndim(v) else v for name, v in operands_for(kernel).items()}
    assert kernel.run(values).dtype == np.float32
    values |= {kernel.target: kernel.run(values), f"d{kernel.target}": np.ones_like(kernel.run(values))}
    for gradient in kernel.gradients.values():
        assert gradient.run(values).dtype == np.float32


@pytest.mark.parametrize("name", FLOWING)
def test_a_complex_step_gives_the_slope(name: str) -> None:
    """The body takes complex numbers and stays analytic, so that the imaginary part carries the derivative."""
    kernel = FLOWING[name]
    if "erf" in kernel.formula.functions:
        pytest.skip("NumPy has erf for real numbers only")
    values, gradient = values_for(kernel, kernel.parameters[0])
    operand, step = kernel.parameters[0], 1e-30
    value = np.asarray(values[operand], float)
    for place in np.ndindex(*value.shape):
        nudged = value.astype(complex)
        nudged[place] += 1j * step
        slope = np.sum(values[f"d{kernel.target}"] * kernel.run({**values, operand: nudged[()]}).imag) / step
        assert slope == pytest.approx(float(np.asarray(gradient.run(values))[place]), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("fused", "outputs"), [("softmax_ce", 3), ("sigmoid_bce", 3), ("sigmoid_bce_sum", 3)])
@np.errstate(over="ignore")
def test_cross_entropies_are_exact_for_logits_of_a_thousand(fused: str, outputs: int) -> None:
    kernel = KERNELS[fused]
    z = np.array([[1000.0, -1000.0, 0.0]])
    y = np.array([[0.0, 1.0, 0.0]])
    a = kernel.inner.run({"z": z}) if kernel.inner else z
    loss = kernel.run({"z": z, "y": y})
    scale = outputs if fused == "sigmoid_bce" else 1
    exact = {"softmax_ce": 2000.0, "sigmoid_bce": (2000 + math.log(2)) / 3, "sigmoid_bce_sum": 2000 + math.log(2)}[
        fused
    ]
    assert loss[0] == pytest.approx(exact, rel=1e-15)
    slope = kernel.gradients["z"].run({"dE": np.ones(1), "a": a, "y": y})
    expected = [[1, -1, 0]] if fused == "softmax_ce" else [[1 / scale, -1 / scale, 0.5 / scale]]
    np.testing.assert_allclose(slope, expected, atol=1e-300)
    assert np.isfinite(kernel.gradients["y"].run({"dE": np.ones(1), "z": z, "a": a, "y": y})).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
@np.errstate(over="ignore", under="ignore")
def test_activations_are_finite_for_huge_inputs(name: str) -> None:
    z = np.array([[-1000.0, -40.0, 0.0, 40.0, 1000.0]])
    values: dict[str, Any] = {"z": z, **KERNELS[name].options}
    values["a"] = KERNELS[name].run(values)
    values["da"] = np.ones_like(z)
    assert np.isfinite(values["a"]).all()
    assert np.isfinite(KERNELS[name].gradients["z"].run(values)).all()


def test_small_sigmoids_keep_their_digits() -> None:
    assert KERNELS["sigmoid"].run({"z": np.array(-40.0)}) == pytest.approx(math.exp(-40), rel=1e-15)
    assert KERNELS["softplus"].run({"z": np.array(-40.0)}) == pytest.approx(math.exp(-40), rel=1e-15)


@pytest.mark.parametrize(
    ("name", "z", "a", "slope"),
    [("relu", 0.0, 0.0, 0.0), ("leaky_relu", 0.0, 0.0, 0.01), ("elu", 0.0, 0.0, 1.0), ("relu", -0.0, 0.0, 0.0)],
)
def test_on_the_kink_the_left_slope_is_used(name: str, z: float, a: float, slope: float) -> None:
    values: dict[str, Any] = {"z": np.array([z]), "da": np.ones(1), **KERNELS[name].options}
    values["a"] = KERNELS[name].run(values)
    assert values["a"] == a
    assert KERNELS[name].gradients["z"].run(values) == slope


def test_every_loss_declares_both_gradients() -> None:
    assert all({"a", "y"} <= set(loss.gradients) for loss in LOSSES.values())


def test_times_log_takes_zero_times_log_zero_for_zero() -> None:
    assert KERNELS["ce"].run({"a": np.array([[0.0, 1.0]]), "y": np.array([[0.0, 1.0]])}) == 0
