"""Lessons: every one of the course, how answers are judged, what is kept, what comes again, what is refused."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pexpect
import pyte
import pytest
from conftest import ROOT, Run, spawn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backprop_cli.course import catalogue, progress
from backprop_cli.course.authors import lesson_notes, new_lesson, preview_lesson
from backprop_cli.course.catalogue import begin_lesson
from backprop_cli.course.demonstrate import demonstrated, read_command, spelled
from backprop_cli.course.items import items_of
from backprop_cli.course.lesson import Lesson, course, find_lesson, folders, read_lesson
from backprop_cli.course.linter import check_lessons, faults
from backprop_cli.course.player import Player
from backprop_cli.course.progress import Progress, cards, standing
from backprop_cli.course.prose import Ask, Paragraph, read_prose
from backprop_cli.course.prose import Run as Shown
from backprop_cli.course.quantities import Quantity
from backprop_cli.course.questions import Judged
from backprop_cli.errors import BackpropError, InputError, UsageError
from backprop_cli.render import plain
from backprop_cli.render.blocks import Block

COURSE = list(folders(course()))
ONE = "010-one-neuron"


def text_of(blocks: Any) -> str:
    return "\n".join(line for block in blocks for line in plain.lines(block))


# --- the course ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", COURSE, ids=lambda folder: folder.name)
def test_a_lesson_of_the_course_is_without_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a few seeds; `backprop lesson check --all --strict`, which .ci/run calls, takes all of them."""
    monkeypatch.setattr(Lesson, "seeds", property(lambda self: range(1, 4)))
    assert [f"{fault.where}: {fault.text}" for fault in faults(folder)] == []


def test_the_command_finds_no_fault_either(here: Run) -> None:
    found = here("lesson", "check", ONE, "--strict", "--json")
    assert found.returncode == 0
    assert json.loads(found.stdout) == {
        "schema": "backprop.lesson-check/1", "lessons": [ONE], "strict": True, "faults": [],
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_newcomer_goes_from_the_first_lesson_to_the_last(here: Run, tmp_path: Path, language: str) -> None:
    env = {"BACKPROP_HOME": str(tmp_path / "home"), "BACKPROP_LANG": language}
    for folder in COURSE[:3]:
        lesson = read_lesson(folder)
        items, _ = items_of(lesson, language, 1)
        answers = "".join(f"{item.question.model(lesson.variant(1))}\n" for item in items)
        found = here("lesson", "next", stdin=answers.encode(), env=env)
        assert (found.returncode, found.stderr) == (0, b"")
        assert lesson.text(language).title in found.stdout.decode()
    listed = here("lesson", env=env).stdout.decode()
    assert listed.count({"en": "(done)", "zh": "（已完成）"}[language]) == len(COURSE[:3])


RUNS = [
    (folder, piece.command)
    for folder in COURSE
    for piece in read_lesson(folder).text("en").pieces
    if isinstance(piece, Shown) and not piece.command.startswith("train")
]


@pytest.mark.parametrize(("folder", "command"), RUNS, ids=[f"{folder.name}: {command}" for folder, command in RUNS])
def test_a_command_that_a_lesson_shows_shows_the_same_outside(here: Run, folder: Path, command: str) -> None:
    variant = read_lesson(folder).variant(1)
    first, *blocks = demonstrated(command, variant)
    line = text_of([first]).removeprefix("$ ").replace("\n  ", " ")
    if "the lesson's own numbers" in line:
        return
    name, network, words, flags = read_command(command, variant)
    line = spelled(name, words, flags, variant.networks[network], 1)
    found = here(*shlex.split(line)[1:], "--plain")
    assert found.returncode == 0, found.stderr
    assert found.stdout.decode().startswith(text_of(blocks).lstrip("\n")[:2000])


# --- prose -----------------------------------------------------------------------------------------------------------


def test_mathematics_is_not_eaten_by_markdown() -> None:
    (piece,) = read_prose("a*b*c and W_1 and W_2, 2 * 3 * 4, \\alpha, [x](y), <b>, &amp; `x · y`", "en.md")
    assert isinstance(piece, Paragraph)
    assert piece.text == "a*b*c and W_1 and W_2, 2 * 3 * 4, \\alpha, [x](y), <b>, &amp; x\u00a0·\u00a0y"


def test_lines_of_chinese_are_joined_without_a_blank() -> None:
    (piece,) = read_prose("第一行，\n第二行", "zh.md")
    assert isinstance(piece, Paragraph)
    assert piece.text == "第一行，第二行"


def test_a_reply_may_be_to_a_sign_and_have_code_in_it() -> None:
    (ask,) = read_prose("```{ask} s\nSign of `a b`?\nhint: One.\nwrong +: `x y` no.\nwrong −: Nor that.\n```", "en.md")
    assert isinstance(ask, Ask)
    assert (ask.text, ask.hints) == ("Sign of a\u00a0b?", ("One.",))
    assert ask.entries == {("wrong", "+"): "x\u00a0y no.", ("wrong", "−"): "Nor that."}


def test_a_block_that_is_not_known_is_refused_with_its_line() -> None:
    with pytest.raises(InputError, match=r"en.md:3: cannot read '\{python\}'"):
        read_prose("Text\n\n```{python}\nimport os\n```\n", "en.md")


# --- expressions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "().__class__", "x.__class__.__bases__", "a[b]", "[1]", "lambda: 1", "exec(1)", "f'{x}'",
     "x if y else z", "open", "exp(x, y)", "1 < 2 < 3", "x and y", "not x", "a := 1", "*x", "9" * 600],
)  # fmt: skip
def test_what_is_not_in_the_language_is_not_computed(text: str) -> None:
    with pytest.raises(UsageError):
        Quantity(text).value(lambda name: pytest.fail(f"{name} was looked up") if name.ref != "open" else int("x"))


