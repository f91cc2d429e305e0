"""Two languages: every sentence has its Chinese, no English comes through, and Chinese is laid out as it should be."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from gettext import GNUTranslations
from pathlib import Path

import catalogue
import click
import pexpect
import pyte
import pytest
from catalogue import CLICK, OTHERS, PACKAGE, sentences
from click.testing import CliRunner
from conftest import Run
from test_play import spawn

import backprop_cli as bp
from backprop_cli import language
from backprop_cli.augment import CHANGES
from backprop_cli.cli import backprop as group
from backprop_cli.cli import run
from backprop_cli.datasets import GENERATORS
from backprop_cli.language import Wish, listed, plural, speak, tr, wanted
from backprop_cli.layers import KERNELS, LAYERS
from backprop_cli.lines import cells, columns, fitted, fold
from backprop_cli.optimizers import OPTIMIZERS
from backprop_cli.problem_file import preset_names
from backprop_cli.render import plain, terminal
from backprop_cli.render.blocks import Fact, Note
from backprop_cli.render.screen import Screen
from backprop_cli.schedules import SCHEDULES
from backprop_cli.welcome import COMMANDS, TOPICS

Inside = Callable[..., tuple[int, str, str]]
ZH = {"BACKPROP_LANG": "zh"}
CHINESE = catalogue.catalogue()


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chinese for one test."""
    monkeypatch.setenv("LANGUAGE", "zh")
    monkeypatch.setattr(language, "_shown", lambda name: True)
    speak(Wish("zh", "BACKPROP_LANG"))
    yield
    speak(Wish("en", "a test"))


# --- the catalogue --------------------------------------------------------------------------------------------------


def translated(key: catalogue.Key) -> bool:
    found = CHINESE.get(key)
    return bool(found and any(found.string))


def test_every_sentence_has_its_chinese() -> None:
    missing = {
        sentence for sentence in sentences() if sentence.place != catalogue.CLICK and not translated(sentence.key)
    }
    assert not missing, "run `python tests/catalogue.py`, and translate what it names"


def test_no_sentence_is_kept_that_nobody_says() -> None:
    """Click's and Python's may stay: another version may still say them."""
    said = {sentence.key for sentence in sentences()}
    kept = [message for message in CHINESE if message.id and not {CLICK, OTHERS} & {at for at, _ in message.locations}]
    assert not {message.id for message in kept} - said, "run `python tests/catalogue.py`"


def test_a_translation_has_the_same_braces() -> None:
    for message in CHINESE:
        english = message.id if isinstance(message.id, str) else "".join(message.id)
        there, here = (set(re.findall(r"\{(\w+)", text)) for text in (english, "".join(message.string)))
        assert here <= there, english
        if CLICK not in {at for at, _ in message.locations}:
            assert here == there, english


def test_what_is_compiled_is_what_is_written() -> None:
    with catalogue.MO.open("rb") as file:
        compiled = GNUTranslations(file)
    for message in CHINESE:
        if isinstance(message.id, tuple):
            assert (compiled.ngettext(*message.id, 2),) == message.string, "run `python tests/catalogue.py`"
        elif message.id:
            assert compiled.gettext(message.id) == message.string, "run `python tests/catalogue.py`"


PROSE = re.compile(r"[a-z]{2,},? [a-z]{2,}")
KNOWN = {message.id for message in CHINESE}
"""Sentences that have their Chinese: those of kernels stand under a name if several kernels say them."""
CODE = re.compile(r"^backprop |[<=]|\n|^(bold|italic) | in range\(|Object arrays|has no attribute|is no index")
"""What is for machines: titles of pictures, formulas, SVG, source code, styles."""
PASSED_ON = {*catalogue.TRANSLATED, "unknown", "plural", "remark", "mistake", "ValueError", "FormulaError"}
TABLES = {"PAGE", "COMMANDS", "TOPICS", "HELP", "ROUNDED", "CONVENTIONS", "ENGLISH"}


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Literals that read like a sentence and that no translation sees, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    seen: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in PASSED_ON:
                seen |= {id(part) for arg in node.args for part in ast.walk(arg)}
            case ast.keyword(arg="help", value=value):
                seen.add(id(value))
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in TABLES:
                seen |= set(map(id, ast.walk(value)))
            case ast.Expr(value=ast.Constant() as docstring):
                seen.add(id(docstring))
            case ast.Constant(value=str() as text) if (
                id(node) not in seen and PROSE.search(text) and not CODE.search(text) and text not in KNOWN
            ):
                yield node.lineno, text


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_sentence_is_hidden_from_translation(path: Path) -> None:
    assert list(prose(path)) == []


