"""The mini-language: what it reads, what it refuses, what it computes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.errors import ShapeError
from backprop_cli.formula import Formula
from backprop_cli.syntax import Apply, Entry, FormulaError, Reduce, walk

DENSE = Formula("z[n,o] = sum[i](W[o,i] * a[n,i]) + b[o]")


def test_a_formula_knows_its_parts() -> None:
    assert DENSE.name == "z"
    assert DENSE.target == Entry("z", ("n", "o"))
    assert DENSE.operands == ("W", "a", "b")
    assert DENSE.axes_of("W") == ("o", "i")
    assert DENSE.functions == {"+", "*", "sum"}
    assert [type(node) for node in walk(DENSE.tree)][:2] == [Apply, Reduce]


def test_shapes_are_read_off_the_operands() -> None:
    assert DENSE.bind({"W": (4, 3), "a": (2, 3), "b": (4,)}) == {"o": 4, "i": 3, "n": 2}
    assert Formula("a[...,o] = z[...,o]").bind({"z": (2, 5, 3)}) == {"...": (2, 5), "o": 3}
    assert Formula("dE[n] = dL / size[n]").bind({"dL": (), "E": (6,)}) == {"n": 6}


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"W": (4, 2), "a": (1, 3), "b": (4,)}, r"a has shape \(1, 3\), so i is 3, but W with shape \(4, 2\) says 2"),
        ({"W": (4, 3), "a": (1, 3), "b": (1,)}, r"b has shape \(1,\), so o is 1, but W with shape \(4, 3\) says 4"),
        ({"W": (4,), "a": (1, 3), "b": (4,)}, r"W\[o,i\] needs 2 axes, but W has shape \(4,\)"),
    ],
)
def test_shapes_that_disagree_are_both_named(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        DENSE.bind(shapes)


@pytest.mark.parametrize(
    "text",
    [
        *("", "z", "z[n] = ", "1 = a", "z[n] = a[n]; y = 2", "z[n] = 'a'", "z[n] = n", "z[n] = a.b"),
        *("z[n] = foo(a[n])", "z[n] = exp(a[n], 2)", "z[n] = sum(a[n])", "z[n] = a[n] @ b[n]"),
        *("z[n] = a[n] if b else c", "z[y] = a[y]", "z[n] = a[n,...]"),
    ],
)
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        _ = Formula(text).tree


def test_nothing_in_a_formula_is_ever_run() -> None:
    with pytest.raises(FormulaError):
        _ = Formula("z = __import__('os').getcwd()").tree


@pytest.mark.parametrize(
    ("text", "operands", "expected"),
    [
        ("z[n,o] = sum[i](W[o,i] * a[n,i]) + b[o]", {"W": [[1, 2], [3, 4]], "a": [[5, 6]], "b": [1, -1]}, [[18, 38]]),
        ("s = mean[n](E[n])", {"E": [1.0, 2, 6]}, 3.0),
        ("s = sum[o,i](W[o,i]**2)", {"W": [[1, 2], [3, 4]]}, 30.0),
        ("a[...] = max(z[...], 0) - min(z[...], 0)", {"z": [[-2.0, 3]]}, [[2, 3]]),
        ("a[...] = where(z[...] >= 1, z[...], -z[...])", {"z": [1.0, 0.5]}, [1, -0.5]),
        ("a[n] = (z[n] > 0) - (z[n] < 0)", {"z": [-3.0, 0, 2]}, [-1, 0, 1]),
        ("a[n] = size[n] * z[n] + pi", {"z": [0.0, 1]}, [np.pi, 2 + np.pi]),
        ("a[...,o] = z[...,o] / sum[j](z[...,j])", {"z": [[[1.0, 3]]]}, [[[0.25, 0.75]]]),
    ],
)
def test_computed_by_hand(text: str, operands: dict[str, object], expected: object) -> None:
    arrays = {name: np.array(value, float) for name, value in operands.items()}
    np.testing.assert_allclose(Formula(text).evaluate(arrays), expected)


def test_dots_are_written_out() -> None:
    assert Formula("a[...,o] = exp(z[...,o])").spread(("n", "h")).text == "a[n,h,o] = exp(z[n,h,o])"
    assert Formula("a[...] = exp(z[...])").spread(()).text == "a = exp(z)"


@st.composite
def expressions(draw: st.DrawFn, depth: int = 4) -> str:
    """Any expression of the language about z[n], with numbers that stay harmless."""
    leaf = st.sampled_from(["z[n]", "2", "0.5", "size[n]"])
    if depth == 0 or draw(st.booleans()):
        return draw(leaf)
    p, q = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    return draw(
        st.sampled_from([f"({p} + {q})", f"({p} - {q})", f"({p}) * ({q})", f"-({p})", f"tanh({p})", f"max({p}, {q})"])
    )


@given(expressions(), st.lists(st.floats(-2, 2), min_size=1, max_size=3))
def test_it_computes_what_python_computes(text: str, values: list[float]) -> None:
    z = np.array(values)
    python = (
        text.replace("z[n]", "z")
        .replace("size[n]", str(len(z)))
        .replace("tanh", "np.tanh")
        .replace("max", "np.maximum")
    )
    expected = np.broadcast_to(eval(python, {"np": np, "z": z}), z.shape)
    np.testing.assert_allclose(Formula(f"a[n] = {text}").evaluate({"z": z}) if "z[n]" in text else expected, expected)