def test_a_power_of_powers_takes_no_time() -> None:
    assert Quantity("9 ** 9 ** 9 ** 9").value(lambda name: 0.0) == np.inf


# --- judging ---------------------------------------------------------------------------------------------------------


def made(tmp_path: Path, toml: str, *asks: str) -> Lesson:
    """A lesson with the questions of `toml`, each asked with some entries."""
    folder = tmp_path / "900-made"
    folder.mkdir(exist_ok=True)
    (folder / "lesson.toml").write_text(toml, encoding="utf-8")
    blocks = "\n\n".join(f"```{{ask}} {ask}\n```" for ask in asks)
    (folder / "en.md").write_text(f"# Made\n\n{blocks}\n", encoding="utf-8")
    return read_lesson(folder)


def player(lesson: Lesson, seed: int = 1) -> Player:
    items, closing = items_of(lesson, "en", seed)
    return Player(items, closing, lambda event: None)


NETWORK = '[network]\nnet = "2-2-1"\n'
DELTA = NETWORK + '[[question]]\nid = "d"\nanswer = "dz1[1]"\ndigits = 4\n[question.wrong]\ntwice = "2*dz1[1]"\n'


@pytest.fixture
def hidden(tmp_path: Path) -> Callable[[str], str]:
    """What is said to an answer to `dz1[1]`, given as an expression of the step."""
    lesson = made(tmp_path, DELTA, "d\nWhat is δ₁[1]?\nhint: Mind the slope.\nwrong twice: Once too often.")

    def said(expression: str) -> str:
        value = float(lesson.variant(1).value(Quantity(expression)))
        return text_of(player(lesson).answer(f"{value:.3g}" if "1.002" in expression else f"{value:.7g}"))

    return said


def test_the_right_number_is_right_however_it_is_written(tmp_path: Path) -> None:
    lesson = made(tmp_path, NETWORK + '[[question]]\nid = "a"\nanswer = "a1[1]"\ndigits = 3\n', "a\nWhat?")
    value = float(lesson.variant(1).find(next(iter(Quantity("a1[1]").names))))
    for typed in (f"{value:.3g}", f"{value:.9f}", f"{value * 1000:.6g}e-3", f"{value * 3:.9g}/3", f"1*{value:.6g}"):
        assert "correct: Right." in text_of(player(lesson).answer(typed)), typed


def test_a_mistake_that_looks_like_a_rounded_answer_is_a_mistake(tmp_path: Path) -> None:
    network = '[network]\nnet = "2-1"\nx = [1, 2]\nparams = {W1 = [[1, 1]], b1 = [0.5]}\n'
    toml = network + '[[question]]\nid = "z"\nanswer = "z1[1]"\n'
    session = player(made(tmp_path, toml, "z\nWhat?"))
    assert "The bias is missing." in text_of(session.answer("3"))
    assert "Right as far as it goes" in text_of(session.answer("4"))
    assert "This question has no other numbers." in text_of(session.answer("new"))


