"""What is printed: golden output, any width, any encoding, and numbers that are the engine's own."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

import backprop_cli as bp
from backprop_cli.glyphs import ASCII, LETTERS, fits, spell, visible
from backprop_cli.layers import ACTIVATIONS
from backprop_cli.lines import fold
from backprop_cli.notation import ATOM, SUM, WRITTEN, Notation, Term, number
from backprop_cli.render import plain, terminal
from backprop_cli.render.blocks import Fact, Note
from backprop_cli.render.screen import Screen, look_at
from backprop_cli.worked import with_numbers

GOLDEN = Path(__file__).parent / "golden"


def shown(run: bp.Run, width: int = 80, encoding: str = "utf-8", checks: Any = (), **view: Any) -> str:
    stream = io.StringIO()
    terminal.write(run.blocks(bp.View(**view), checks), Screen(width, encoding, False, False), stream)
    return stream.getvalue()


def read_aloud(run: bp.Run, **view: Any) -> str:
    return "\n".join(line for block in run.blocks(bp.View(**view)) for line in plain.lines(block)) + "\n"


def golden(name: str, text: str) -> None:
    """Compare with the file of that name. To accept a new output, delete the file and run the test twice."""
    path = GOLDEN / name
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path} was not there and has been written; look at it, and run again")
    assert text == path.read_text(encoding="utf-8")


def test_golden_terminal_output_of_the_published_example() -> None:
    golden("mazur-80.txt", shown(bp.step("mazur")))
    golden("mazur-50.txt", shown(bp.step("mazur"), 50))


def test_golden_output_of_a_batch_with_softmax_and_adam() -> None:
    run = bp.step("2-3-2", loss="ce", optimizer="adam", x=[[1, 2], [3, 4], [0.5, 0.25]], activation=["relu", "softmax"])
    golden("batch-adam-80.txt", shown(run))


def test_golden_plain_output() -> None:
    golden("mazur-plain.txt", read_aloud(bp.step("mazur")))


def test_golden_json() -> None:
    run = bp.step("mazur")
    document = bp.step_document(run.problem, run.trace, (), [])
    path = GOLDEN / "mazur.json"
    if not path.exists():
        path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    assert close(document, json.loads(path.read_text()))


def close(found: Any, expected: Any) -> bool:
    """The same document, numbers up to the rounding of another processor."""
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    return bool(found == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected))


def test_golden_summary_of_a_large_network() -> None:
    text = shown(bp.step("784-128-10"))
    golden("large-80.txt", text)
    assert len(text.splitlines()) < 200


def test_the_line_of_the_issue_is_printed_to_the_letter() -> None:
    assert "z₁[1] = 0.15·0.05 + 0.2·0.1 + 0.35 = 0.3775\n" in shown(bp.step("mazur"))


def test_the_first_line_states_the_conventions() -> None:
    first = shown(bp.step("3-4-2")).splitlines()[0]
    assert all(part in first for part in ("x is (N, I)", "W is (outputs, inputs)", "z = a·Wᵀ + b", "δ = ∂L/∂z"))


def test_every_number_that_is_printed_is_the_engine_s() -> None:
    """Each `name[index] = … = result` line against the tape, over a whole step."""
    run = bp.step("3-4-2", optimizer="adam")
    names = {Notation(run.trace).name(ref): ref for ref in run.trace.values}
    seen = 0
    for line in re.sub(r"\n {5,}", " ", shown(run, 200, digits=12)).splitlines():
        found = re.match(r"    (\S+?)\[([\d,]+)\] = .*?(\S+)$", line)
        if found:
            value = (
                np.squeeze(run[names[found[1]]], 0)
                if names[found[1]][-2:] in ("z1", "a1", "z2", "a2")
                else run[names[found[1]]]
            )
            entry = value[tuple(int(place) - 1 for place in found[2].split(","))]
            assert float(found[3].replace("−", "-")) == pytest.approx(float(entry), rel=1e-11)
            seen += 1
    assert seen > 100


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=2, max_size=3),
    st.sampled_from(sorted(ACTIVATIONS)),
    st.integers(1, 3),
    st.integers(40, 200),
    st.sampled_from(["utf-8", "gbk", "cp1252", "cp437", "ascii", "latin-1"]),
    st.sampled_from(["both", "symbols", "numbers"]),
)
def test_nothing_is_wider_than_the_terminal_or_foreign_to_it(
    sizes: list[int], activation: str, samples: int, width: int, encoding: str, show: str
) -> None:
    x = np.linspace(-1, 2, samples * sizes[0]).reshape(samples, sizes[0])
    run = bp.step("-".join(map(str, sizes)), activation=[activation], loss="mse", x=x, optimizer="adam")
    text = shown(run, width, encoding, run.checks(["finite_difference"]), show=show)
    assert max(map(cell_len, text.splitlines())) <= width
    text.encode(encoding)
    assert not re.search(r"\?|\\u|\\x|\x1b", text)


@pytest.mark.parametrize(
    "options", [{}, {"optimizer": "adam"}, {"x": [[1, 2, 3], [4, 5, 6]], "l2": 0.1}, {"loss": "ce"}]
)
def test_plain_mode_is_ascii_one_fact_a_line(options: dict[str, Any]) -> None:
    run = bp.step("3-4-2", **options)
    blocks = run.blocks(bp.View(verbose=True), run.checks(["complex_step"]))
    lines = [line for block in blocks for line in plain.lines(block)]
    assert all(line.isascii() and len(line) <= 80 for line in lines)
    assert not any(re.search(r"([-=_#|*])\1{3}", line) for line in lines)
    checks = [line for line in lines if "complex step" in line and not line.startswith(" ")]
    assert all(line.startswith(("agree: ", "correct: ")) for line in checks)


def test_colour_is_never_the_only_sign() -> None:
    run = bp.step("mazur")
    stream = io.StringIO()
    terminal.write(run.blocks(), Screen(80, "utf-8", True, False), stream)
    coloured = stream.getvalue()
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == shown(run)


def test_loops_run_as_they_are_printed() -> None:
    run = bp.step("3-4-2")
    namespace: dict[str, Any] = {}
    exec(shown(run, show="loops"), namespace)
    z1 = namespace["dense"](run["x"], run["W1"], run["b1"])
    np.testing.assert_allclose(z1, run["z1"])
    np.testing.assert_allclose(namespace["dW"](run["dz1"], run["x"]), run["dW1"])


def test_all_loops_together_are_one_program() -> None:
    text = shown(bp.step("2-3-2", optimizer="adamw"), show="loops")
    names = re.findall(r"^def (\w+)", text, re.MULTILINE)
    assert len(names) == len(set(names))
    assert {"adamw_oi", "adamw_o", "dense", "sigmoid"} <= set(names)


def test_one_part_and_one_layer() -> None:
    run = bp.step("3-4-2")
    backward = shown(run, only="backward")
    assert "BACKWARD" in backward
    assert "FORWARD" not in backward
    second = shown(run, layer=2)
    assert "z₂[1]" in second
    assert "z₁[1] =" not in second
    assert "∂L/∂W₁" not in second


def test_digits_are_significant_digits() -> None:
    assert "= 0.30\n" not in shown(bp.step("mazur"), digits=2)
    assert "= 0.3\n" in shown(bp.step("mazur"), digits=2)
    assert "= 0.29837110876\n" in shown(bp.step("mazur"), digits=11)


# --- sentences that depend on the numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "options", "sentence"),
    [
        ("1 dense1 relu", {"x": [1], "params": {"W1": [[-2]], "b1": [0]}}, "z₁[1] = −2 is negative, so ReLU outputs 0"),
        ("1 dense1 relu", {"x": [0], "params": {"W1": [[-2]], "b1": [0]}}, "z₁[1] = 0 sits on the kink of ReLU"),
        ("1-1", {"x": [10], "params": {"W1": [[1]], "b1": [0]}}, "a₁[1] = 0.999955 is saturated"),
        ("1-1", {"x": [10], "activation": ["tanh"], "params": {"W1": [[1]], "b1": [0]}}, "a₁[1] = 1 is saturated"),
        ("1-2", {"loss": "ce", "x": [9], "params": {"W1": [[1], [0]], "b1": [0, 0]}}, "all but certain"),
        ("2-2", {"loss": "bce"}, "σ′ does not appear"),
        ("2-2", {"loss": "ce"}, "softmax's slopes do not appear"),
        ("1 dense1 dense2", {"x": [1], "y": [-0.99, -1.01], "loss": "half_sse",
         "params": {"W1": [[0]], "b1": [1], "W2": [[1], [-1]], "b2": [-1, 1]}}, "all but cancel"),
        ("2x5x5 conv1(2) relu pool(2) flatten dense1", {"x": np.zeros(50)},
         "a₁[1,1,1] = 0.57 is the largest of its window, but not alone: all that are as large share the gradient "
         "equally. (15 more like it.)"),
    ],
)  # fmt: skip
def test_there_is_a_sentence_where_there_is_something_to_say(net: str, options: dict[str, Any], sentence: str) -> None:
    text = " ".join(shown(bp.step(net, **options)).split())
    assert sentence in text


def test_there_is_no_sentence_where_there_is_nothing_to_say() -> None:
    run = bp.step("mazur")
    assert not [block for block in run.blocks() if isinstance(block, Note) and "Frozen" not in block.text]


def test_a_window_without_a_tie_or_what_is_beyond_the_windows_has_no_remark() -> None:
    x = [[[[1, 2, 0], [3, 4, 0], [0, 0, 0]]]]  # the last row and column are left out by a window of 2
    net = "1x3x3 conv1(1) identity pool(2) flatten dense1"
    run = bp.step(net, x=x, params={"W1": [[[[1]]]], "b1": [0], "W2": [[1]], "b2": [0]})
    assert "not alone" not in shown(run)
    x[0][0][0][0] = 4
    run = bp.step(net, x=x, params={"W1": [[[[1]]]], "b1": [0], "W2": [[1]], "b2": [0]})
    assert "a₁[1,1,1] = 4 is the largest of its window, but not alone" in " ".join(shown(run).split())
    assert "(1 more like it.)" in " ".join(shown(run).split())


def test_more_of_the_same_is_counted() -> None:
    run = bp.step("2 dense3 relu", x=[1, 1], params={"W1": -np.ones((3, 2)), "b1": np.zeros(3)})
    assert "(2 more like it.)" in " ".join(shown(run).split())


# --- writing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.3775, 6, "0.3775"), (-0.5, 6, "−0.5"), (0.298371109, 6, "0.298371"), (1.5e-7, 6, "1.5e-7"), (-0.0, 6, "0"),
     (123456789.0, 6, "1.23457e8"), (0.1, 17, "0.10000000000000001"), (1.0, 3, "1")],
)  # fmt: skip
def test_numbers(value: float, digits: int, text: str) -> None:
    assert number(value, digits).text == text


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(1, 17))
def test_a_written_number_can_be_read_back(value: float, digits: int) -> None:
    text = number(value, digits).text.replace("−", "-")
    assert float(text) == pytest.approx(value, rel=0.6 * 10.0 ** (1 - digits), abs=1e-320)


def test_brackets_stand_where_they_are_needed_and_nowhere_else() -> None:
    a, minus = Term("a"), Term("−2", SUM)
    assert WRITTEN["*"](WRITTEN["+"](a, a), a).text == "(a + a)·a"
    assert WRITTEN["+"](WRITTEN["*"](a, a), a).text == "a·a + a"
    assert WRITTEN["-"](a, WRITTEN["-"](a, a)).text == "a − (a − a)"
    assert WRITTEN["*"](a, minus).text == "a·(−2)"
    assert WRITTEN["+"](a, minus).text == "a + (−2)"
    assert WRITTEN["/"](a, WRITTEN["*"](a, a)).text == "a/(a·a)"
    assert WRITTEN["**"](WRITTEN["-"](a, a), Term("2")).text == "(a − a)²"
    assert WRITTEN["sum"](iter([a] * 20)).text.count("a + ") == 8
    assert "… 11 more …" in WRITTEN["sum"](iter([a] * 20)).text
    assert WRITTEN["sum"](iter([a])).hold == ATOM


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["mse", "half_sse", "mae", "huber", "bce_sum"]), st.integers(0, 1000), st.integers(1, 2))
def test_the_arithmetic_that_is_written_comes_to_the_result(loss: str, seed: int, samples: int) -> None:
    """Read the written right sides with Python's eyes: they must give what stands behind the last equals sign."""
    x = np.linspace(0.1, 0.9, 2 * samples).reshape(samples, 2)
    run = bp.step("2-2-1", loss=loss, seed=seed, x=x)
    notation = Notation(run.trace)
    names = {"e": np.e, "ln": np.log, "max": max, "min": min, "abs": abs}
    for step in run.trace.steps:
        if step.ref in notation.ones or "where" in step.formula.functions:
            continue
        text = with_numbers(notation, step, (0,) * np.ndim(run[step.ref]), 17)
        python = text.replace("·", "*").replace("−", "-").replace("²", "**2").replace("^", "**")
        python = re.sub(r"\|(.*?)\|", r"abs(\1)", re.sub(r"\[(.*?)\]", r"(\1)", python))
        expected = float(np.ravel(run[step.ref])[0])
        assert eval(python, {}, names) == pytest.approx(expected, rel=1e-12, abs=1e-15), text