# --- which language -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ("", {}, ("en", "")),
        ("--lang zh step", {}, ("zh", "--lang")),
        ("step --lang=zh", {"BACKPROP_LANG": "en"}, ("zh", "--lang")),
        ("step -- --lang zh", {}, ("en", "")),
        ("step --lang", {"LANG": "zh_CN.UTF-8"}, ("zh", "LANG")),
        ("", {"BACKPROP_LANG": "zh_CN", "LANG": "en_US.UTF-8"}, ("zh", "BACKPROP_LANG")),
        ("", {"BACKPROP_LANG": "fr", "LANG": "zh_CN.GBK"}, ("zh", "LANG")),
        ("", {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, ("en", "LC_ALL")),
        ("", {"LC_MESSAGES": "zh_SG", "LANG": "en_US"}, ("zh", "LC_MESSAGES")),
        ("", {"LANGUAGE": "fr:zh_CN:en", "LANG": "en_US.UTF-8"}, ("zh", "LANGUAGE")),
        ("", {"LANG": "fr_FR.UTF-8"}, ("en", "")),
        ("--lang 中文", {}, ("zh", "--lang")),
        ("--lang EN-GB", {"LANG": "zh_CN.UTF-8"}, ("en", "--lang")),
    ],
)
def test_the_language_is_the_option_s_or_the_environment_s(
    arguments: str, environment: dict[str, str], expected: tuple[str, str]
) -> None:
    assert wanted(arguments.split(), environment) == expected


def test_windows_is_asked_when_no_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("locale.setlocale", lambda category: "Chinese (Simplified)_China.936")
    assert wanted([], {}) == ("zh", "Windows")