def test_arithmetic_is_told_as_it_was_understood() -> None:
    session = player(read_lesson(find_lesson(ONE)))
    assert "Read as: 0.375" in text_of(session.answer("3/8"))
    assert "Read as: -1200" in text_of(session.answer("−1.2e3"))
    assert "Read as" not in text_of(session.answer("0.375"))


def test_too_few_figures_are_told_so_and_not_called_wrong(tmp_path: Path) -> None:
    lesson = made(tmp_path, NETWORK + '[[question]]\nid = "a"\nanswer = "a1[1]"\ndigits = 4\n', "a\nWhat?")
    value = float(lesson.variant(1).find(next(iter(Quantity("a1[1]").names))))
    said = text_of(player(lesson).answer(f"{value:.2f}"))
    assert "Right as far as it goes; give 4 significant digits." in said
    assert "Not yet" not in said


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2*dz1[1]", "Once too often."),  # the author's own word comes first
        ("da1[1]", "The slope of the sigmoid, a(1 - a), is missing as a factor."),
        ("-dz1[1]", "The size is right. What about the sign?"),
        ("dz1[1]*100", "The digits are right. Where does the decimal point belong?"),
        ("dz1[1]/da1[1]", "Your number lacks a factor of da1[1]."),
        ("dz1[1]*da1[1]", "Your number has a factor of da1[1] too many."),
        ("dz1[2]", "That is delta1[2]. What changes for delta1[1]?"),
        ("da1[1]*1.002", "The slope of the sigmoid"),  # as far as its digits go
        ("17.77", "Mind the slope."),  # else the next hint
    ],
)
def test_a_wrong_number_is_understood(hidden: Callable[[str], str], expression: str, expected: str) -> None:
    said = hidden(expression)
    assert said.startswith("wrong: Not yet.")
    assert expected in said


def test_what_follows_from_one_s_own_number_is_right(tmp_path: Path) -> None:
    toml = NETWORK + '[[question]]\nid = "z"\nanswer = "z1[1]"\n[[question]]\nid = "a"\nanswer = "a1[1]"\n'
    session = player(made(tmp_path, toml, "z\nWhat?", "a\nWhat?"))
    list(session.answer("0.9"))
    list(session.answer("n"))
    assert "Right, given your own earlier number." in text_of(session.answer(f"{1 / (1 + np.exp(-0.9)):.4f}"))


def test_what_follows_from_a_rounded_number_is_right(tmp_path: Path) -> None:
    toml = NETWORK + '[[question]]\nid = "a"\nanswer = "a1[1]"\ndigits = 1\n[[question]]\nid = "z"\nanswer = "z2[1]"\n'
    lesson = made(tmp_path, toml, "a\nWhat?", "z\nWhat?")
    variant, session = lesson.variant(1), player(lesson)
    rounded = f"{float(variant.value(Quantity('a1[1]'))):.1g}"
    list(session.answer(rounded))
    value = float(variant.value(Quantity(f"z2[1] + W2[1,1]*({rounded} - a1[1])")))
    assert f"{value:.3g}" != f"{float(variant.value(Quantity('z2[1]'))):.3g}"
    assert "Right, given your own earlier number." in text_of(session.answer(f"{value:.3g}"))


def judged(tmp_path: Path, toml: str, ask: str, *typed: str) -> list[Judged]:
    lesson = made(tmp_path, NETWORK + toml, ask)
    (question,) = lesson.questions.values()
    return [question.judge(lesson.variant(1), line) for line in typed]


def test_a_formula_is_right_in_any_form(tmp_path: Path) -> None:
    toml = '[[question]]\nid = "f"\nkind = "formula"\nanswer = "a*(1-a)"\nletters = ["a"]\nwrong = {tanh = "1-a**2"}\n'
    typed = ("a - a^2", "a(1−a)", "σ′ = (1 - a)a", "(1/4) - (a - 1/2)**2", "1 - a²", "a")
    found = judged(tmp_path, toml, "f\nWhat?", *typed)
    assert [each.verdict for each in found] == ["right"] * 4 + ["wrong"] * 2
    assert [each.mistake for each in found[4:]] == ["tanh", ""]
    with pytest.raises(UsageError, match="unknown letter 'b'"):
        judged(tmp_path, toml, "f\nWhat?", "a*b")


