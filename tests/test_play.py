"""Stepping by hand: to the end and back, changes and undo, predictions, and any text at any prompt."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable

import numpy as np
import pexpect
import pyte
import pytest
from conftest import Run, spawn
from hypothesis import given, settings
from hypothesis import strategies as st
from test_expression import expressions

import backprop_cli as bp
from backprop_cli.errors import UsageError
from backprop_cli.notation import Notation
from backprop_cli.play import CHINESE, Play
from backprop_cli.render import terminal
from backprop_cli.render.blocks import Block
from backprop_cli.render.screen import Screen
from backprop_cli.signs import sign_argument, sign_of


def text_of(blocks: Iterable[Block]) -> str:
    stream = io.StringIO()
    terminal.write(blocks, Screen(80, "utf-8", False, False), stream)
    return stream.getvalue()


def typed(session: Play, *lines: str) -> str:
    """Type some lines; what the last one brings."""
    return [text_of(session.answer(line)) for line in lines][-1]


def test_to_the_end_and_back_to_the_start() -> None:
    session = Play(bp.step("mazur"))
    forward = [typed(session, "") for _ in session.steps]
    assert session.prompt == "[update 2/2] > "
    assert "This was the last step" in typed(session, "n")
    backward = [typed(session, "p") for _ in session.steps[1:]]
    assert backward == forward[-2::-1]
    assert "This is the start" in typed(session, "p")
    assert session.prompt == "[start] > "
    assert "z₁[1] = 0.15·0.05 + 0.2·0.1 + 0.35 = 0.3775" in forward[0]


def test_go_why_and_list() -> None:
    session = Play(bp.step("mazur"))
    assert "δ₁[2] = 0.0413703" in typed(session, "go delta1[2]")
    assert session.prompt == "[backward 6/8] > "
    assert "FROM z₁[1] TO THE LOSS: 2 paths" in typed(session, "why")
    assert "FROM W₁[1,1] TO THE LOSS" in typed(session, "why W1[1,1]")
    assert "δ₁ (here)" in typed(session, "list")
    assert "L = " in typed(session, "go L")
    assert "W1 is given, no step makes it" in typed(session, "go W1")
    assert session.prompt == "[loss 1/1] > "


def test_the_settings_of_layers_are_not_offered_as_values() -> None:
    session = Play(bp.step("small-cnn", tiny=True))
    said = " ".join(typed(session, "go p1[1,1]").split())
    assert "unknown value 'p1'; known: E, L, W1, " in said
    assert not any(name in said for name in ("pad1", "stride1", "rows1", "count1"))
    session = Play(bp.step("mnist-cnn", tiny=True))
    assert "an index of p1 has 3 numbers, one for each axis of (2, 5, 5), as in p1[1,1,1]" in " ".join(
        typed(session, "go p1[1,1]").split()
    )


def test_a_change_makes_a_new_tape_and_undo_takes_it_back() -> None:
    session = Play(bp.step("mazur"))
    typed(session, "n", "n")
    text = typed(session, "set W2[2,1] = −1/2")
    assert "W₂[2,1] was 0.5 and is −0.5 now." in text
    assert "The loss goes from 0.298371 to 0.331641." in text
    assert session.prompt == "[forward 2/4] > "
    typed(session, "set x[1]=1", "set lr=0.1", "set y[2]=0")
    assert session.run["x"].tolist() == [[1, 0.1]]
    assert session.run["lr"] == 0.1
    for _ in range(4):
        typed(session, "undo")
    assert session.run["L"] == bp.step("mazur")["L"]
    assert "nothing has been changed" in typed(session, "undo")
    assert "z1 is computed, not given" in typed(session, "set z1[1]=0")


def test_what_may_not_be_given_may_not_be_set() -> None:
    session = Play(bp.step("3-4-2", loss="ce", optimizer="adam"))
    assert "sample 1: the targets sum to 1.5" in typed(session, "set y[1]=0.5")
    assert "lr must be at least 0" in typed(session, "set lr=-1")
    assert "beta1 must be at least 0 and below 1" in typed(session, "set beta1=2")
    assert session.run["L"] == bp.step("3-4-2", loss="ce")["L"]


def test_commands_are_understood_while_a_prediction_is_open() -> None:
    session = Play(bp.step("mazur"), predict=True)
    typed(session, "n")
    assert "FROM W₁[1,1]" in typed(session, "why W1[1,1]")
    assert "forward: z₁" in typed(session, "list")
    assert session.question
    typed(session, "set W1[1,1]=2")
    assert session.prompt == "[start] > "


def test_symbols_or_numbers() -> None:
    session = Play(bp.step("mazur"))
    typed(session, "n")
    assert "z₁[1] = W₁[1,1]·x[1] + W₁[1,2]·x[2] + b₁[1] = 0.3775" in typed(session, "symbols")
    assert "Σᵢ" not in typed(session, "numbers")
    assert "Σᵢ" in typed(session, "both")


def test_commands_in_full_width_letters_are_understood() -> None:
    session = Play(bp.step("mazur"))
    assert typed(session, "？") == typed(session, "?")
    assert "z₁[1] = 0.15·0.05" in typed(session, "ｎ")
    assert "FROM W₁[1,1] TO THE LOSS" in typed(session, "ＷＨＹ　W1[1,1]")
    assert "The loss goes from 0.298371" in typed(session, "ｓｅｔ Ｗ２［２，１］＝－１／２")


def test_commands_in_chinese_need_no_blank() -> None:
    session, other = Play(bp.step("mazur")), Play(bp.step("mazur"))
    assert set(CHINESE.values()) <= set(session.commands)
    for chinese, english in (
        *[("下一步", "n"), ("前进", "n"), ("上一步", "p"), ("去z2[1]", "go z2[1]"), ("跳到 L", "go L"), ("后退", "p")],
        *[
            ("为什么", "why"),
            ("为什么W1[1,1]", "why W1[1,1]"),
            ("改W2[2,1]＝−1/2", "set W2[2,1]=-1/2"),
            ("撤销", "undo"),
        ],
        *[("设　x[1]=1", "set x[1]=1"), ("列表", "list"), ("帮助", "?"), ("数值", "numbers"), ("符号", "symbols")],
        *[("全部", "both"), ("退出", "q")],
    ):
        assert typed(session, chinese) == typed(other, english)
    assert session.over
    assert "did you mean 下一步?" in typed(session, "下步")
    assert "known: back" in typed(session, "zzz")
    assert "下" not in typed(session, "zzz")


def test_an_expression_is_called_by_its_name() -> None:
    session = Play(bp.step(expr="f = (x + y) * z", at="x=-2,y=5,z=-4"))
    assert "f = v₁·z" in typed(session, "go f")
    assert "f = 3·(−4) = −12" in typed(session, "why f")
    assert "f is no variable of the expression; set one of x, y, z" in typed(session, "set f=3")
    assert "f goes from −12 to 3." in typed(session, "set z=1")
    assert "Taken back; f is −12 again." in typed(session, "undo")
    assert "such as why x, or" in typed(Play(session.run), "why")


def test_after_a_change_every_number_can_still_be_asked_about() -> None:
    session = Play(bp.step(expr="f = x * sin(x) + relu(x)", at="x=1.5"))
    typed(session, "n", "set x=-2")
    assert "total: +1; the engine has +1" in typed(session, "why v3")
    assert "x = −2 is negative, so ReLU outputs 0" in typed(session, "go v3")


def test_help_names_every_command_and_unknown_ones_get_the_nearest() -> None:
    session = Play(bp.step("mazur"))
    text = typed(session, "?")
    assert all(word in text for word in ("Enter", "go ADDRESS", "why", "set", "undo", "list", "symbols", "q: leave"))
    assert "did you mean list" in typed(session, "lst")


# --- predictions ----------------------------------------------------------------------------------------------------


def test_a_number_is_asked_for_in_three_stages_before_it_is_shown() -> None:
    session = Play(bp.step("mazur"), predict=True)
    opening = typed(session, "n")
    assert "z₁[2] = 0.25·0.05 + 0.3·0.1 + 0.35 = ?" in opening
    assert "0.3925" not in opening
    assert session.prompt == "z₁[2]: +, − or 0? "
    assert "Right: its terms come to 0.392 against 0, which makes +." in typed(session, "plus")
    assert "Right" in typed(session, "0.1")
    last = typed(session, "0.39")
    assert "Right: you said 0.39, it is 0.3925 (off by 0.64 %)" in last
    assert "z₁[1] = 0.15·0.05" in last
    assert session.prompt == "[forward 1/4] > "


def test_a_wrong_answer_is_told_what_is_right_and_the_weak_spot_is_named() -> None:
    session = Play(bp.step("mazur"), predict=True)
    typed(session, "n", "+", "1", "0.3925", "n")
    assert "No: its factors have the signs (+) · (+), which makes +." in typed(session, "-")
    typed(session, "100", "0.1")
    assert "is not a number" in typed(session, "n", "what?")
    typed(session, "")
    text = text_of(session.answer("q"))
    assert session.over
    assert "weighted sums z: sign 1 of 1, size 1 of 1, digits 1 of 1" in text
    assert "The weak spot is activations a: 3 of 3 answers went wrong there." in text


def test_a_sign_may_be_a_word_or_a_full_width_letter() -> None:
    for answer in ("positive", "正", "正数", "＋", "０．１", " plus "):
        session = Play(bp.step("mazur"), predict=True)
        assert "Right: its terms come to 0.392 against 0" in typed(session, "n", answer)


def test_the_size_is_told_with_the_powers_that_would_do() -> None:
    session = Play(bp.step("mazur"), predict=True)
    assert "Right: it is about 0.4, so 0.1 or 1 would do; you said 1." in typed(session, "n", "+", "1")
    session = Play(bp.step(expr="f = x * 1e308", at="x=1.1"), predict=True)
    assert "No: it is about 1e308, so 1e308 would do; you said 1." in typed(session, "n", "+", "1")


@pytest.mark.parametrize(
    ("given", "error"),
    [("3", "off by 200 %"), ("15", "off by 1400 %"), ("1.9962", "off by 100 %"), ("1e9", "far off"), ("1", "exact")],
)
def test_an_error_is_told_in_plain_percent(given: str, error: str) -> None:
    session = Play(bp.step(expr="f = x * y", at="x=1,y=1"), predict=True)
    assert f"it is 1 ({error})" in typed(session, "n", "+", "1", given)


def test_predictions_about_an_expression_have_names_for_its_numbers() -> None:
    session = Play(bp.step(expr="f = x * sigmoid(x)", at="x=1.5"), predict=True)
    typed(session, "n", "+", "1", "0.8176", "n", "-", "", "n", "+")
    text = text_of(session.ending())
    assert "values v: sign 1 of 2, size 1 of 1, digits 1 of 1" in text
    assert "gradients: sign 1 of 1" in text
    assert "The weak spot is values v" in text


def test_enter_skips_a_question_and_shows_the_number() -> None:
    session = Play(bp.step("mazur"), predict=True)
    assert "z₁[1] = 0.15·0.05" in typed(session, "n", "")
    assert not session.prediction or not session.prediction.score


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 500), st.sampled_from(["sigmoid", "tanh", "relu", "softmax"]), st.sampled_from(["mse", "huber"]))
def test_every_sign_argument_ends_with_the_right_sign(seed: int, activation: str, loss: str) -> None:
    run = bp.step("2-3-2", seed=seed, activation=[activation], loss=loss, optimizer="adam")
    notation = Notation(run.trace)
    for step in run.trace.steps:
        value = np.asarray(run[step.ref], float)
        for place in np.ndindex(*value.shape):
            assert sign_argument(notation, step, place).split()[-1] == sign_of(float(value[place]))


# --- any text -------------------------------------------------------------------------------------------------------

COMMANDS = st.sampled_from(
    [
        *["n", "p", "", "why", "undo", "list", "numbers", "symbols", "both", "?", "go z2[1]", "go L"],
        *["set W1[1,1]=2", "why dW1[1,1]", "+", "-", "0.1", "set", "go", "set L=3", "why nothing"],
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(COMMANDS | st.text(max_size=15), max_size=12), st.booleans())
def test_nothing_that_is_typed_raises_or_loses_the_place(lines: list[str], predict: bool) -> None:
    session = Play(bp.step("2-2-1"), predict)
    for line in lines:
        at = session.at
        text_of(session.answer(line))
        assert 0 <= session.at <= len(session.steps)
        word = (unicodedata.normalize("NFKC", line).lower().split() or [""])[0]
        if word not in ("", "n", "next", "p", "back", "go") and not predict:
            assert session.at == at
        assert session.prompt
        if session.over:
            break


@settings(max_examples=15, deadline=None)
@given(expressions(), st.booleans(), st.sampled_from(["f", "E"]))
def test_nothing_that_is_asked_about_an_expression_raises(text: str, predict: bool, name: str) -> None:
    try:
        session = Play(bp.step(expr=f"{name} = {text} + 0*(x + y)", at="x=0.7,y=1.3"), predict)
    except UsageError:
        return
    for change in ("set x=2", f"set {name}=1"):
        for ref in (*session.run.trace.values, name, f"d{name}"):
            text_of(session.answer(f"why {ref}"))
            text_of(session.answer(f"go {ref}"))
        for line in ("n", "why", "+", "1", "list", change):
            text_of(session.answer(line))


# --- at a terminal and through a pipe -------------------------------------------------------------------------------


def test_the_same_session_through_a_pipe(backprop: Run) -> None:
    found = backprop("play", "mazur", stdin=b"n\nn\np\nq\n")
    text = found.stdout.decode()
    assert (found.returncode, found.stderr) == (0, b"")
    assert "[start] > n\n" in text
    assert text.count("z₁[1] = 0.15·0.05") == 2
    assert "\x1b" not in text


def test_an_unknown_word_is_answered_with_words_of_its_own_script() -> None:
    session = Play(bp.step("mazur"))
    assert "known: back, both" in typed(session, "−1")
    assert "下一步" in typed(session, "下一")


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "cp1252", "cp437", "ascii"])
def test_the_end_of_the_input_ends_it_in_any_encoding(backprop: Run, encoding: str) -> None:
    found = backprop(
        "play", "mazur", "--predict", stdin=b"n\n+\n", env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    )
    assert (found.returncode, found.stderr) == (0, b"")
    assert "YOUR PREDICTIONS" in found.stdout.decode(encoding)


def test_a_sign_that_the_encoding_lacks_does_not_end_the_session(backprop: Run) -> None:
    env = {"PYTHONIOENCODING": "gbk", "PYTHONUTF8": "0"}
    found = backprop("play", "mazur", stdin="set W2[2,1]=−0.5\nn\nq\n".encode(), env=env)
    assert (found.returncode, found.stderr) == (0, b"")
    assert "[forward 1/4]" in found.stdout.decode("gbk")


def test_plain_mode(backprop: Run) -> None:
    found = backprop("play", "mazur", "--plain", stdin=b"n\nwhy\nq\n")
    assert found.stdout.isascii()
    assert b"z1[1] = 0.15*0.05 + 0.2*0.1 + 0.35 = 0.3775" in found.stdout


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize(
    ("language", "start", "first", "words"),
    [("en", "[start]", "[forward 1/4]", "Problem: 2-2-2;"), ("zh", "[起点]", "[前向传播 1/4]", "问题：2-2-2；")],
)
def test_at_a_terminal(columns: int, language: str, start: str, first: str, words: str) -> None:
    child, screen = spawn(columns, "--lang", language, "play", "mazur")
    stream = pyte.Stream(screen)
    child.expect_exact(f"{start} > ")
    stream.feed(child.before + child.after)
    child.sendline("")
    child.expect_exact(f"{first} > ")
    stream.feed(child.before + child.after)
    shown = "\n".join(line.rstrip() for line in screen.display)
    assert words in shown
    assert "z₁[1] = 0.15·0.05 + 0.2·0.1 +" in shown
    assert f"{first} >" in shown
    child.sendline("q")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_ctrl_c_leaves_with_130_and_ctrl_d_with_0() -> None:
    for key, code in (("c", 130), ("d", 0)):
        child, _ = spawn(80, "play", "mazur")
        child.expect_exact("[start] > ")
        for _ in range(10):  # a key may be lost while the terminal is being set up
            child.sendcontrol(key)
            if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=3) == 0:
                break
        child.close()
        assert child.exitstatus == code
        assert "Traceback" not in (child.before or "")
