"""README is true: every command it shows is run, and its example of the Python interface gives what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Run

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in SHELL[2:]
    for line in block.splitlines()
    if line.startswith("backprop")
] + re.findall(r"^\|.*\| `(backprop .*?)` \|$", TEXT, re.MULTILINE)


def test_the_first_two_blocks_set_up_and_run_and_set_up_and_test() -> None:
    run, test = (block.strip() for block in SHELL[:2])
    assert "\n" not in run
    assert "\n" not in test
    assert run.endswith("backprop step --net 3-4-2")
    assert "pytest" in test
    assert test in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def write_data(folder: Path) -> None:
    """The files that the commands speak of, small and without sense."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 28, 28), np.uint8), rng.integers(0, 10, 40)
    np.savez(folder / "mnist.npz", x_train=images[:30], y_train=labels[:30], x_test=images[30:], y_test=labels[30:])
    (folder / "cifar-10-batches-bin").mkdir()
    for name in ("data_batch_1.bin", "test_batch.bin"):
        rows = np.hstack([rng.integers(0, 10, (10, 1)), rng.integers(0, 256, (10, 3072))])
        (folder / "cifar-10-batches-bin" / name).write_bytes(rows.astype(np.uint8).tobytes())
    table = [",".join("abcdefgh") + ",yes", *(",".join(map(str, row)) for row in rng.integers(0, 2, (40, 9)))]
    (folder / "table.csv").write_text("\n".join(table))
    (folder / "book.txt").write_text("the cat sat on the mat and the dog sat on the log. " * 20)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shown_runs(here: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "problem.toml").write_text('net = "mazur"\n')
    (tmp_path / "class.csv").write_text("name\nAda\nGrace\n")
    (tmp_path / "answers.txt").write_text("dz1 = [0.0087, 0.00995]\n")
    if "week3/keys" in command:
        here("exercise", "new", "--net", "3-4-2", "-o", "week3")
    if "--data" in command:
        write_data(tmp_path)
    left, _, pipe = command.partition(" | ")
    found = here(*shlex.split(left)[1:])
    assert found.returncode == 0, found.stderr.decode()
    assert found.stdout or " -o " in left
    assert not pipe or pipe.startswith("head")


def test_there_are_commands_to_run() -> None:
    assert len(COMMANDS) >= 40
    assert re.findall(r"^\| (S\d+) \|", TEXT, re.MULTILINE) == [f"S{number}" for number in range(1, 15)]


def test_the_python_example_gives_what_it_says() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(block.split("\n\n")) <= 2 and len(list(filter(None, block.splitlines()))) == 5
    namespace: dict[str, Any] = {}
    exec(block, namespace)
    for expression, value in re.findall(r"^(t\[.*?\]|t\.replay.*?)\s+# (\S+)", block, re.MULTILINE):
        assert eval(expression, namespace) == pytest.approx(float(value), rel=1e-4)


def test_the_picture_is_the_program_s_own_and_up_to_date(backprop: Run, tmp_path: Path) -> None:
    (name,) = re.findall(r"!\[.*?\]\((.*?\.svg)\)", TEXT)
    made = re.search(r"`(backprop step [^`]* -o )", TEXT)
    assert made
    backprop(*shlex.split(made[1])[1:], "picture.svg")

    def drawn(path: Path) -> str:
        svg = path.read_text(encoding="utf-8")
        return re.sub(r"terminal-\d+|\d\.\de[-+]\d+", "…", svg)  # ids, and errors that are mere rounding

    assert drawn(tmp_path / "picture.svg") == drawn(ROOT / name)
