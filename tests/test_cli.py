"""The program as people meet it: help, exit codes, errors, pipes, encodings."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from conftest import ROOT, Run

import backprop_cli as bp
from backprop_cli.cli import backprop as group
from backprop_cli.cli import complain
from backprop_cli.layers import ACTIVATIONS, LOSSES
from backprop_cli.optimizers import OPTIMIZERS
from backprop_cli.problem_file import preset_names
from backprop_cli.welcome import COMMANDS, TOPICS

ENCODINGS = ["utf-8", "gbk", "cp1252", "cp437", "ascii", "latin-1"]


def test_the_bare_command_and_help_are_one_friendly_page(backprop: Run) -> None:
    pages = [backprop(*arguments) for arguments in ([], ["-h"], ["--help"], ["help"])]
    assert {page.returncode for page in pages} == {0}
    (text,) = {page.stdout.decode() for page in pages}
    assert not any(page.stderr for page in pages)
    assert all(f"\n  {name:<8} {does}\n" in text for name, does in COMMANDS.items())
    assert max(map(len, "".join([text, *TOPICS.values()]).splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_eighty_columns_and_starts_with_an_example(backprop: Run, command: str) -> None:
    page = backprop(command, "--help")
    text = page.stdout.decode()
    assert page.returncode == 0
    assert text == backprop("help", command).stdout.decode()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert f"backprop {command}" in text.split("Example", 1)[1].splitlines()[0]


def walk_options() -> list[tuple[str, click.Option]]:
    context = click.Context(group)
    commands = [(name, group.get_command(context, name)) for name in COMMANDS]
    return [
        (name, param)
        for name, command in commands
        if command
        for param in command.params
        if isinstance(param, click.Option)
    ]


def test_every_option_has_help_and_one_meaning() -> None:
    meanings: dict[str, set[str]] = {}
    for command, option in walk_options():
        assert option.help, (command, option.name)
        for name in (*option.opts, *option.secondary_opts):
            meanings.setdefault(name, set()).add(str(option.name))
    assert {name: found for name, found in meanings.items() if len(found) > 1} == {}


def test_options_come_in_groups(backprop: Run) -> None:
    text = backprop("step", "--help").stdout.decode()
    assert text.index("Network:") < text.index("Show:") < text.index("Output:")


@pytest.mark.parametrize("topic", TOPICS)
def test_topics(backprop: Run, topic: str) -> None:
    assert backprop("help", topic).stdout.decode() == TOPICS[topic]


def test_the_topics_name_everything_there_is() -> None:
    for name in (*ACTIVATIONS, *LOSSES, *OPTIMIZERS, *preset_names()):
        assert name in TOPICS["networks"]


def test_version(backprop: Run) -> None:
    for flag in ("--version", "-V"):
        found = backprop(flag)
        assert (found.returncode, found.stdout.decode()) == (0, f"backprop {bp.__version__}\n")


IMPORT = """
import sys
sys.argv = ["backprop", *{arguments!r}]
from backprop_cli.__main__ import main
try:
    main()
except SystemExit:
    pass
loaded = [name for name in {names!r} if name in sys.modules]
print(*loaded, file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [[], ["--help"], ["step", "--help"], ["check", "--help"], ["help", "networks"]])
def test_help_loads_neither_numpy_nor_sympy_nor_rich(arguments: list[str]) -> None:
    script = IMPORT.format(arguments=arguments, names=["numpy", "sympy", "rich"] + ([] if arguments[1:] else ["click"]))
    if arguments[:1] == ["help"]:
        script = script.replace(", 'click'", "")
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, text=True)
    assert found.stderr.strip() == ""


def test_the_numbers_do_not_wait_for_sympy() -> None:
    script = IMPORT.format(arguments=["step", "3-4-2", "--no-check"], names=["sympy", "tkinter", "rich.progress"])
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, text=True)
    assert found.stderr.strip() == ""