def test_a_language_nobody_knows_is_an_error(backprop: Run) -> None:
    found = backprop("step", "--lang", "fr", env=ZH)
    assert found.returncode == 2
    assert "en 或 zh" in found.stderr.decode()


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "latin-1", "big5"])
def test_where_there_are_no_chinese_letters_it_is_english(backprop: Run, encoding: str) -> None:
    for arguments in (
        ["--lang", "zh", "step", "mazur", "--no-check"],
        ["step", "mazur", "--no-check"],
        ["help", "step"],
    ):
        found = backprop(*arguments, env={**ZH, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
        assert found.returncode == 0
        assert "formula" in found.stdout.decode(encoding).lower() or "FORWARD" in found.stdout.decode(encoding)
        assert (b"cannot show Chinese" in found.stderr) == ("--lang" in arguments)


def test_the_three_ways_to_ask_give_the_same(backprop: Run) -> None:
    one = backprop("--lang", "zh", "step", "mazur", "--no-check")
    assert "前向传播".encode() in one.stdout
    step = ("step", "mazur", "--no-check")
    assert one.stdout == backprop(*step, "--lang", "zh").stdout == backprop(*step, env=ZH).stdout
    assert one.stdout == backprop(*step, env={"LANG": "zh_CN.UTF-8"}).stdout


def test_counts_and_lists_and_missing_sentences(chinese: None) -> None:
    assert plural(1200, "sample") == "1,200 个样本"
    assert listed(["h₁", "h₂", "h₃"]) == "h₁, h₂ 和 h₃"
    assert tr("nobody says {this}", this=1) == "nobody says 1"


def test_english_again(chinese: None) -> None:
    assert tr("forward") == "前向传播"
    speak(Wish("en", "a test"))
    assert tr("forward") == "forward"
    assert plural(1, "path") == "1 path"


OPTIONS = {
    name
    for command in map(group.get_command, [click.Context(group)] * len(COMMANDS), COMMANDS)
    for param in (command.params if command else ())
    for name in (*param.opts, *param.secondary_opts)
}

# --- wholly Chinese -------------------------------------------------------------------------------------------------

ALSO = """
    backprop numpy click rich sympy python bash zsh fish source eval printf utf-8 gbk linux unicode legacy
    ascii xterm mean sum norm max min exp ln log sqrt erf inf sigma beta eps alpha delta rho mu da db dx dy dz df
    dv sgd lr dense float article json toml csv npy npz safetensors svg linear logits swish mnist-mlp
    nice xavier he symbolic both loops symbols numbers auto always never forward backward update
    go set undo list next back quit new ok preview notes export import reset from my-course
    platformdirs filelock markdown-it-py
    verdict diagnosis value correct carried wrong blank invalid tex md html all answers answer week class keys sheets
    exercise grade mazur-sheet points sheet
    digits none unit standard samples noise share every factor floor patience pixels bin txt book mnist ubyte
    batches cifar classes zr zu zn
"""
NAMES = {
    *KERNELS,
    *OPTIMIZERS,
    *COMMANDS,
    *TOPICS,
    *preset_names(),
    *GENERATORS,
    *LAYERS,
    *(option for layer in LAYERS.values() for option in layer.options),
    *SCHEDULES,
    *CHANGES,
    *language.LANGUAGES,
    *(name.strip("-") for name in OPTIONS),
    *ALSO.split(),
}
"""Words that are the same in every language: names of functions, options, files and people."""


def english_in(text: str) -> set[str]:
    """The words in small letters that are no name, in a text that should be Chinese; a digit makes an address."""
    text = re.sub(r"\S*/\S*|\\n\S*|\S+\.(py|toml|json|npz|svg)", " ", text)
    return {word for word in re.findall(r"[\w.-]+", text, re.ASCII) if re.fullmatch(r"[a-z][a-z-]+", word)} - NAMES


RUNS = [
    "step --net 3-4-2",
    "step mazur --verbose",
    "step xor --steps 3",
    "step mazur --plain --verbose",
    "step 2-3-2 --activation relu,softmax --x 1,2;3,4 --optimizer adamw --l2 0.1 --frozen b1",
    "step 2-2-1 --activation tanh,identity --loss huber --optimizer nesterov",
    "step 9-20-30",
    "step 3-4-2 --prune 0.5 --quantize 4",
    "step gru-lm --tiny",
    "check mazur",
    "check 2-2-1 --activation gelu",
    "check mazur --plain",
    "why W1[1,1] mazur",
    "why W1[1,1] mazur --plain",
    "why z2[1] mazur --depth 3",
    "why W1[1,1] 2-3-2 --activation relu,softmax",
    "why L mazur",
    "why W1[1,1] 9-20-20-3",
    "why W1[1,1] 2-2-1 --loss bce --l2 0.1 --optimizer momentum",
    "why W1_new[1,1] xor",
    "why a1[1;2] xor",
    "whatif W2[2,1]=-0.5 mazur",
    "whatif lr=1 mazur --plain",
    "whatif W2[2,1]=-0.5 mazur --sweep -1:1:9",
    "whatif x[1]=0.1 9-20-20",
    "whatif W2[2,1]=-0.5 mazur --sweep -1:1:9 --plain",
    "train xor --epochs 4",
    "train 2-3-2 --activation tanh,softmax --data blobs(120,classes=2) --epochs 3 --validation 0.2 --schedule cosine",
    "train 2-3-2 --activation tanh,softmax --data moons(60) --epochs 3 --clip 1 --plain",
    "grade answers.txt --key mazur --explain",
    "grade answers.txt --key mazur --plain --reveal value",
    "grade answers.txt worse.txt --key mazur",
    "lesson",
    "lesson check 010-one-neuron",
    "review",
    "progress",
    "doctor",
    "doctor --plain",
    *(f"{command} --help" for command in COMMANDS),
    *(f"help {topic}" for topic in TOPICS),
    "help",
    "--help",
]


def test_every_mistake_is_told_in_chinese(inside: Inside) -> None:
    _, text, _ = inside("doctor", "--mistakes", "--json")
    told = json.loads(text)["mistakes"]
    assert len(told) > 400
    assert not [each for each in told if not re.search("[一-鿿]", each["text"])]


@pytest.fixture
def inside(
    chinese: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Inside:
    """Run a command line here, in Chinese, at a width: its exit code, what it printed, and its complaints."""

    monkeypatch.chdir(tmp_path)
    (tmp_path / "answers.txt").write_text("sheet: 1\nz1 = [0.9, 0.3925]\ndz1 = [0.0364, 0.012]\nL = [1, 2]\n7 = 1\n")
    (tmp_path / "worse.txt").write_text("z1 = [0, 0]\n")

    def inside(*arguments: str, width: int = 80) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(width))
        code = run(list(arguments))
        return (code, *capsys.readouterr())

    return inside


@pytest.mark.parametrize("line", RUNS)
def test_it_is_wholly_chinese_and_fits_the_terminal(inside: Inside, line: str) -> None:
    for width in (40, 80):
        code, text, complaints = inside(*line.split(), width=width)
        assert (code, complaints) == (0, "")
        assert re.search("[一-鿿]", text)
        assert english_in(text) == set()
        assert max(map(cells, text.splitlines())) <= width


@pytest.mark.parametrize("line", RUNS)
def test_english_fits_the_terminal_too(inside: Inside, line: str) -> None:
    speak(Wish("en", "a test"))
    for width in (40, 100):
        code, text, complaints = inside(*line.split(), width=width)
        assert (code, complaints) == (0, "")
        assert not re.search("[一-鿿]", text)
        assert max(map(cells, text.splitlines())) <= width


EXPRESSION = ["--expr", "f = max(x, y) * exp(-z) / (x + 1)**2 - sqrt(y)", "--at", "x=1,y=2,z=3"]


def test_expressions_too(inside: Inside) -> None:
    for command in (["step"], ["step", "--plain"], ["check"], ["why", "x"], ["whatif", "x=2"]):
        _, text, _ = inside(*command, *EXPRESSION)
        assert re.search("[一-鿿]", text)
        assert english_in(text) == set()


MISTAKES = [
    "stp",
    "step --nett 3",
    "step 3-x-2",
    "step 3-4-2 --loss mes",
    "step --digits 0",
    "step --only forwards",
    "step --lr fast",
    "step 3-4-2 --layer 9",
    "step nowhere.toml",
    "step 3-4-2 --x 1,2",
    "why",
    "why W9[1,1]",
    "why W1",
    "why W1[9,9]",
    "help nothing",
    "step mazur -o no/such/x.txt",
    "whatif W1[1,1] mazur",
    "whatif W1[1,1]=x mazur",
    "step 2-2-1 --optimizer adam(beta1=2)",
    "step xor --steps 3 --layer 1",
    "step --expr f=x --at x=1",
    "step --expr f=x*y --at x=1",
    "play --digits",
    "step bad.json",
    "step bad.toml",
    "step --lang fr",
]


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_told_in_chinese(
    inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text('{"net": "3-4-2", }')
    Path("bad.toml").write_text('net = = "3-4-2"')
    code, _, text = inside(*line.split())
    assert code in (2, 3)
    assert text.splitlines()[-1].startswith("错误：")
    assert english_in(re.sub(r"'.*?'", "", text)) <= {"mes"}
    assert not text.rstrip().endswith(".")


def test_json_is_the_same_in_both(here: Run) -> None:
    assert here("step", "mazur", "--json", env=ZH).stdout == here("step", "mazur", "--json").stdout


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-8"])
@pytest.mark.parametrize(
    "line", ["step mazur", "why W1[1,1] mazur", "whatif W2[2,1]=-0.5 mazur", "check mazur", "play mazur"]
)
def test_chinese_in_other_encodings_piped_and_plain(here: Run, encoding: str, line: str) -> None:
    env = {**ZH, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    handsome, read = (here(*line.split(), *more, stdin=b"n\nq\n", env=env) for more in ([], ["--plain"]))
    for found in (handsome, read):
        assert (found.returncode, found.stderr) == (0, b"")
        text = found.stdout.decode(encoding)
        assert re.search("[一-鿿]", text)
        assert "\\u" not in text
    letters = set(read.stdout.decode(encoding))
    assert all(sign.isascii() or re.match("[一-鿿，。、；：？！（）“”]", sign) for sign in letters)


# --- lines ----------------------------------------------------------------------------------------------------------

LONG = "增大 W₁[1,1] 会把 a₂[1] 推高（它的目标值是 0.01），这使损失变大；而“另一个”输出偏低。真的吗？是的！"


@pytest.mark.parametrize("width", range(12, 60))
def test_no_line_begins_or_ends_with_the_wrong_sign_or_is_too_wide(width: int) -> None:
    lines = fold(LONG, width, "  ", "    ")
    assert all(cells(line) <= width for line in lines)
    assert not any(line.lstrip()[0] in "，。；：？！）”" for line in lines)
    assert not any(line[-1] in "（“" for line in lines)
    assert "".join("".join(lines).split()) == "".join(LONG.split())


def test_a_word_that_is_too_long_is_cut_and_a_no_break_space_holds() -> None:
    assert fold("abcdefghij", 4, "", "") == ["abcd", "efgh", "ij"]
    assert fold("ab c\N{NO-BREAK SPACE}d", 5, "", "") == ["ab", "c d"]
    assert fold("", 10, "  ") == [""]


def test_columns_go_below_each_other_where_it_is_narrow() -> None:
    rows = [("--net 网络", "例如 3-4-2"), ("--seed", "随机种子")]
    assert list(columns(rows, 60)) == ["  --net 网络  例如 3-4-2", "  --seed      随机种子"]
    assert list(columns(rows, 30))[:2] == ["  --net 网络", "      例如 3-4-2"]
    assert fitted("一二三四五六七八九十\n", 12) == "一二三四五六\n  七八九十\n"


def test_a_picture_gives_chinese_its_room() -> None:
    svg = terminal.picture([Note("损失 x")], "标题")
    (text,) = re.findall(r'textLength="([\d.]+)"[^>]*>[^<]*损失[^<]*<', svg)
    assert float(text) == pytest.approx(12.2 * cells("  → 损失 x"))


def test_plain_lines_keep_the_letters_and_spell_the_signs() -> None:
    assert list(plain.lines(Fact("损失", "∂L/∂W₁ ≤ ½"))) == ["损失: dW1 <= 1/2"]
    assert Screen(80, "utf-8", False, False, wide=True).say("损失 ≤ ½") == "损失 <= 1/2"


# --- at a terminal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 40])
def test_a_chinese_session_at_a_terminal(columns: int) -> None:
    child, screen = spawn(columns, "--lang", "zh", "play", "mazur", "--predict")
    stream = pyte.Stream(screen)
    for typed, awaited in (
        ("", "[起点] > "),
        ("", "还是 0？ "),
        ("+", "10 的幂： "),
        ("0.1", "= ？ "),
        ("0.39", "[前向传播 1/4] > "),
    ):
        if awaited != "[起点] > ":
            child.sendline(typed)
        child.expect_exact(awaited)
        stream.feed(child.before + child.after)
    shown = "\n".join(line.rstrip() for line in screen.display).replace(" ", "")
    assert "z₁[1]=0.15·0.05" in shown
    assert "对了：" in shown
    child.sendline("q")
    child.expect(pexpect.EOF)
    rest = child.before
    child.close()
    assert child.exitstatus == 0
    assert "你的预测" in rest


def test_the_doctor_measures_the_terminal() -> None:
    child, _ = spawn(80, "doctor")
    child.expect_exact("\x1b[6n")
    child.send("\x1b[7;3R")
    child.expect(pexpect.EOF)
    said = child.before
    child.close()
    assert child.exitstatus == 0
    assert "ambiguous width: 2, measured" in re.sub(r"\x1b\[\d*m", "", said)
    assert "BACKPROP_AMBIGUOUS=2 keeps lines straight" in said


def test_the_doctor_does_not_wait_for_a_terminal_that_is_silent() -> None:
    child, _ = spawn(80, "doctor", "--color", "never")
    child.expect_exact("ambiguous width: not measured")
    child.expect(pexpect.EOF)


def test_the_group_takes_the_language_from_click_too() -> None:
    try:
        found = CliRunner().invoke(group, ["--lang", "zh", "help", "exit-codes"])
        assert "退出码" in found.output
    finally:
        speak(Wish("en", ""))


def test_python_users_may_choose_a_language(chinese: None) -> None:
    assert "前向传播" in str(bp.step("mazur"))
    assert language.current().language == "zh"
    assert isinstance(group, click.Group)
