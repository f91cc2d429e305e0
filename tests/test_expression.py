"""Written expressions as tapes: published gradients, both paths of a variable used twice, and nothing evaluated."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st

import backprop_cli as bp
from backprop_cli.errors import UsageError
from backprop_cli.expression import read_expression
from backprop_cli.paths import paths
from backprop_cli.render.blocks import Graph
from backprop_cli.render.graph import drawn, facts
from backprop_cli.render.report import Report, View


def test_the_circuit_of_cs231n() -> None:
    """f(x, y, z) = (x + y) z at −2, 5, −4: f = −12, gradients −4, −4, 3.

    Stanford CS231n, course notes "Backpropagation, Intuitions", cs231n.github.io/optimization-2.
    """
    t = bp.step(expr="f = (x + y) * z", at="x=-2,y=5,z=-4")
    assert (t["L"], t["dx"], t["dy"], t["dz"]) == (-12, -4, -4, 3)


def test_the_sigmoid_neuron_of_cs231n() -> None:
    """f(w, x) = 1 / (1 + e^−(w0 x0 + w1 x1 + w2)): the notes print f = 0.73, ∂x0 = 0.39, ∂x1 = −0.59, ∂w2 = 0.20.

    The same notes; their gradients are rounded to two digits on the way, so the last digit may differ by one.
    """
    t = bp.step(expr="f = 1/(1 + exp(-(w0*x0 + w1*x1 + w2)))", at="w0=2,x0=-1,w1=-3,x1=-2,w2=-3")
    assert t["L"] == pytest.approx(0.73, abs=0.005)
    gradients = [t[f"d{name}"] for name in ("w0", "x0", "w1", "x1", "w2")]
    assert gradients == pytest.approx([-0.20, 0.39, -0.39, -0.59, 0.20], abs=0.01)


def test_a_variable_that_is_used_twice_gets_both_paths() -> None:
    t = bp.step(expr="f = x * sin(x) + x^2", at="x=1.5")
    assert t["dx"] == pytest.approx(math.sin(1.5) + 1.5 * math.cos(1.5) + 3)
    assert paths(t.trace, "x", ()).number == 3
    assert {check.verdict for check in t.check()} == {"agree"}


def test_branches_that_tie_are_no_disagreement() -> None:
    """max(p, p): seen from one unit at a time, either branch may count; the other witnesses see both move."""
    t = bp.step(expr="f = max(exp(max(x, y)), exp(max(x, y)))", at="x=0.7,y=1.3")
    assert t["dy"] == pytest.approx(math.exp(1.3))
    verdicts = {(check.ref, check.witness): check.verdict for check in t.check()}
    assert verdicts["dy", "finite_difference"] == verdicts["dy", "complex_step"] == "agree"
    assert verdicts["dy", "symbolic"] in ("agree", "skipped")


UNARY = ["exp", "ln", "sin", "cos", "tanh", "sqrt", "abs", "sigmoid", "relu", "-"]


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(["x", "y", "2", "0.5"]))
    p = draw(expressions(depth - 1))
    if draw(st.booleans()):
        return f"{draw(st.sampled_from(UNARY))}({p})"
    q = draw(expressions(depth - 1))
    return draw(st.sampled_from([f"({p} + {q})", f"({p} - {q})", f"({p}) * ({q})", f"({p}) / ({q})", f"max({p}, {q})"]))


@settings(max_examples=80, deadline=None)
@given(expressions())
def test_any_expression_has_right_gradients_or_one_clear_message(text: str) -> None:
    used = [name for name in "xy" if name in text.replace("exp", "").replace("max", "")]
    try:
        t = bp.step(expr=f"f = {text} + 0*(x + y)", at="x=0.7,y=1.3")
    except UsageError as error:
        assert "choose other numbers" in str(error) or not used
        return
    assert {check.verdict for check in t.check()} <= {"agree", "kink", "skipped"}
    for name in ("x", "y"):
        assert paths(t.trace, name, ()).total == pytest.approx(t[f"d{name}"], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("expr", "at", "message"),
    [
        *[("f = x +", "x=1", "cannot read the expression"), ("f = " + "x+" * 600 + "x", "x=1", "too long")],
        *[("f = " + "-" * 900 + "x", "x=1", "too long"), ("f = sin(" * 60 + "x", "x=1", "cannot read")],
        *[("f = x + 1" + "0" * 400, "x=1", "is not allowed"), ("f = x + 1e999", "x=1", "is not allowed")],
        *[("f = x", "x=1", "add an operation"), ("f = 2 + 3", "", "nothing to differentiate")],
        *[
            ("f = x * y", "x=1", "y has no value; give it with --at y=1"),
            ("f = x * y", "x=1,y=2,z=3", "unknown variable 'z'"),
        ],
        *[("f = __import__('os')", "x=1", "unknown function"), ("f = sine(x)", "x=1", "did you mean sin")],
        *[("f = x.real", "x=1", "is not allowed"), ("f = x if x else y", "x=1", "is not allowed")],
        *[("f = x // 2", "x=1", "is not allowed"), ("f = True + x", "x=1", "is not allowed")],
        *[("f = 'a' + x", "x=1", "is not allowed"), ("f = max(x)", "x=1", "max takes two values")],
        *[("f = exp(x, 2)", "x=1", "exp takes one value"), ("1 = x + 1", "x=1", "cannot be the name")],
        *[("f = ln(x)", "x=-1", "no finite value"), ("f = 1/x", "x=0", "no finite value")],
        *[("f = v1 + 1", "v1=1", "the tape uses it"), ("f = f*2", "f=1", "the tape uses it")],
        *[("f = df*2", "df=1", "the tape uses it"), ("f = J1*2", "J1=1", "the tape uses it")],
        *[("v1 = x*2", "x=1", "cannot be the name"), ("dx = x*2", "x=1", "cannot be the name")],
        *[
            ("f = x/0", "x=1", "divide has no finite value here (f);"),
            ("f = sqrt(x - 1.5)", "x=1.5", "square root: the slope is infinite at v1 = 0;"),
            ("f = 0*sqrt(x) + x", "x=0", "square root: the slope is not defined at x = 0;"),
        ],
        *[("f = x*y", "x=1,y", "write values like x=-2,y=5"), ("f = x*y", "x=1,y=a", "is not a number")],
    ],
)
def test_a_bad_expression_is_one_clear_message(expr: str, at: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_expression(expr, at).run()
    assert message in str(caught.value)


def test_the_signs_of_a_printed_page_are_read() -> None:
    typed = read_expression("ｆ ＝ （x₁ − 0.5） × y² · ２", "x₁＝−½，y＝３")
    assert (typed.text, typed.params) == ("f = (x1 - 0.5) * y^2 * 2", {"x1": -0.5, "y": 3})
    assert typed.run()["L"] == -18


def test_a_name_that_ends_like_another_is_free() -> None:
    assert bp.step(expr="E = my * y", at="my=2,y=3")["dmy"] == 3


@pytest.mark.parametrize("result", ["f", "L", "E", "λ", "loss"])
def test_the_result_goes_by_its_own_name(result: str) -> None:
    t = bp.step(expr=f"{result} = x * sin(x) + λ0", at="x=1.5,λ0=2")
    assert t[result] == t["L"]
    assert t[f"d{result}"] == 1
    assert t[f"∂{result}/∂x"] == t["dx"]
    assert t.whatif(f"{result}=2").truth == 2 - t["L"]
    with pytest.raises(UsageError) as caught:
        t.why("qqq")
    known = sorted(["dv1", "dv2", "dx", "dλ0", result, "v1", "v2", "x", "λ0"])
    assert str(caught.value).endswith(f"known: {', '.join(known)}")
    with pytest.raises(UsageError, match="single number"):
        t.why(f"{result}[1]")


@given(st.text(max_size=30), st.text(max_size=15))
def test_any_text_is_an_expression_or_one_message(expr: str, at: str) -> None:
    try:
        read_expression(expr, at).run()
    except UsageError as error:
        assert str(error)


def test_the_graph_is_drawn_with_values_and_gradients() -> None:
    t = bp.step(expr="f = (x + y) * z", at="x=-2,y=5,z=-4")
    graph = Report(t.problem, t.trace, View()).graph("L")
    assert drawn(graph) == [
        "x = −2 ─┐   add",
        "∂ −4    ├─→ v₁ = 3 ─┐   multiply",
        "y = 5 ──┘   ∂ −4    ├─→ f = −12",
        "∂ −4                │   ∂ 1",
        "z = −4 ─────────────┘",
        "∂ 3",
    ]
    assert list(facts(graph)) == [
        "x: given, −2, gradient −4",
        "y: given, 5, gradient −4",
        "v₁: add of x, y = 3, gradient −4",
        "z: given, −4, gradient 3",
        "f: multiply of v₁, z = −12, gradient 1",
    ]


def test_an_operation_on_one_value_is_drawn_above_its_result() -> None:
    t = bp.step(expr="f = x * sqrt(x)", at="x=4")
    graph = Report(t.problem, t.trace, View()).graph("L")
    assert drawn(graph) == [
        "x = 4 ──────────────────┐   multiply",
        "∂ 3                     ├─→ f = 8",
        "           square root  │   ∂ 1",
        "x = 4 ───→ v₁ = 2 ──────┘",
        "∂ 3        ∂ 4",
    ]
    assert list(facts(graph)) == [
        "x: given, 4, gradient 3",
        "v₁: square root of x = 2, gradient 4",
        "f: multiply of x, v₁ = 8, gradient 1",
    ]


def nodes(graph: Graph) -> Iterator[Graph]:
    """The graph's nodes, as often as they are drawn."""
    yield graph
    for source in graph.sources:
        yield from nodes(source)