def test_importing_the_package_is_cheap() -> None:
    script = (
        "import sys, backprop_cli; print([name for name in ('numpy', 'rich', 'click', 'sympy') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, text=True)
    assert found.stdout.strip() == "[]"


def test_step_shows_all_of_it_and_every_witness_agrees(here: Run) -> None:
    found = here("step", "--net", "3-4-2")
    text = found.stdout.decode()
    assert (found.returncode, found.stderr) == (0, b"")
    parts = ["Conventions", "FORWARD", "LOSS", "BACKWARD", "UPDATE", "CHECK", "All witnesses agree on 4 gradients"]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    assert text.count("✓ agree") == 12
    assert found.stdout == here("step", "--net", "3-4-2").stdout
    assert "\x1b" not in text


def test_json_is_one_document_with_the_contract_s_keys(backprop: Run) -> None:
    found = backprop("step", "mazur", "--json", env={"FORCE_COLOR": "1", "PYTHONIOENCODING": "ascii"})
    document = json.loads(found.stdout)
    assert list(document)[:4] == ["schema", "problem", "conventions", "values"]
    assert document["schema"] == "backprop.step/1"
    assert {"net", "activation", "loss", "reduction", "optimizer", "lr", "seed"} <= set(document["problem"])
    refs = [
        "x",
        "y",
        "W1",
        "b1",
        "W2",
        "b2",
        "z1",
        "a1",
        "z2",
        "a2",
        "L",
        "da2",
        "dz2",
        "dW2",
        "db2",
        "da1",
        "dz1",
        "dW1",
        "db1",
    ]
    assert set(refs) <= set(document["values"])
    assert document["loss"] == bp.step("mazur")["L"]
    assert document["gradients"]["W1"] == bp.step("mazur")["dW1"].tolist()
    assert document["updated"]["W2"][0][0] == pytest.approx(0.35891648, abs=5e-9)
    assert document["updated"]["b1"] == [0.35, 0.35]
    assert {step["phase"] for step in document["steps"]} == {"forward", "loss", "backward", "update"}
    assert {"ref", "phase", "formula", "operands"} == set(document["steps"][0])
    assert len(document["checks"]) == 12
    needed = {"ref", "witness", "max_abs_error", "max_rel_error", "verdict", "reason"}
    assert all(needed <= set(check) and check["verdict"] == "agree" for check in document["checks"])
    assert b"\x1b" not in found.stdout
    assert found.stdout.count(b"\n") == 1


def test_json_of_several_steps_has_their_history(backprop: Run) -> None:
    document = json.loads(backprop("step", "xor", "--steps", "3", "--json", "--no-check").stdout)
    assert [record["step"] for record in document["history"]] == [1, 2, 3]
    assert document["history"][0]["loss"] > document["history"][2]["loss"]
    assert document["optimizer_state"]["mW1"] != [[0.0, 0.0]] * 4
    assert document["problem"]["step"] == 3


def test_several_steps_tell_the_loss_and_what_moved(here: Run) -> None:
    text = here("step", "xor", "--steps", "100", "--no-check").stdout.decode()
    assert "step   1: L = " in text
    assert "step 100: L = " in text
    assert "moved most: " in text
    assert "Over 100 steps it fell from 0.783547 to 0.0262" in " ".join(text.split())
    assert text.count("\nstep ") == 40
    assert here("step", "xor", "--steps", "100", "--no-check", "-v").stdout.decode().count("\nstep ") == 100


def test_check_exits_with_1_and_names_the_entry(backprop: Run, tmp_path: Path) -> None:
    run = bp.step("mazur")
    wrong = {f"d{name}": run[f"d{name}"].copy() for name in run.problem.params}
    wrong["dW2"][1, 0] += 0.25
    np.savez(tmp_path / "claims.npz", **wrong)
    found = backprop("check", "mazur", "--against", "claims.npz")
    text = found.stdout.decode()
    assert found.returncode == 1
    assert text.index("✗ disagree ∂L/∂W₂") < text.index("✓ agree")
    assert "dW2[2,1]: engine −0.02260254048, claimed 0.2273974595, absolute error 2.50e-01" in " ".join(text.split())
    assert "1 of 4 checks disagrees: dW2." in text


def test_a_planted_gradient_makes_check_exit_1_naming_the_entry(tmp_path: Path) -> None:
    script = """
from backprop_cli.layers import KERNELS
from backprop_cli.kernel import Kernel
right = KERNELS["dense"].gradients["W"]
def wrong(dz, a):
    gradient = right.body(dz, a)
    gradient[0, 1] *= 1.01
    return gradient
KERNELS["dense"].gradients["W"] = Kernel(right.formula, wrong)
from backprop_cli.cli import run
raise SystemExit(run(["check", "mazur", "--plain"]))
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, text=True)
    assert found.returncode == 1
    assert sum(line.startswith("disagree: dW") for line in found.stdout.splitlines()) == 6
    for witness in ("finite difference", "complex step", "symbolic"):
        assert f"disagree: dW1, {witness}" in found.stdout
    assert "worst entry: dW1[1,2]: engine 0.00088590" in found.stdout
    assert "wrong: 6 of 12 checks disagree: dW" in found.stdout


def test_check_can_be_told_which_witness_and_how_many(here: Run) -> None:
    text = here("check", "3-4-2", "--witness", "complex_step", "--sample", "2").stdout.decode()
    assert text.count("complex step: 2 of ") == 3
    assert "finite difference" not in text
    document = json.loads(here("check", "mazur", "--json").stdout)
    assert document["schema"] == "backprop.check/1"
    assert len(document["checks"]) == 12


def test_quiet_is_the_result_alone(backprop: Run) -> None:
    assert len(backprop("check", "mazur", "-q").stdout.decode().strip().splitlines()) == 1


BAD_COMMANDS = [
    (["stp"], 2, "unknown command 'stp'; did you mean step?"),
    (["step", "--nett", "3-4-2"], 2, "--net"),
    (["step", "--net", "3-x-2"], 2, "'x' is not a number of units"),
    (["step", "--net", "4 residual(dense4 dense4"], 2, "'4 residual(dense4 dense4': a bracket is not closed"),
    (["step", "--net", "4 residual(dense4)) dense4"], 2, "a bracket is closed that was not opened"),
    (["step", "2-2", "--prune", "x"], 2, "'x' is not a valid number."),
    (["step", "2-2", "--seed", "x"], 2, "'x' is not a valid whole number."),
    (["step", "3-4-2", "--loss", "mes"], 2, "did you mean mse"),
    (["step", "3-4-2", "--digits", "0"], 2, "0 is not in the range"),
    (["step", "3-4-2", "--only", "forwards"], 2, "forward"),
    (["step", "3-4-2", "--layer", "3"], 2, "no layer 3; the net has layers 1 to 2"),
    (["step", "missing.toml"], 3, "missing.toml: cannot be read"),
    (["step", "3-4-2", "--x", "missing.csv"], 3, "cannot be read"),
    (["step", "3-4-2", "--x", "1,2"], 2, "expected (N, 3)"),
    (["check", "mazur", "--against", "missing.npz"], 3, "cannot be read"),
    (["check", "mazur", "--against", "claims.txt"], 2, ".npz, .safetensors or .json"),
    (["help", "nothing"], 2, "unknown topic"),
    (["step", "mazur", "-o", "no/such/folder/x.txt"], 2, "cannot be written"),
    (["step", "\x1b[2J"], 2, "\\x1b[2J"),
    (["step", "--lr", "fast"], 2, "fast"),
    (["step", "xor", "--steps", "3", "--layer", "1"], 2, "do not go with it"),
    (["step", "mazur", "--only", "check", "--no-check"], 2, "nothing to show"),
    (["check", "mazur", "--against", "x.npz", "--sample", "2"], 2, "do not go with it"),
    (["step", "mazur", "--json", "-o", "x.svg"], 2, "something.json"),
    (["step", "mazur", "-o", "."], 2, "is a folder"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "message"), BAD_COMMANDS, ids=[" ".join(c[0]).replace("\x1b", "ESC") for c in BAD_COMMANDS]
)
def test_a_mistake_is_one_error_line_and_an_exit_code(here: Run, arguments: list[str], code: int, message: str) -> None:
    found = here(*arguments)
    text = found.stderr.decode()
    assert found.returncode == code
    assert found.stdout == b""
    assert text.splitlines()[-1].startswith("Error: ")
    assert message in text
    assert "Traceback" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("columns", [30, 40, 80])
def test_at_a_terminal_a_complaint_is_folded(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    message = "Error: unknown value 'nonsense'; known: " + ", ".join(f"W{layer}" for layer in range(30))
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("COLUMNS", str(columns))
    complain(message)
    lines = stream.buffer.getvalue().decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) > 1
    assert max(map(len, lines)) <= columns
    assert " ".join(" ".join(lines).split()) == message


def test_in_a_pipe_a_complaint_is_one_line(backprop: Run) -> None:
    found = backprop("why", "nonsense", "mazur", env={"COLUMNS": "40"})
    (line,) = found.stderr.decode().splitlines()
    assert len(line) > 80


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("why --depth x W1[1,1]", "'x' 不是有效的整数。"),
        ("step --lr q", "'q' 不是有效的数。"),
        ("step --nett 3", "'--nett'。你是不是"),
        ("why --help", "用法：backprop why"),
        ("why -h", "示例：backprop why"),
        ("why W1[1,1] mazur --plain", "a1[1] 流向 z2[1]、z2[2]"),
        ("whatif W2[1,1]=0 mazur", "z₁、a₁："),
    ],
)
def test_chinese_has_its_own_words_and_signs(here: Run, line: str, said: str) -> None:
    found = here(*line.split(), env={"BACKPROP_LANG": "zh"})
    assert said in (found.stdout + found.stderr).decode()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", ["step mazur", "doctor", "step 3-2 --loss nope", "step -h"])
def test_any_encoding_will_do(backprop: Run, here: Run, encoding: str, command: str) -> None:
    run = backprop if command == "step mazur" else here
    found = run(*command.split(), env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    text = (found.stdout + found.stderr).decode(encoding)
    assert found.returncode == (2 if "nope" in command else 0)
    assert "Traceback" not in text
    assert "\\u" not in text


def test_the_c_locale_will_do(backprop: Run) -> None:
    found = backprop("step", "mazur", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert found.returncode == 0


@pytest.mark.parametrize("columns", [20, 40, 50, 80, 120, 200])
def test_nothing_is_wider_than_the_terminal(here: Run, columns: int) -> None:
    for arguments in (["step", "3-4-2", "--no-check"], ["check", "mazur"], ["doctor"]):
        lines = here(*arguments, env={"COLUMNS": str(columns)}).stdout.decode().splitlines()
        assert max(map(len, lines)) <= max(columns, 20) + (12 if columns == 20 else 0)


@pytest.mark.parametrize(
    "arguments", ["step 3-4-2 --verbose", "step 3-4-2 --plain", "step 3-4-2 --json", "step -h", "-h"]
)
def test_a_closed_pipe_is_no_error(arguments: str) -> None:
    script = "import sys, backprop_cli.__main__ as m; sys.stdin.read(); m.main()"
    command = [sys.executable, "-c", script, *arguments.split()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_message() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "backprop_cli", "step", "mazur"]
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT)
    assert found.returncode == 3
    assert found.stderr == b"Error: cannot write: No space left on device\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_ends_with_130_and_one_line() -> None:
    command = [sys.executable, "-m", "backprop_cli", "step", "64-64-8", "--steps", "100000", "--no-check"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.decode().strip() == "Stopped."


def test_files_are_written_and_not_overwritten_unasked(here: Run, tmp_path: Path) -> None:
    for name, start in (
        ("step.svg", "<svg"),
        ("step.json", '{"schema": "backprop.step/1"'),
        ("step.txt", "Conventions: "),
    ):
        assert here("step", "mazur", "-o", name).stdout == b""
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)
        again = here("step", "mazur", "-o", name)
        assert again.returncode == 2
        assert b"--force" in again.stderr
        assert here("step", "mazur", "-o", name, "--force").returncode == 0


def test_a_problem_from_standard_input(here: Run) -> None:
    for text in (b'net = "mazur"\nlr = 0.25\n', b'{"net": "mazur", "lr": 0.25}'):
        document = json.loads(here("step", "-", "--json", stdin=text).stdout)
        assert document["problem"]["lr"] == 0.25
    assert here("step", "-", stdin=b"net = = 3").returncode == 3


def test_doctor_reports_on_the_installation(backprop: Run) -> None:
    found = backprop("doctor", "--json")
    facts = json.loads(found.stdout)
    assert facts["schema"] == "backprop.doctor/1"
    assert facts["numpy"] == np.__version__
    assert facts["width"] == "80"
    text = backprop("doctor", env={"PYTHONIOENCODING": "gbk", "PYTHONUTF8": "0"}).stdout.decode("gbk")
    assert "glyphs: legacy" in text


def test_plain_from_the_environment(here: Run) -> None:
    for env in ({"BACKPROP_PLAIN": "1"}, {"ACCESSIBLE": "1"}):
        assert here("step", "mazur", env=env).stdout == here("step", "mazur", "--plain").stdout
    assert here("step", "mazur", "--plain", env={"FORCE_COLOR": "1"}).stdout.isascii()


def test_forced_colour_and_no_colour(here: Run) -> None:
    assert b"\x1b[" in here("step", "mazur", env={"FORCE_COLOR": "1"}).stdout
    assert b"\x1b[" in here("step", "mazur", "--color", "always").stdout
    assert b"\x1b" not in here("step", "mazur", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout
    assert b"\x1b" not in here("step", "mazur", "--color", "never", env={"FORCE_COLOR": "1"}).stdout


def test_shell_completion_knows_commands_and_options(backprop: Run) -> None:
    def complete(words: str, place: int) -> str:
        env = {"_BACKPROP_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(place)}
        return backprop(env=env).stdout.decode()

    assert "step" in complete("backprop st", 1)
    assert "--optimizer" in complete("backprop step --opt", 2)
    assert "mazur" in complete("backprop step maz", 2)
    assert "complete -o" in backprop(env={"_BACKPROP_COMPLETE": "bash_source"}).stdout.decode()


def test_a_bug_of_ours_is_told_without_a_traceback() -> None:
    script = """
import sys, backprop_cli.api
sys.argv = ["backprop", "step", "3-4-2"]
backprop_cli.api.load = lambda *a, **k: 1 / 0
from backprop_cli.__main__ import main
main()
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, text=True)
    assert found.returncode == 1
    assert "Traceback" not in found.stderr
    assert "this is a bug in backprop" in found.stderr
    debug = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        cwd=ROOT,
        text=True,
        env={**os.environ, "BACKPROP_DEBUG": "1"},
    )
    assert "Traceback" in debug.stderr


def test_no_network_is_ever_used(tmp_path: Path) -> None:
    script = """
import socket
def refuse(*a, **k): raise SystemExit(9)
socket.socket = socket.create_connection = refuse
from backprop_cli.cli import run
raise SystemExit(run(["step", "3-4-2"]) or run(["check", "mazur"]) or run(["doctor"]))
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT).returncode == 0