def test_a_vector_says_which_of_its_numbers_are_wrong(tmp_path: Path) -> None:
    toml = '[[question]]\nid = "v"\nkind = "numbers"\nanswer = "W1"\n'
    lesson = made(tmp_path, NETWORK + toml, "v\nWhat?")
    (question,) = lesson.questions.values()
    rows = lesson.variant(1).value(Quantity("W1")).tolist()
    typed = "; ".join(" ".join(map(str, row)) for row in rows)
    assert question.judge(lesson.variant(1), typed).verdict == "right"
    assert question.judge(lesson.variant(1), str(rows)).verdict == "right"
    assert (
        question.judge(lesson.variant(1), str([[f"{n:.1f}" for n in row] for row in rows]).replace("'", "")).verdict
        == "few"
    )
    rows[1][0] += 1
    assert "3 of 4 are right; look again at 2,1." in question.judge(lesson.variant(1), str(rows)).said
    with pytest.raises(UsageError, match="2 × 2"):
        question.judge(lesson.variant(1), "1, 2, 3")


def test_numbers_in_the_wrong_places_are_told_so(tmp_path: Path) -> None:
    toml = '[[question]]\nid = "v"\nkind = "numbers"\nanswer = "W1[1]"\n'
    lesson = made(tmp_path, NETWORK + toml, "v\nWhat?")
    one, other = lesson.variant(1).value(Quantity("W1[1]"))
    said = text_of(player(lesson).answer(f"{other}, {one}"))
    assert "The numbers are right, but not where they stand." in said


def test_an_array_has_hints_too(tmp_path: Path) -> None:
    toml = '[[question]]\nid = "v"\nkind = "numbers"\nanswer = "dz1"\n'
    session = player(made(tmp_path, NETWORK + toml, "v\nWhat?"))
    assert "delta1[o] = " in text_of(session.answer("h"))
    assert "delta1[1] = " in text_of(session.answer("h"))
    assert "delta1[2] = " in text_of(session.answer("h"))


def test_steps_are_put_in_order(tmp_path: Path) -> None:
    toml = '[[question]]\nid = "o"\nkind = "order"\nanswer = ["sum", "bend", "loss"]\n'
    ask = "o\nOrder?\nitem sum: z\nitem bend: a\nitem loss: compare"
    lesson = made(tmp_path, NETWORK + toml, ask)
    (question,) = lesson.questions.values()
    right = question.model(lesson.variant(1))
    assert right != "abc"  # they are shown in another order
    assert question.judge(lesson.variant(1), " ".join(right)).verdict == "right"
    assert question.judge(lesson.variant(1), "sum bend loss").verdict == "right"
    assert "Only the first one stands" in question.judge(lesson.variant(1), right[0] + right[2] + right[1]).said
    with pytest.raises(UsageError, match="each of the 3 once"):
        question.judge(lesson.variant(1), "aab")


def test_a_planted_mistake_is_told_from_what_follows_from_it(tmp_path: Path) -> None:
    toml = (
        '[[question]]\nid = "s"\nkind = "spot"\nentry = "dz1[2]"\nvalue = "da1[2]"\n'
        'show = ["z1", "a1", "da1", "dz1", "dW1"]\n'
    )
    lesson = made(tmp_path, NETWORK + toml, "s\nWhich?")
    (question,) = lesson.questions.values()
    variant = lesson.variant(1)
    assert question.judge(variant, "delta1[2]").verdict == "right"
    assert "only because of an earlier one" in question.judge(variant, "dW1[2,1]").said
    assert "is right: it follows from what stands before it" in question.judge(variant, "dW1[1,1]").said
    shown = text_of(question.shown(variant, Ask("s", "", (), {})))
    assert shown.count("\n") == 4
    with pytest.raises(UsageError, match="is a whole array"):
        question.judge(variant, "dz1")


# --- playing ---------------------------------------------------------------------------------------------------------


def test_hints_say_more_and_more_and_end_with_the_answer(tmp_path: Path) -> None:
    session = player(made(tmp_path, DELTA, "d\nWhat?\nhint: Mind the slope.\nwrong twice: No."))
    assert "Mind the slope" in text_of(session.answer("h"))
    assert "delta1[o] = " in text_of(session.answer("h"))
    numbers = text_of(session.answer("h"))
    assert "= ?" in numbers
    assert "The next hint is the answer." in numbers
    answer = text_of(session.answer("h"))
    assert "delta1[1] = " in answer
    assert session.asked[0].verdict == "shown"