@settings(max_examples=80, deadline=None)
@given(expressions())
def test_every_node_is_drawn_with_its_operation_and_told_once(text: str) -> None:
    try:
        t = bp.step(expr=f"f = {text} + 0*(x + y)", at="x=0.7,y=1.3")
    except UsageError:
        return
    graph = Report(t.problem, t.trace, View()).graph("L")
    picture = "\n".join(drawn(graph))
    operations = Counter(node.operation.replace("_", " ") for node in nodes(graph) if node.operation)
    assert {name: len(re.findall(rf"\b{name}\b", picture)) for name in operations} == operations
    assert all(f"{node.name} = {node.value}" in picture for node in nodes(graph) if node.name != node.value)
    told = list(facts(graph))
    assert len(told) == len({line.partition(":")[0] for line in told})


def test_every_command_takes_an_expression(here: Run) -> None:
    expression = ["--expr", "f = (x + y) * z", "--at", "x=-2,y=5,z=-4"]
    step = here("step", *expression).stdout.decode()
    assert "∂f/∂x = ∂f/∂v₁" in step
    assert "All witnesses agree on 3 gradients" in step
    assert "FROM x TO f: 1 path" in here("why", "x", *expression).stdout.decode()
    assert "Raising v₁ lowers f." in here("why", "v1", *expression).stdout.decode()
    assert "f −12 −8 4" in " ".join(here("whatif", "x=-3", *expression).stdout.decode().split())
    assert json.loads(here("whatif", "x=-3", *expression, "--json").stdout)["loss"]["change"] == 4
    document = json.loads(here("step", *expression, "--json").stdout)
    assert document["gradients"] == {"x": -4.0, "y": -4.0, "z": 3.0}
    assert document["problem"] == {"expr": "f = (x + y) * z", "at": {"x": -2.0, "y": 5.0, "z": -4.0}}
    assert here("check", *expression).returncode == 0
    assert b"def multiply(p, q):" in here("step", *expression, "--show", "loops").stdout
    played = here("play", *expression, stdin=b"n\nset z=1\nundo\nq\n").stdout.decode()
    assert "z was −4 and is 1 now." in played
    assert "f goes from −12 to 3." in played
    assert "Taken back; f is −12 again." in played
    assert here("step", *expression, "--plain").stdout.isascii()
    assert here("step", *expression, "--steps", "3").returncode == 2
    assert here("step", "mazur", *expression).returncode == 2
    assert here("step", "--at", "x=1").returncode == 2