def test_every_sign_has_a_spelling() -> None:
    for sign, spelling in {**ASCII, **LETTERS}.items():
        assert spelling.isascii()
        assert spell(sign).isascii(), unicodedata.name(sign[0])
    assert spell("∂L/∂W₁[1,2] = Σₒᵢ δ₁·a²") == "dW1[1,2] = sum_oi delta1*a^2"
    assert spell("σ′ = σ") == "sigma' = sigma"
    assert spell("δ₁ = ∂L/∂z", "gbk") == "δ1 = dL/dz"
    assert fits(spell("δ₁ ✓ ─", "cp1252"), "cp1252")


def test_control_characters_are_made_visible() -> None:
    assert visible("a\x1b]52;c;\x07b\x9b2J") == "a\\x1b]52;c;\\x07b\\x9b2J"
    assert visible("right\u202eleft") == "right\\u202eleft"
    block = Fact("name", "\x1b[2J[bold]x[/bold][/nonsense]")
    (line,) = terminal.lines(block, Screen(80, "utf-8", True, False))
    assert line.plain == "name: \\x1b[2J[bold]x[/bold][/nonsense]"


def test_long_lines_are_folded_and_no_break_spaces_hold_together() -> None:
    assert fold("aa bb\N{NO-BREAK SPACE}cc", 7) == ["aa", "  bb cc"]
    assert fold("aa bb cc", 7) == ["aa bb", "  cc"]
    assert fold("", 10) == [""]