def test_why_is_about_the_network_that_is_asked_about(tmp_path: Path) -> None:
    toml = NETWORK + '[networks.other]\nnet = "2-3-2"\n[[question]]\nid = "a"\nanswer = "other.a2[2]"\n'
    session = player(made(tmp_path, toml, "a\nWhat?"))
    assert "a2[2] = " in text_of(session.answer("why a2[2]"))
    assert "W1[3,1]" in text_of(session.answer("why other.W1[3,1]"))


def test_letters_are_answers_where_they_are_in_a_formula(tmp_path: Path) -> None:
    toml = NETWORK + '[[question]]\nid = "f"\nkind = "formula"\nanswer = "p*q"\nletters = ["p", "q"]\n'
    session = player(made(tmp_path, toml, "f\nWhich?"))
    assert "Not yet." in text_of(session.answer("p"))
    assert "a hint" in text_of(session.answer("?"))


def test_letters_are_answers_where_they_are_options(tmp_path: Path) -> None:
    options = "\n".join(f"option o{number}: {number}" for number in range(9))
    conditions = "\n".join(f'o{number} = "{int(number == 7)}"' for number in range(9))
    toml = f'{NETWORK}[[question]]\nid = "c"\nkind = "choice"\n[question.options]\n{conditions}\n'
    session = player(made(tmp_path, toml, f"c\nWhich?\n{options}"))
    assert "Not yet." in text_of(session.answer("b"))
    assert "Right." in text_of(session.answer("h"))


def test_why_new_back_list_and_help_keep_the_place() -> None:
    session = player(read_lesson(find_lesson(ONE)))
    before = float(session.variant.run()["x"][0, 0])
    assert "z1[1] = " in text_of(session.answer("why z1[1]"))
    assert "A neuron does one small thing." in text_of(session.answer("b"))
    assert "New numbers." in text_of(session.answer("new"))
    assert float(session.variant.run()["x"][0, 0]) != before
    assert "(here)" in text_of(session.answer("list"))
    assert "a hint" in text_of(session.answer("?"))
    assert "This is the first question." in text_of(session.answer("p"))
    assert session.at == 0


TYPED = st.sampled_from(
    ["h", "n", "p", "b", "new", "list", "show", "why z1[1]", "why", "?", "", "0.1", "a", "+", "x*y"]
)


@settings(max_examples=25, deadline=None)
@given(st.lists(TYPED | st.text(max_size=20), max_size=10))
def test_nothing_that_is_typed_raises(lines: list[str]) -> None:
    session = player(read_lesson(find_lesson(ONE)))
    for line in lines:
        text_of(session.answer(line))
        assert 0 <= session.at < len(session.items)
        if session.over:
            break


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize(("language", "said"), [("en", "✓ Done: 6 of 6"), ("zh", "✓ 完成：6 道题中答对 6 道")])
def test_a_whole_lesson_at_a_terminal(tmp_path: Path, columns: int, language: str, said: str) -> None:
    lesson = read_lesson(find_lesson(ONE))
    child, screen = spawn(columns, "--lang", language, "lesson", "next", BACKPROP_HOME=str(tmp_path))
    stream = pyte.Stream(screen)
    for number, question in enumerate(lesson.questions.values(), 1):
        child.expect_exact(f"[{number}/6] > ")
        stream.feed(child.before + child.after)
        lines = [line.strip() for line in screen.display]
        assert any(line.startswith(f"[{number}/6] >") for line in lines)
        assert not any(line.startswith(("。", "，", "；")) for line in lines)
        child.sendline(question.model(lesson.variant(1)))
    child.expect(pexpect.EOF)
    stream.feed(child.before)
    assert said in "".join(line.rstrip() for line in screen.display)
    child.close()
    assert child.exitstatus == 0
    assert standing(Progress(tmp_path).events(), ONE).done


# --- what is kept ----------------------------------------------------------------------------------------------------


def answered(folder: Path, *lines: str) -> Player:
    session = begin_lesson(read_lesson(find_lesson(ONE)), Progress(folder))
    for line in lines:
        list(session.answer(line))
    return session


def test_it_goes_on_at_the_same_question_with_the_same_numbers(tmp_path: Path) -> None:
    session = answered(tmp_path, "new", "show", "h", "17")
    again = answered(tmp_path)
    assert (again.at, again.item.seed, again.asked[1].hints) == (1, 2, session.asked[1].hints)
    assert again.asked[0].verdict == "shown"
    assert "Here is one with two inputs." in text_of(again.opening())  # what the numbers are is said again
    list(again.answer("n"))
    assert answered(tmp_path).at == 2