@pytest.mark.parametrize(
    ("env", "colour", "plain_mode"),
    [({}, False, False), ({"FORCE_COLOR": "1"}, True, False), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
     ({"ACCESSIBLE": "1", "FORCE_COLOR": "1"}, False, True), ({"BACKPROP_PLAIN": "0"}, False, False)],
)  # fmt: skip
def test_the_environment_decides_about_colour(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], colour: bool, plain_mode: bool
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "ACCESSIBLE", "BACKPROP_PLAIN", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    screen = look_at(io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert (screen.colour, screen.plain) == (colour, plain_mode)


def test_an_ambiguous_width_of_two_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPROP_AMBIGUOUS", "2")
    assert look_at(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")).glyphs == "ascii"


@pytest.mark.parametrize(
    ("encoding", "glyphs"), [("utf-8", "unicode"), ("gbk", "legacy"), ("cp437", "legacy"), ("ascii", "ascii")]
)
def test_the_glyph_set_follows_the_encoding(encoding: str, glyphs: str) -> None:
    assert Screen(80, encoding, False, False).glyphs == glyphs


def test_the_picture_is_an_svg_that_needs_no_network() -> None:
    svg = terminal.picture(bp.step("mazur").blocks(), "backprop step mazur")
    assert svg.startswith("<svg")
    assert "0.3775" in svg
    assert "font-face" not in svg
    assert not re.search(r"(href=|url\()[\"']?https?:", svg)


def test_of_many_parameters_the_rule_is_worked_out_once() -> None:
    run = bp.step("2-20-20-2-2", optimizer="adam")
    update = shown(run).partition("UPDATE")[2]
    assert update.count("lr·m̂") == 1
    assert update.count("The other parameters go by the same rule") == 1
    for name in ("W₂′", "b₃′", "W₄′"):
        assert name in update
    assert "m̂_W₂" not in update
    few = shown(bp.step("2-2-2-2-2", optimizer="adam")).partition("UPDATE")[2]
    assert few.count("lr·m̂") == 8