def test_a_lesson_that_is_done_begins_anew_with_other_numbers(tmp_path: Path) -> None:
    assert answered(tmp_path, *["show"] * 6).over
    assert standing(Progress(tmp_path).events(), ONE).done
    again = answered(tmp_path)
    assert (again.at, again.item.seed) == (0, 2)
    stands = standing(Progress(tmp_path).events(), ONE)
    assert (stands.done, stands.complete, len(stands.answers)) == (True, True, 6)  # until something is answered
    list(again.answer("17.77"))
    stands = standing(Progress(tmp_path).events(), ONE)
    assert (stands.done, stands.complete, len(stands.answers)) == (True, False, 2)


def test_a_lesson_from_elsewhere_is_remembered_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(find_lesson(ONE), tmp_path / ONE)
    home = Progress(tmp_path / "home")
    session = begin_lesson(read_lesson(folder), home)
    list(session.answer("17.77"))
    assert standing(home.events(), ONE) == standing([], ONE)
    assert standing(home.events(), str(folder)).answers
    later_by(monkeypatch, 1.1)
    assert (review := catalogue.review(home))
    assert review.items[0].lesson.folder == folder


@pytest.mark.parametrize("wait", [0.0, 0.05, 0.15, 0.4])
def test_a_kill_loses_at_most_one_answer(tmp_path: Path, wait: float) -> None:
    env = {**os.environ, "BACKPROP_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "backprop_cli", "lesson", ONE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as child:
        assert child.stdin
        assert child.stdout
        sent = 0
        while child.poll() is None and sent < 3:
            child.stdin.write("17.77\n")
            child.stdin.flush()
            sent += 1
            while "17.77" not in (line := child.stdout.readline()):
                assert line
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
    kept = [event for event in Progress(tmp_path).events() if event["verdict"] == "wrong"]
    assert len(kept) >= sent - 1
    with Progress(tmp_path).alone():  # the lock went with the process
        assert answered(tmp_path).at == 0


def test_a_line_that_was_cut_off_harms_no_other(tmp_path: Path) -> None:
    answered(tmp_path, "show")
    path = Progress(tmp_path).path
    path.write_bytes(path.read_bytes() + b'{"at": "2026-01-01T0\xff')
    answered(tmp_path, "17.77")
    events = Progress(tmp_path).events()
    assert [event["verdict"] for event in events] == ["shown", "wrong", "hint"]


def test_two_at_once_are_told_so(tmp_path: Path, here: Run) -> None:
    with Progress(tmp_path).alone():
        found = here("lesson", ONE, env={"BACKPROP_HOME": str(tmp_path)}, stdin=b"1\n")
    assert found.returncode == 2
    assert b"another lesson or review is open" in found.stderr
    assert Progress(tmp_path).events() == []


def test_progress_goes_out_and_in_and_away(tmp_path: Path, here: Run) -> None:
    one, other = ({"BACKPROP_HOME": str(tmp_path / name)} for name in ("one", "other"))
    answered(tmp_path / "one", "show", "17.77")
    assert b"1 wrong one" in here("progress", env=one).stdout
    assert here("progress", "export", "mine.jsonl", env=one).returncode == 0
    assert here("progress", "export", env=one).stdout == (tmp_path / "mine.jsonl").read_bytes()
    assert b"3 events" in here("progress", "import", "mine.jsonl", env=other).stdout
    assert b"0 events" in here("progress", "import", "mine.jsonl", env=other).stdout
    document = json.loads(here("progress", "--json", env=other).stdout)
    assert document["lessons"][ONE] == {"done": False, "finished": ["z"], "answers": 3}
    assert here("progress", "reset", env=other, stdin=b"n\n").returncode == 130
    assert here("progress", "reset", ONE, "--yes", env=other).returncode == 0
    assert Progress(tmp_path / "other").events() == []
    backup = tmp_path / "other" / "events.jsonl.bak"
    assert here("progress", "reset", "--yes", env=other).returncode == 0
    assert len(backup.read_text().splitlines()) == 3
    assert here("progress", "import", "nothing.jsonl", env=other).returncode == 3
    assert here("progress", "show", ONE, env=other).returncode == 2


def test_notes_are_the_lesson_with_one_s_own_answers(tmp_path: Path, here: Run) -> None:
    answered(tmp_path, "17.77", "n", "3/8")
    notes = here("lesson", "notes", ONE, env={"BACKPROP_HOME": str(tmp_path)}).stdout.decode()
    assert notes.startswith("# One neuron and the chain rule\n\n")
    assert "My answer: 17.77 (not right)" in notes
    assert "(no answer yet)" in notes
    assert "{{" not in notes
    assert notes == lesson_notes(read_lesson(find_lesson(ONE)), Progress(tmp_path))


# --- review ----------------------------------------------------------------------------------------------------------


def later_by(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    moment = datetime.now(UTC) + timedelta(days=days)
    for module in (progress, catalogue):
        monkeypatch.setattr(module, "now", lambda: moment)


def test_what_was_right_comes_later_and_with_fresh_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = read_lesson(find_lesson(ONE))
    answered(tmp_path, lesson.questions["z"].model(lesson.variant(1)), "17.77")
    boxes = {card.question: card.box for card in cards(Progress(tmp_path).events())}
    assert boxes == {"z": 2, "loss": 1}
    assert catalogue.review(Progress(tmp_path)) is None
    later_by(monkeypatch, 1.1)
    session = catalogue.review(Progress(tmp_path))
    assert session
    assert [(item.id, item.seed) for item in session.items] == [("loss", 2)]
    assert "Here is one with two inputs." in text_of(session.opening())
    list(session.answer(lesson.questions["loss"].model(lesson.variant(2))))
    assert session.over
    assert {card.question: card.box for card in cards(Progress(tmp_path).events())} == {"z": 2, "loss": 2}
    assert standing(Progress(tmp_path).events(), ONE).last == "loss"


def test_a_review_tells_each_lesson_s_numbers_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it leaps over questions, and where it comes to another lesson."""
    home = Progress(tmp_path)
    for name, questions in ((ONE, ("z", "dw")), ("020-logistic-neuron", ("a", "dw"))):
        for question in questions:
            home.add(lesson=name, question=question, seed=1, verdict="wrong", typed="1")
    later_by(monkeypatch, 1.1)
    session = catalogue.review(home)
    assert session
    parts = [text_of(session.opening()), *(text_of(session.answer("n")) for _ in range(3))]
    first, second = ("Here is one with two inputs.", "The neuron was meant to answer")
    assert [first in part for part in parts] == [True, False, False, False]
    assert [second in part for part in parts] == [False, True, False, False]
    assert text_of(session.answer("b")).count("\n") > 5
    for part in parts:
        lines = [line for line in part.splitlines() if len(line) > 30]
        assert len(lines) == len(set(lines))


def test_a_command_of_a_lesson_may_have_numbers_in_it(copy: Path) -> None:
    for file in ("en.md", "zh.md"):
        change(copy / file, "step --only backward", "whatif W1[1,1]={{ W1[1,1] + 0.5 }}")
    found = [fault.text for fault in check_lessons(str(copy), strict=True).faults]
    assert all("stale translation" in text for text in found)


def test_nothing_is_due_at_first(here: Run, tmp_path: Path) -> None:
    found = here("review", env={"BACKPROP_HOME": str(tmp_path)})
    assert (found.returncode, b"Nothing is due" in found.stdout) == (0, True)


# --- authors ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(find_lesson(ONE), tmp_path / ONE)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("lesson.toml", '- b1[1]"', '+ b1[1]"', "cannot be told from the right"),
        ("lesson.toml", "no_half = ", "halved = ", "no text for: wrong halved"),
        ("lesson.toml", 'answer = "z1[1]"', 'answer = "z9[1]"', "unknown value 'z9'"),
        ("lesson.toml", 'answer = "z1[1]"', 'answer = "open(1)"', "unknown function 'open'"),
        ("lesson.toml", 'up = "dW1[1,1] < 0"', 'up = "1"', "2 options hold"),
        ("lesson.toml", 'kind = "sign"', 'kind = "sing"', "did you mean sign"),
        ("lesson.toml", 'answer = "z1[1]"', 'answer = "1"', "1 is accepted, which somebody might guess"),
        ("lesson.toml", "minutes = 8", "minutes = 'x'", "another kind was expected"),
        ("lesson.toml", "minutes = 8", "minutes = = 8", "not valid TOML"),
        ("en.md", "```{ask} loss", "```{ask} lost", "question loss is not asked"),
        ("en.md", "```{ask} loss", "```{ask}", "write {ask} id or {run}"),
        ("en.md", "{{ x[1] }}", "{{ x[ }}", "cannot read"),
        ("en.md", "{{ x[1] }}", "{{ x[7] }}", "there is no 7|has shape"),
        ("en.md", "x₁ = {{ x[1] }}", "x₁ = 0.83", "0.83 is typed, but the engine knows it"),
        ("en.md", "step --only backward", "step --output x", "unknown option"),
        ("en.md", "step --only backward", "doctor", "unknown command for a lesson"),
        ("en.md", "A neuron does", "The neuron does", "a stale translation"),
        ("lesson.toml", "variants = 20", "variants = 0", "variants are 1 to 1000"),
        ("lesson.toml", 'letters = ["x", "y", "z"]', 'letters = ["x", "y"]', "unknown letter 'z'"),
        ("lesson.toml", "digits = 3", "digits = 30", "digits are 1 to 10"),
        ("en.md", "# One neuron and the chain rule\n", "\n", "there is no # Title"),
        ("en.md", "A neuron does", "A \x1b[2J neuron does", "there are control characters"),
        ("en.md", "hint: It is δ·x[1].", "hint: It is {{ dW1[1,1] }}.", "question dw gives its answer away"),
        ("zh.md", "hint: 它是 δ·x[1]。\n", "", "block 17 is ask dw, 0 hints"),
        ("zh.md", "    z = w₁·x₁ + w₂·x₂ + b\n", "", "but in en.md it is code"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_named(copy: Path, file: str, old: str, new: str, fault: str) -> None:
    change(copy / file, old, new)
    found = check_lessons(str(copy), strict=True)
    assert found.exit_code == 1
    told = [each.text for each in found.faults]
    assert any(part in text for text in told for part in fault.split("|")), told


def test_the_linter_says_it_on_the_command_line(copy: Path, here: Run) -> None:
    change(copy / "lesson.toml", 'up = "dW1[1,1] < 0"', 'up = "1"')
    found = here("lesson", "check", str(copy))
    assert found.returncode == 1
    assert b"2 options hold" in found.stdout
    (copy / "zh.md").unlink()
    change(copy / "lesson.toml", 'up = "1"', 'up = "dW1[1,1] < 0"')
    assert here("lesson", "check", str(copy)).returncode == 0
    assert here("lesson", "check", str(copy), "--strict").returncode == 1


def test_a_new_lesson_is_without_fault_and_can_be_played(tmp_path: Path, here: Run) -> None:
    assert here("lesson", "new", "mine/010-first").returncode == 0
    text_of(new_lesson(str(tmp_path / "other")))
    assert list(faults(tmp_path / "mine" / "010-first")) == []
    env = {"BACKPROP_HOME": str(tmp_path / "home")}
    assert b"What is" in here("lesson", "mine/010-first", env=env, stdin=b"show\n" * 4).stdout
    assert b"A title (done)" in here("lesson", "mine", env=env).stdout
    assert here("lesson", "new", "mine/010-first").returncode == 2
    assert here("lesson", "nowhere/at-all", env=env).returncode == 3


def test_a_preview_begins_where_it_is_told_and_keeps_nothing(tmp_path: Path, here: Run) -> None:
    env = {"BACKPROP_HOME": str(tmp_path / "home")}
    found = here("lesson", "preview", ONE, "--from", "dw", "--seed", "9", "--lang", "zh", env=env, stdin=b"show\n")
    assert "现在代入数字" in found.stdout.decode()
    assert not (tmp_path / "home").exists()
    assert here("lesson", "preview", ONE, "--from", "dv", env=env).returncode == 2
    assert preview_lesson(ONE, 9, "dw").item.seed == 9


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["lesson.toml", "en.md", "zh.md"]), st.binary(max_size=60), st.integers(0, 400))
def test_any_content_of_a_lesson_is_one_clear_message(tmp_path: Path, file: str, noise: bytes, at: int) -> None:
    folder = tmp_path / "010-any"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(find_lesson(ONE), folder)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[:at] + noise + content[at + len(noise) :])
    change_seeds(folder)
    check_lessons(str(folder), strict=True)
    try:
        session = player(read_lesson(folder))
        text_of(session.opening())
        text_of(session.answer("1"))
    except BackpropError as error:
        assert str(error)


def change_seeds(folder: Path) -> None:
    """One seed is enough here."""
    content = (folder / "lesson.toml").read_bytes()
    (folder / "lesson.toml").write_bytes(content.replace(b"variants = 20", b"variants = 1"))


def test_blocks_of_prose_are_blocks(tmp_path: Path) -> None:
    shown: list[Block] = list(player(read_lesson(find_lesson(ONE))).opening())
    assert any("A neuron does one small thing." in text_of([block]) for block in shown)
