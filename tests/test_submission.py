"""Filled sheets as they come in: every form is read alike, what is hostile or broken is told, and nothing leaks."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backprop_cli.errors import InputError
from backprop_cli.grading.cells import SHOWN, read_cell
from backprop_cli.grading.explain import explained
from backprop_cli.grading.key import Key, half_unit, read_key
from backprop_cli.grading.result import LEVELS, Result, Reveal, grade
from backprop_cli.grading.simulate import errors_of, filled
from backprop_cli.grading.submission import read_sheet
from backprop_cli.render import plain

Marked = list[tuple[str, str, float, str, str | None, str]]

PROBLEM = """
lr = 0.5
net = "{net}"
activation = "sigmoid"
loss = "half_sse"
x = {x}
y = {y}
frozen = ["b1", "b2"]

[params]
W1 = [[0.15, 0.2], [0.25, 0.3]]
b1 = [0.35, 0.35]
W2 = {W2}
b2 = {b2}
"""
MAZUR = {
    "net": "2-2-2",
    "x": "[[0.05, 0.1]]",
    "y": "[[0.01, 0.99]]",
    "W2": "[[0.4, 0.45], [0.5, 0.55]]",
    "b2": "[0.6, 0.6]",
}
BATCH = {
    "net": "2-2-1",
    "x": "[[0.05, 0.1], [0.3, 0.7], [0.9, 0.2]]",
    "y": "[[0.01], [0.99], [0.5]]",
    "W2": "[[0.4, 0.45]]",
    "b2": "[0.6]",
}
KEY = PROBLEM.format(**MAZUR)
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NO_NUMBER = "not a number; write it like 0.37, -1.2e-5 or 3/8"


@cache
def mazur() -> Key:
    return read_key("mazur")


def key_file(folder: Path, ask: str = '"all"', sheet: str = "ada", problem: str = KEY) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / f"{sheet}.toml"
    path.write_text(f'{problem}\n[sheet]\nid = "{sheet}"\ndigits = 4\nask = [{ask}]\n')
    return str(path)


def mark(text: str, name: str = "answers.txt", key: Key | None = None) -> Result:
    return grade(key or mazur(), read_sheet(text, name, key or mazur()))


def marks(text: str, name: str = "answers.txt", key: Key | None = None) -> Marked:
    return [(i.address, i.status, i.points, i.given, i.mistake, i.note) for i in mark(text, name, key).items]


def statuses(text: str, name: str = "answers.txt", key: Key | None = None) -> dict[str, str]:
    return {item.address: item.status for item in mark(text, name, key).items}


def said(blocks: Iterable[Any]) -> str:
    return "\n".join(line for block in blocks for line in plain.lines(block))


# --- every form ------------------------------------------------------------------------------------------------------

ANSWERS = {
    "z1[1]": "0.3775", "z1[2]": "0.3925", "a1[1]": "0.59327", "a1[2]": "abc", "a2[1]": "0.751365", "a2[2]": "0.772928",
    "L": "?", "delta2[1]": "0.741365", "delta2[2]": "-0.217072",
    "dW1[1,1]": "0.000438568", "dW1[1,2]": "0.000877135", "dW1[2,1]": "?", "dW1[2,2]": "9.95425e-4",
    "W1_new[1,2]": "0.123",
}  # fmt: skip
STATUSES = dict.fromkeys(ANSWERS, "correct") | {
    "a1[2]": "invalid", "L": "blank", "delta2[1]": "wrong", "delta2[2]": "carried", "dW1[2,1]": "blank",
    "W1_new[1,2]": "wrong",
}  # fmt: skip
QUOTED = {name: f'"{name}"' if "," in name else name for name in ANSWERS}


def each(form: str) -> str:
    return "\n".join(form.format(name=name, value=value) for name, value in ANSWERS.items())


FORMS = {
    "lines": ("a.txt", each("{name} = {value}")),
    "lines with colons": ("a.txt", each("{name}: {value}")),
    "lines of a list": ("a.md", each("- `{name}`: {value}")),
    "lines of another list": ("a.md", each("  * {name} = {value}")),
    "lines of a quotation": ("a.txt", each("> {name} = {value}")),
    "full-width signs": ("a.txt", each("{name}＝{value}")),
    "quoted names": ("a.toml", each('"{name}" = "{value}"')),
    "blanks before an index": ("a.txt", each("{name} = {value}").replace("[", " [")),
    "arithmetic": ("a.txt", each("{name} = 0.1*1 + 0.1 = {value}")),
    "remarks": ("a.toml", "# what I did\n" + each('{name} = "{value}"  # [1], see = there')),
    "trailing signs": ("a.txt", each("{name} = {value},")),
    "Windows line ends": ("a.txt", each("{name} = {value}").replace("\n", "\r\n")),
    "signs of the whiteboard": (
        "a.txt",
        each("{name} = {value}")
        .replace("delta2", "δ₂")
        .replace("dW1", "∂L/∂W₁")
        .replace("W1_new", "W₁′")
        .replace("z1[1]", "z₁[1]"),
    ),
    "names of the program": ("a.txt", each("{name} = {value}").replace("delta2", "dz2")),
    "TOML": (
        "a.toml",
        """
sheet = "any"
student = "Ada"

[answers]
z1 = ["0.3775", '0.3925']
a1 = [0.59327, "abc"]
a2 = [
  0.751365,  # the first
  0.772928,
]
L = ""
delta2 = [[0.741365], [-0.217072]]
dW1 = [
  ["0.000438568", "0.000877135"],
  ["", "9.95425e-4"],
]
W1_new = [["", 0.123], ["", ""]]
""",
    ),
    "lists": (
        "a.txt",
        """z1 = [0.3775 0.3925]
a1 = [0.59327; abc]
* a2 = [0.751365,
        0.772928]
L =
delta2: [[0.741365, -0.217072]]
dW1 = [[0.000438568, 0.000877135], [, 9.95425e-4]]
W1_new[1,2] = .123
""",
    ),
    "JSON": (
        "a.json",
        """{"student": "Ada", "z1": [0.3775, 0.3925], "answers": {"a1": [0.59327, "abc"], "a2": [0.751365, 0.772928],
        "L": null, "delta2": [0.741365, -0.217072], "dW1": [[0.000438568, 0.000877135], ["", 9.95425e-4]]},
        "W1_new[1,2]": 0.123}""",
    ),
    "flat JSON": ("a.json", json.dumps(ANSWERS)),
    "CSV": ("a.csv", "address,answer\n" + "\n".join(f"{QUOTED[name]},{ANSWERS[name]}" for name in ANSWERS)),
    "CSV without a head": ("a.csv", "\n".join(f"{QUOTED[name]},{ANSWERS[name]}" for name in ANSWERS)),
    "CSV with semicolons": ("a.csv", "address;answer\n" + each("{name};{value}")),
    "CSV with tabs": ("a.csv", "address\tanswer\n" + each("{name}\t{value}")),
    "CSV with a third column": (
        "a.csv",
        "address,answer,remark\n" + "\n".join(f'{QUOTED[name]},{ANSWERS[name]},"so, so"' for name in ANSWERS),
    ),
    "a table of addresses": ("a.md", "# Mine\n\n| box | number |\n|:---|---:|\n" + each("| `{name}` | **{value}** |")),
    "tables": (
        "a.md",
        """
|  | 1 | 2 |
|---|---|---|
| z1 | 0.3775 | 0.3925 |
| a1 | 0.59327 | abc |
| a2 | 0.751365 | 0.772928 |
| delta2 | 0.741365 | -0.217072 |

|  | L |
|---|---|
| L | ? |

Then the gradients:

| dW1 | 1 | 2 |
|---|---|---|
| 1 | 0.000438568 | 0.000877135 |
| 2 | ? | 9.95425e-4 |

| W1_new | 1 | 2 |
| - | - | - |
| 1 |  | 0.123 |
""",
    ),
}


@pytest.mark.parametrize(
    "form",
    FORMS,
)
def test_the_same_answers_get_the_same_marks_in_every_form(form: str) -> None:
    name, text = FORMS[form]
    found = {
        address: (status, points, read_cell(typed).value if status != "blank" else None, mistake, note)
        for address, status, points, typed, mistake, note in marks(text, name)
        if status != "blank" or address in ANSWERS
    }
    first = {
        address: (status, points, read_cell(typed).value if status != "blank" else None, mistake, note)
        for address, status, points, typed, mistake, note in marks(FORMS["lines"][1], "a.txt")
    }
    assert {address: found[0] for address, found in first.items()} == STATUSES
    assert str(found) == str(first)


def test_the_mistake_is_named_and_costs_one_box() -> None:
    result = mark(each("{name} = {value}"))
    lost = {item.address: item.mistake for item in result.items if item.status == "wrong"}
    assert lost == {"delta2[1]": "no_sigma_prime", "W1_new[1,2]": None}
    assert (result.score, result.most) == (9, 14)


@pytest.mark.parametrize("text", ["z1[1] = 0.1*1 + 0.1 = 0.3775", "z1[1] = 0.3 + 0.07 ≈ 0.3775", "z1[1] = = 0.3775"])
def test_what_stands_behind_the_last_sign_of_equality_counts(text: str) -> None:
    assert marks(text) == [("z1[1]", "correct", 1.0, "0.3775", None, "")]


@pytest.mark.parametrize(
    "text",
    [
        "z1 = [0.3775, 0.3925]",
        "z1 = [[0.3775, 0.3925]]",
        "z1 = [[0.3775], [0.3925]]",
        "z1 = [[[0.3775, 0.3925]]]",
        "z1 = [0.3775, 0.3925,]",
        "z1 = [0.3775，0.3925]",
        "z1 = [\n\n  0.3775,\n  # between\n  0.3925\n]",
        "z1 = ['0.3775', \"0.3925\"] # the two of them",
        "z1[1] = 0.3775\nz1[2] = 0.3925",
        "z1[1,1] = 0.3775\nz1[1;2] = 0.3925",
        "Z1 = none\nz1 = [0.3775, 0.3925]",
        "The first layer:\n\nz1 = [0.3775, 0.3925]\n\nand no more",
    ],
)
def test_a_list_may_be_written_in_many_ways(text: str) -> None:
    assert statuses(text) == {"z1[1]": "correct", "z1[2]": "correct"}


@pytest.mark.parametrize(
    "blank",
    [
        "",
        "  ",
        "-",
        *("?", "_", "...", "…", "—", "–", "___"),
        "？",
        "−",
    ],
)
def test_a_box_may_be_left_blank(blank: str) -> None:
    assert read_cell(blank).blank
    assert statuses(json.dumps({"z1": [blank, 0.3925]}), "a.json") == {"z1[1]": "blank", "z1[2]": "correct"}


def test_a_box_left_out_between_commas_is_blank() -> None:
    assert statuses("z1 = [, 0.3925]") == {"z1[1]": "blank", "z1[2]": "correct"}
    assert statuses("dW1 = [[0.000438568, ?], [, 0.000995425]]") == {
        "dW1[1,1]": "correct", "dW1[1,2]": "blank", "dW1[2,1]": "blank", "dW1[2,2]": "correct",
    }  # fmt: skip


@pytest.fixture
def batch(tmp_path: Path) -> Key:
    return read_key(key_file(tmp_path / "batch", '"z1"', "batch", PROBLEM.format(**BATCH)))


def written(value: Any) -> str:
    return json.dumps(np.round(value, 8).tolist())


@pytest.mark.parametrize(
    "form",
    [
        lambda z: f"z1 = {written(z)}",
        lambda z: "\n".join(f"z1[{n + 1};{i + 1}] = {z[n, i]:.6g}" for n, i in np.ndindex(3, 2)),
        lambda z: "\n".join(f"z1[{n + 1},{i + 1}]: {z[n, i]:.6g}" for n, i in np.ndindex(3, 2)),
        lambda z: "|z1|1|2|\n|--|--|--|\n" + "\n".join(f"|{n + 1}|{z[n, 0]:.6g}|{z[n, 1]:.6g}|" for n in range(3)),
    ],
    ids=["a list", "the sample first", "commas", "a table"],
)
def test_a_batch_has_a_row_for_each_sample(batch: Key, form: Callable[[Any], str]) -> None:
    text = form(batch.values["z1"])
    assert statuses(text, "a.md", batch) == {f"z1[{n};{i}]": "correct" for n in (1, 2, 3) for i in (1, 2)}


def test_rows_for_columns_are_right_and_told(batch: Key) -> None:
    result = mark(f"z1 = {written(batch.values['z1'].T)}", key=batch)
    assert result.score == result.most == 6
    assert result.remarks == ("z1 has rows for columns; that is a convention.",)


@pytest.mark.parametrize("answer", ["0.298371", "[0.298371]"])
def test_the_loss_is_one_number(answer: str) -> None:
    assert statuses(f"L = {answer}") == {"L": "correct"}


def test_only_what_is_there_is_marked_of_a_bare_problem() -> None:
    assert list(statuses("z1[2] = 0.3925\ndW1 = [[0.000438568, ?], [?, ?]]")) == [
        "z1[2]", "dW1[1,1]", "dW1[1,2]", "dW1[2,1]", "dW1[2,2]",
    ]  # fmt: skip


def test_what_a_key_asks_for_is_blank_if_it_is_not_there(tmp_path: Path) -> None:
    key = read_key(key_file(tmp_path, '"dz1", "dW1[1,2]", "L"'))
    found = marks("delta1[2] = 0.009954", key=key)
    assert found == [
        ("L", "blank", 0.0, "", None, ""),
        ("delta1[1]", "blank", 0.0, "", None, ""),
        ("delta1[2]", "correct", 1.0, "0.009954", None, ""),
        ("dW1[1,2]", "blank", 0.0, "", None, ""),
    ]
    assert {item[1] for item in marks("", key=key)} == {"blank"}


def test_what_is_given_on_a_printed_sheet_earns_nothing(here: Run, tmp_path: Path) -> None:
    made = here("exercise", "new", "mazur", "--as-is", "--ask", "dz1,dW1", "--format", "md", "-o", "made")
    assert made.returncode == 0, made.stderr
    found = json.loads(here("grade", "made/print/sheet.md", "--key", "made/keys", "--json").stdout)
    assert (found["score"], found["max"]) == (0, 6)


@pytest.mark.parametrize("form", ["toml", "csv"])
def test_a_sheet_as_it_was_handed_out_is_blank(here: Run, form: str) -> None:
    made = here("exercise", "new", "mazur", "--as-is", "--ask", "dz1,dW1", "--format", form, "-o", "made")
    assert made.returncode == 0, made.stderr
    found = json.loads(here("grade", f"made/sheets/sheet.{form}", "--key", "made/keys", "--json").stdout)
    assert [item["status"] for item in found["items"]] == ["blank"] * 6


def test_the_head_of_a_csv_sheet_is_passed_over_in_silence() -> None:
    assert mark("address,answer\nsheet,5a0b5b51\nz1[1],0.3775\n", "a.csv").remarks == ()


# --- numbers as they are typed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "half"),
    [
        ("0.5", 0.5, 0.05),
        (".5", 0.5, 0.05),
        ("0.50", 0.5, 0.005),
        ("5e-1", 0.5, 0.05),
        ("50e-2", 0.5, 0.005),
        ("5.0E-1", 0.5, 0.005),
        ("5.", 5, 0.5),
        ("500", 500, 0.5),
        ("5e2", 500, 50),
        ("+0.37", 0.37, 0.005),
        ("-1.2e-5", -1.2e-5, 5e-7),
        ("0", 0, 0.5),
        ("3/8", 0.375, 0),
        ("-1/3", -1 / 3, 0),
        ("1e-9999", 0, 0),
        ("0.1234567890123456789", 0.12345678901234568, 5e-20),
    ],
)
def test_how_exact_a_number_is_typed_is_kept(text: str, value: float, half: float) -> None:
    cell = read_cell(text)
    assert (cell.text, cell.fault, cell.note) == (text, "", "")
    assert cell.value == value
    assert cell.half == pytest.approx(half)


@pytest.mark.parametrize(
    ("text", "number"),
    [("−0.3775", "-0.3775"), ("０．３７７５", "0.3775"), ("–1.2e−5", "-1.2e-5"), ("＋３／８", "+3/8"), ("１", "1")],
)
def test_signs_of_a_printed_page_are_read_with_a_note(text: str, number: str) -> None:
    cell, same = read_cell(text), read_cell(number)
    assert (cell.text, cell.value, cell.half, cell.fault) == (text, same.value, same.half, "")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("−0.3775", "-0.3775"),
        ("０．３７７５", "0.3775"),
        ("３／８", "3/8"),
    ],
)
def test_the_note_says_what_was_read(text: str, number: str) -> None:
    assert read_cell(text).note == f"read as {number}"
    (item,) = mark(f"a2[1] = {text}").items
    assert item.given == text
    assert item.note.endswith(f"read as {number}")


FLOATS = ["0.50", "0.5", "5e-1", "5.0E-1", "0.1234567890123456789", "-0.0", "12345678901234567890"]


@pytest.mark.parametrize("text", FLOATS)
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.toml", "z1 = [{}, 0.3925]"),
        ("a.toml", 'z1 = ["{}", 0.3925]'),
        ("a.json", '{{"z1": [{}, 0.3925]}}'),
        ("a.json", '{{"z1": ["{}", 0.3925]}}'),
        ("a.json", '{{"z1[1]": {}, "z1[2]": 0.3925}}'),
        ("a.csv", "z1[1],{}\nz1[2],0.3925"),
        ("a.md", "| box | is |\n|---|---|\n| z1[1] | {} |\n| z1[2] | 0.3925 |"),
        ("a.txt", "z1[1]: {}\nz1[2] = 0.3925"),
    ],
)
def test_the_digits_are_kept_as_they_were_typed(name: str, form: str, text: str) -> None:
    document = mark(form.format(text), name).document()
    assert [item["given"] for item in document["items"]] == [text, "0.3925"]


def test_a_number_of_one_digit_is_not_enough_where_three_are_asked_for() -> None:
    few, enough = mark("a1[2] = 0.6").items[0], mark("a1[2] = 0.597").items[0]
    assert (few.status, enough.status) == ("wrong", "correct")
    assert few.note == "Right as far as it goes, but that is too few digits to judge; give 3."


# --- bad boxes -------------------------------------------------------------------------------------------------------

NO_NUMBERS = {
    "NaN": "not a number that can be marked",
    "-nan": "not a number that can be marked",
    "Infinity": "not a number that can be marked",
    "-inf": "not a number that can be marked",
    "∞": "not a number that can be marked",
    "1e999": "larger than any number of a computer",
    "-1e9999": "larger than any number of a computer",
    "1/0": "it divides by 0",
    "9" * 5000: "a number by hand has at most 40 characters; this has 5000",
    "0." + "3" * 39: "a number by hand has at most 40 characters; this has 41",
    "1_000": "leave the underscores out: 1000, not 1_000",
    "0_3.5": "leave the underscores out: 1000, not 1_000",
    "0,3775": "write a point, not a comma: 0.3775",
    "-1,5e-3": "write a point, not a comma: -1.5e-3",
    "٠.٣٧٧٥": "write the digits as 0 to 9",
    "۳": "write the digits as 0 to 9",
    "०.५": "write the digits as 0 to 9",
    "=1+1": "a formula of a spreadsheet; write the number it comes to",
    "@SUM(A1)": "a formula of a spreadsheet; write the number it comes to",
    "+cmd|' /C calc'!A0": "a formula of a spreadsheet; write the number it comes to",
    "-A1": "a formula of a spreadsheet; write the number it comes to",
    '=HYPERLINK("http://x")': "a formula of a spreadsheet; write the number it comes to",
    "abc": NO_NUMBER,
    "0x1F": NO_NUMBER,
    "1 000": NO_NUMBER,
    "--1": NO_NUMBER,
    "1.2.3": NO_NUMBER,
    ".": NO_NUMBER,
    "e5": NO_NUMBER,
    "true": NO_NUMBER,
    "__import__('os')": NO_NUMBER,
    "2**9": NO_NUMBER,
    "[red]0.3775[/red]": NO_NUMBER,
    "\x1b[31m0.3775": NO_NUMBER,
    "\u202e0.3775": NO_NUMBER,
    "\0": NO_NUMBER,
}


@pytest.mark.parametrize("text", NO_NUMBERS, ids=lambda text: ascii(text)[:20])
def test_what_is_no_number_is_told_and_blocks_only_itself(text: str) -> None:
    cell = read_cell(text)
    assert (math.isnan(cell.value), cell.fault) == (True, NO_NUMBERS[text])
    sheet = json.dumps({"z1": [text, 0.3925], "a1[1]": text, "a1[2]": 0.596884})
    found = [(address, status, typed, note) for address, status, _, typed, _, note in marks(sheet, "a.json")]
    told = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    assert found == [
        ("z1[1]", "invalid", told, NO_NUMBERS[text]),
        ("z1[2]", "correct", "0.3925", ""),
        ("a1[1]", "invalid", told, NO_NUMBERS[text]),
        ("a1[2]", "correct", "0.596884", ""),
    ]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "true", "false"])
def test_what_json_has_besides_numbers_is_no_number(text: str) -> None:
    found = marks(f'{{"z1": [{text}, 0.3925]}}', "a.json")
    assert [(status, typed) for _, status, _, typed, _, _ in found] == [
        ("invalid", text if len(text) <= SHOWN else f"{text[:SHOWN]}…"),
        ("correct", "0.3925"),
    ]


def test_csv_cells_that_begin_a_formula_are_told_so(here: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "address,answer\nz1[1],=1+1\nz1[2],@SUM(A1)\na1[1],\"+cmd|' /C calc'!A0\"\na1[2],0.596884\n"
    )
    found = here("grade", "a.csv", "--key", "mazur")
    text = " ".join(found.stdout.decode().split())
    assert found.returncode == 0
    assert "1 of 4 points" in text
    assert text.count("a formula of a spreadsheet; write the number it comes to") == 2


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        ("z1", ["0.1"] * 10_000, "here: a list of 10000; asked for: a list of 2"),
        ("z1", [["0.1"] * 100] * 100, "here: a list of 100 × 100; asked for: a list of 2"),
        ("z1", ["0.3775"], "here: a list of 1; asked for: a list of 2"),
        ("z1", [], "here: a list of 0; asked for: a list of 2"),
        ("z1", "0.3775", "here: one number; asked for: a list of 2"),
        ("dW1", [["0.1", "0.2"], ["0.3"]], "here: rows of different lengths; asked for: a list of 2 × 2"),
        ("dW1", [["0.1", "0.2"], "0.3"], "here: rows of different lengths; asked for: a list of 2 × 2"),
        ("dW1", ["0.1", "0.2", "0.3", "0.4"], "here: a list of 4; asked for: a list of 2 × 2"),
        ("dW1", [[["0.1", "0.2"]]] * 3, "here: a list of 3 × 1 × 2; asked for: a list of 2 × 2"),
        ("z1", [[], []], "here: a list of 2 × 0; asked for: a list of 2"),
        ("z1", [["0.1", "0.2"], "0.3"], "here: rows of different lengths; asked for: a list of 2"),
        ("z1", ["0.3775", []], "here: rows of different lengths; asked for: a list of 2"),
    ],
)
def test_of_a_list_of_another_shape_nothing_is_read(name: str, answer: Any, told: str) -> None:
    wanted = {"z1": ["z1[1]", "z1[2]"], "dW1": ["dW1[1,1]", "dW1[1,2]", "dW1[2,1]", "dW1[2,2]"]}[name]
    as_json = json.dumps({name: answer, "a1": [0.59327, 0.596884]})
    as_lines = f"{name} = {json.dumps(answer)}\na1 = [0.59327, 0.596884]"
    for found in (mark(as_json, "a.json"), mark(as_lines, "a.txt")):
        status = {item.address: item.status for item in found.items}
        assert status == dict.fromkeys(wanted, "invalid") | {"a1[1]": "correct", "a1[2]": "correct"}
        assert all(item.note.startswith(told) for item in found.items if item.status == "invalid")


def test_a_list_in_one_box_blocks_only_that_box() -> None:
    assert statuses("z1[1] = [0.3775, 0.1]\nz1[2] = 0.3925") == {"z1[1]": "invalid", "z1[2]": "correct"}


@pytest.mark.parametrize("deep", [10, 3000])
def test_brackets_within_brackets_are_no_list_of_ours(deep: int) -> None:
    text = f"dz1 = {'[' * deep}0.1{']' * deep}\nz1 = [0.3775, 0.3925]"
    assert statuses(text) == {
        "z1[1]": "correct", "z1[2]": "correct", "delta1[1]": "invalid", "delta1[2]": "invalid",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("z1 = [0.3775, 0.3925]\nfoo = 3", "a.txt", "foo"),
        ("z1 = [0.3775, 0.3925]\nz1[3] = 1\nz9 = [1, 2]\nz1[0] = 1", "a.txt", "z1[3], z9, z1[0]"),
        ('{"z1": [0.3775, 0.3925], "a": {"": 1, "W7": [1]}}', "a.json", ", W7"),
        ("z1[1],0.3775\nz1[2],0.3925\nz1[x],1\n", "a.csv", "z1[x]"),
        ("|box|is|\n|--|--|\n|z1[1]|0.3775|\n|z1[2]|0.3925|\n|what|5|", "a.md", "what"),
        ("z1 = [0.3775, 0.3925]\n" + "\n".join(f"u{n} = 1" for n in range(99)), "a.txt", "u0, u1, u2, u3, u4"),
        ("z1 = [0.3775, 0.3925]\n" + "u" * 99 + " = 1", "a.txt", "u" * 30),
    ],
)
def test_names_that_nobody_knows_are_passed_over_and_told(text: str, name: str, told: str) -> None:
    result = mark(text, name)
    assert {item.address: item.status for item in result.items} == {"z1[1]": "correct", "z1[2]": "correct"}
    assert result.remarks == (f"Passed over, for the sheet has no such box: {told}",)


def test_what_is_nested_too_deeply_to_be_read_is_told() -> None:
    result = mark('{"answers": {"layer1": {"z1": [0.3775, 0.3925]}}}', "a.json")
    assert result.items or result.remarks


@pytest.mark.parametrize(
    "text",
    [
        "z1 = [0.3775, 0.3925]  # see [1",
        "z1[1] = 0.3775  # see [1",
        "z1[1] = 0.3775 (page [3)",
        "Note: see [1",
        "Student: Ada [second try",
        'z1 = ["0.3775", "[0.3925"]',
    ],
)
def test_a_bracket_in_a_remark_takes_nothing_from_what_follows(text: str) -> None:
    found = statuses(f"{text}\na1 = [0.59327, 0.596884]")
    assert (found.get("a1[1]"), found.get("a1[2]")) == ("correct", "correct")


@pytest.mark.parametrize("name", ["W₁′", "W1_new", "W1'"])
def test_a_prime_means_the_new_weights(name: str) -> None:
    assert next(iter(statuses(f"{name} = [[0.14978, 0.19956], [0.24975, 0.2995]]"))) == "W1_new[1,1]"
    assert list(statuses(f"{name}[1,2] = 0.19956")) == ["W1_new[1,2]"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_an_address_with_a_comma_does_not_part_the_columns(separator: str) -> None:
    text = f"dW1[1,1]{separator}0.000438568\nz1[1]{separator}0.3775\n"
    assert statuses(text, "a.csv") == {"z1[1]": "correct", "dW1[1,1]": "correct"}


def test_an_empty_last_cell_harms_no_other_of_its_row() -> None:
    found = statuses("|dW1|1|2|\n|-|-|-|\n|1|0.000438568||\n|2|0.000497713|0.000995425|", "a.md")
    assert found["dW1[1,1]"] == "correct"


def test_a_bracket_that_is_never_closed_is_found_soon() -> None:
    begun = time.perf_counter()
    with pytest.raises(InputError, match=r"^a\.txt:1: a bracket is not closed"):
        read_sheet("z1 = [\n" + "0.12345678,\n" * 12_000, "a.txt", mazur())
    assert time.perf_counter() - begun < 0.25


# --- bad files -------------------------------------------------------------------------------------------------------

BAD_FILES = {
    "not UTF-8": ("a.txt", b"z1 = \xff\xfe", "a.txt: not UTF-8 text (byte 5); save it as UTF-8"),
    "UTF-16": ("a.csv", "z1[1],0.3775".encode("utf-16"), "a.csv: not UTF-8 text (byte 0); save it as UTF-8"),
    "null bytes": ("a.txt", b"z1 = [0.3775, 0.3925]\0", "a.txt: not a text file"),
    "null bytes in CSV": ("a.csv", b"z1[1],\0000.3775\n", "a.csv: not a text file"),
    "no JSON": ("a.json", b'{\n"z1": [0.1,]}', "a.json:2: not valid JSON: "),
    "empty JSON": ("a.json", b"", "a.json:1: not valid JSON: "),
    "a list as JSON": ("a.json", b"[1, 2]", 'a.json: expected an object such as {"dz1": [0.1, 0.2]}'),
    "a number as JSON": ("a.json", b"1", "a.json: expected an object"),
    "deep JSON": ("a.json", b'{"z1": ' + b"[" * 99999 + b"]" * 99999 + b"}", "a.json: nested too deeply"),
    "an open bracket": ("a.toml", b"L = 0.3\nz1 = [0.3775,\n  0.3925\n", "a.toml:2: a bracket is not closed"),
    "a cell beyond measure": ("a.csv", b"z1[1]," + b"1" * 140_000, "a.csv: not valid CSV: field larger"),
    "twice in lines": ("a.txt", b"z1[1] = 1\n\nz1[1] = 1\n", "a.txt:3: z1[1] is given twice"),
    "twice in TOML": ("a.toml", b"[answers]\nz1 = [1, 2]\nz1 = [1, 2]\n", "a.toml:3: z1[1] is given twice"),
    "twice by two names": ("a.toml", b"dz1 = [1, 2]\n\ndelta1[2] = 2\n", "a.toml:3: delta1[2] is given twice"),
    "twice in CSV": ("a.csv", b"z1[1],1\nz1[2],1\nz1[1],1\n", "a.csv:3: z1[1] is given twice"),
    "twice in a table": ("a.md", b"|a|b|\n|-|-|\n|L|1|\n|L|1|\n", "a.md:4: L is given twice"),
    "twice in JSON": ("a.json", b'{\n"z1": [1, 2],\n"z1": [1, 2]}', "a.json:3: 'z1' is given twice"),
    "twice in JSON by two names": ("a.json", b'{"dz1": [1, 2],\n"delta1[1]": 1}', "a.json:2: delta1[1] is given twice"),
    "twice in two tables": ("a.json", b'{"L": 1, "answers": {"L": 1}}', "a.json:1: L is given twice"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_read_is_one_message_and_exit_code_3(here: Run, tmp_path: Path, case: str) -> None:
    name, content, told = BAD_FILES[case]
    (tmp_path / name).write_bytes(content)
    found = here("grade", name, "--key", "mazur")
    error = found.stderr.decode()
    assert (found.returncode, found.stdout) == (3, b"")
    assert error.startswith(f"Error: {told}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("text", ['{\n"z1": [1, 2],\n"z1": [1, 2]}', '{"dz1": [1, 2],\n\n"delta1[1]": 1}'])
def test_the_line_is_told_in_json_too(text: str) -> None:
    with pytest.raises(InputError, match=r"a\.json:3: .* is given twice"):
        read_sheet(text, "a.json", mazur())


def test_lists_of_many_levels_are_an_error_of_the_file_or_of_the_box() -> None:
    text = f'{{"z1": {"[" * 900}1{"]" * 900}, "L": 0.298371}}'
    try:
        assert statuses(text, "a.json") == {"z1[1]": "invalid", "z1[2]": "invalid", "L": "correct"}
    except InputError as error:
        assert str(error) == "a.json: nested too deeply"
    except RecursionError:
        pytest.fail("RecursionError")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["no.txt", "--key", "mazur"], 3, "no.txt: cannot be read: No such file or directory"),
        (["a.txt", "--key", "no.toml"], 3, "no.toml: cannot be read: No such file or directory"),
        (["empty", "--key", "mazur"], 3, "empty: there are no filled sheets in this folder"),
        (["a.txt", "--key", "empty"], 3, "empty: there are no keys in this folder"),
        (["a.txt", "--key", "mozart"], 2, "unknown preset 'mozart'"),
        (["a.txt"], 2, "Missing option '--key'"),
        (["--key", "mazur"], 2, "Missing argument"),
        (["a.txt", "--key", "mazur", "--box", "z1[1]"], 2, "--box goes with --explain"),
        (["a.txt", "--key", "mazur", "--explain", "--box", "q7"], 2, "unknown value 'q7'"),
        (["a.txt", "--key", "mazur", "--fail-below", "101"], 2, "101"),
        (["a.txt", "--key", "mazur", "--reveal", "everything"], 2, "everything"),
        (["a.txt", "a.txt", "--key", "mazur", "--watch"], 2, "--watch looks at one file"),
        (["a.txt", "--key", "mazur", "--watch", "--json"], 2, "--watch looks at one file"),
    ],
)
def test_what_cannot_be_done_is_told(here: Run, tmp_path: Path, arguments: list[str], code: int, told: str) -> None:
    (tmp_path / "a.txt").write_text("z1[1] = 0.3775")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.docx").write_text("")
    found = here("grade", *arguments)
    assert found.returncode == code
    assert told in found.stderr.decode()


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "hello world\n", "foo = 3\n"])
def test_a_sheet_without_answers_does_not_pass(text: str) -> None:
    try:
        assert mark(text).status != "pass"
    except InputError:
        return


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_sheet_is_blank_all_over_if_there_is_a_key(here: Run, tmp_path: Path, content: bytes) -> None:
    key_file(tmp_path / "keys", '"z1", "L"')
    (tmp_path / "a.txt").write_bytes(content)
    found = here("grade", "a.txt", "--key", "keys", "--json", "--fail-below", "50")
    assert found.returncode == 1
    assert {item["status"] for item in json.loads(found.stdout)["items"]} == {"blank"}


def test_a_sheet_is_marked_by_its_own_key_and_no_other(here: Run, tmp_path: Path) -> None:
    ada, bob = (key_file(tmp_path / "keys", '"z1"', name) for name in ("ada", "bob"))
    for name in ("ada", "bob", "carol"):
        (tmp_path / f"{name}.toml").write_text(f'sheet = "{name}"\nz1 = [0.3775, 0.3925]\n')
    assert here("grade", "ada.toml", "bob.toml", "--key", "keys").returncode == 0
    assert here("grade", "bob.toml", "--key", bob).returncode == 0
    other = here("grade", "bob.toml", "--key", ada)
    assert other.returncode == 3
    assert "this is sheet bob, but the key is that of sheet ada" in other.stdout.decode()
    nobody = here("grade", "carol.toml", "--key", "keys")
    assert nobody.returncode == 2
    assert "carol.toml: no key is that of sheet 'carol'; there are 2 keys" in nobody.stderr.decode()


def test_a_sheet_without_a_key_is_not_told_as_another_s(here: Run, tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        key_file(tmp_path / "keys", '"z1"', name)
    for name in ("bob", "carol"):
        (tmp_path / f"{name}.toml").write_text(f'sheet = "{name}"\nz1 = [0.3775, 0.3925]\n')
    found = json.loads(here("grade", "bob.toml", "carol.toml", "--key", "keys", "--json").stdout)
    assert found["grades"][1]["sheet"] != "ada"


@pytest.mark.parametrize("text", ["z1 = [0.3775, 0.3925]\n", '{"z1": [0.3775, 0.3925]}', "\ufeffz1[1] = 0.3775\n"])
def test_a_sheet_may_come_through_a_pipe(here: Run, text: str) -> None:
    found = json.loads(here("grade", "-", "--key", "mazur", "--json", stdin=text.encode()).stdout)
    assert (found["submission"], found["status"]) == ("-", "pass")
    assert found["score"] >= 1


# --- what would steer a terminal -------------------------------------------------------------------------------------

HOSTILE = [
    "\x1b[31mpwn",
    "\x1b]0;pwn\x07",
    "\x9b31mpwn",
    "\x1b]8;;http://x\x1b\\pwn",
    "\u202epwn",
    "\x08\x7f",
    "[red]x[/red]",
]


def hostile_sheets(hostile: str) -> dict[str, str]:
    free = hostile.replace("[", "(").replace("]", ")")
    return {
        "a.json": json.dumps({"student": hostile, hostile: 3, "z1": [hostile, 0.3], f"z1[{hostile}]": 1, "L": hostile}),
        "b.json": json.dumps({"sheet": hostile, hostile: {hostile: 3}, "z1[1]": hostile}, ensure_ascii=False),
        "a.txt": f"{free} = 3\nname = {hostile}\nz1[1] = {hostile}\nL = '{hostile}'\nz1[{free}] = 1",
        "a.csv": f'address,answer\n"{hostile}",3\n"z1[1]","{hostile}"\n"L","{hostile}"',
        "a.md": f"|box|is|\n|--|--|\n|{hostile}|3|\n|z1[1]|{hostile}|\n|L|{hostile}|",
    }


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
@pytest.mark.parametrize("how", [[], ["--plain"], ["--json"], ["--explain"], ["--color", "always"]], ids=" ".join)
def test_nothing_that_is_typed_steers_the_terminal(here: Run, tmp_path: Path, hostile: str, how: list[str]) -> None:
    for name, text in hostile_sheets(hostile).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        found = here("grade", name, "--key", "mazur", *how)
        assert found.returncode == 0, (name, found.stderr)
        text = (found.stdout + found.stderr).decode()
        if "always" in how:
            text = re.sub(r"\x1b\[(0|[1-9][0-9]?(;[0-9]+)*)m(?!pwn)", "", text)
        assert not STEERING.search(text), name
        assert "pwn" in text or "x08" in text or "\\b" in text or "[red]x[/red]" in text, name


def test_names_of_files_and_sheets_steer_nothing_either(here: Run, tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        key_file(tmp_path / "keys", '"z1"', name)
    hostile = "\x1b]0;pwn\x07[red]x\x9b.txt"
    (tmp_path / hostile).write_text("sheet = \x1b[31mpwn\nz1 = [0.3775, 0.3925]")
    runs = [
        here("grade", hostile, "--key", "mazur"),
        here("grade", hostile, hostile, "--key", "mazur"),
        here("grade", hostile, "--key", "mazur", "--json"),
        here("grade", hostile, "--key", "keys"),
        here("grade", hostile, hostile, "--key", "keys"),
        here("grade", hostile, "--key", "keys/ada.toml"),
        here("grade", hostile + "?", "--key", "mazur"),
    ]
    assert [run.returncode for run in runs] == [0, 0, 0, 2, 3, 3, 3]
    for run in runs:
        text = (run.stdout + run.stderr).decode()
        assert not STEERING.search(text)
        assert "pwn" in text


@pytest.mark.parametrize("target", ["a.svg", "a.txt", "a.json"])
def test_half_a_character_can_be_written_to_a_file(here: Run, tmp_path: Path, target: str) -> None:
    (tmp_path / "a.in.json").write_text('{"z1": ["\\ud800", 0.3925], "\\udfff": 3}')
    assert here("grade", "a.in.json", "--key", "mazur").returncode == 0
    assert here("grade", "a.in.json", "--key", "mazur", "--json").returncode == 0
    assert here("grade", "a.in.json", "--key", "mazur", "-o", target).returncode == 0


# --- how much is revealed --------------------------------------------------------------------------------------------

WRONG = """z1 = [0.4111, 0.4222]
a1 = [0.6333, 0.6444]
z2 = [1.211, 1.422]
a2 = [0.8555, 0.8666]
L = 0.4777
delta2 = [0.2888, -0.1999]
dW2 = [[0.1222, 0.1333], [-0.1444, -0.1555]]
delta1 = [0.01666, 0.01777]
dW1 = [[0.001888, 0.001999], [0.002111, 0.002222]]
W1_new = [[0.1333, 0.1444], [0.2555, 0.2666]]
W2_new = [[0.3777, 0.3888], [0.4999, 0.5111]]
"""
SHEETS = {
    "all is wrong": WRONG,
    "all is blank": "student = Ada\n",
    "much is blank": "z1 = [0.3775, ?]\na1[1] = 0.6333\ndelta2 = [0.741365, -0.217072]\ndW2[1,2] = 9\n",
    "much is invalid": "z1 = [0.3775, x]\na1 = 3\ndelta1 = [y, 0.0888]\ndW2[1,2] = 1,5\nW1_new[2,2] = 7e999\n",
    "signs": "delta2 = [-0.138499, 0.0380982]\ndelta1 = [0.008771, -0.009954]\ndW1[1,1] = 0.08771\n",
}


def numbers(text: str) -> set[float]:
    found = re.findall(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?", text.replace("−", "-"))
    return {float(number) for number in found}


def leaked(key: Key, addresses: Iterable[str], shown: str, sheet: set[float]) -> set[str]:
    """The boxes whose right number is shown to 4 digits or more, or rounded to 3, but does not stand on the sheet."""
    given = {abs(number) for ref in key.trace.values.keys() - key.steps.keys() for number in key.values[ref].flat}
    found = sorted(numbers(shown) - sheet - given)
    right = {address: abs(key.values[ref][place]) for address in addresses for ref, place in [key.find(address)]}
    return {
        address
        for address, value in right.items()
        if any(abs(number - value) <= half_unit(value, 4) or number == float(f"{value:.3g}") for number in found)
    }


def test_a_number_that_leaks_would_be_found() -> None:
    key, address = mazur(), "dW1[1,1]"
    for shown in ("dW1 = −4.386e-4 = ?", "0.000439", "(0.00043857)", '"key": 0.00043856773447434696}'):
        assert leaked(key, [address, "L"], shown, set()) == {address}
    for shown in ("dW1 = 4.4e-4", "0.00044", "0.0004380", "0.5 and 0.05", "4385677", ""):
        assert leaked(key, [address, "L"], shown, set()) == set()
    assert leaked(key, ["L"], "L = 0.298371, E = 0.298371", {0.298371}) == set()


def lost_boxes(result: Result) -> list[str]:
    return [item.address for item in result.items if item.status in ("wrong", "blank", "invalid")]


@pytest.mark.parametrize("sheet", SHEETS)
def test_only_value_reveals_what_is_right(tmp_path: Path, sheet: str) -> None:
    result = mark(SHEETS[sheet], key=read_key(key_file(tmp_path)))
    lost = lost_boxes(result)
    assert len(lost) > 20
    for level in LEVELS:
        on_sheet = numbers(SHEETS[sheet]) if level != "value" else set()
        for text in (said(result.blocks(level)), json.dumps(result.document(level))):
            assert leaked(result.key, lost, text, on_sheet) == (set(lost) if level == "value" else set()), level
        if level != "value":
            assert leaked(result.key, lost, said(explained(result, level)), on_sheet) == set(), level


@pytest.mark.parametrize("how", [[], ["--plain"], ["--json"]], ids=["text", "plain", "json"])
def test_only_value_reveals_it_on_any_screen(here: Run, tmp_path: Path, how: list[str]) -> None:
    path, text = key_file(tmp_path / "keys"), SHEETS["much is blank"]
    (tmp_path / "a.txt").write_text(text)
    result = mark(text, key=read_key(path))
    lost = lost_boxes(result)
    for level, explain in [*((level, []) for level in LEVELS[:3]), ("diagnosis", ["--explain"])]:
        found = here("grade", "a.txt", "--key", path, "--reveal", level, *how, *explain)
        assert (found.returncode, leaked(result.key, lost, found.stdout.decode(), numbers(text))) == (0, set())
    found = here("grade", "a.txt", "--key", path, "--reveal", "value", *how)
    assert leaked(result.key, lost, found.stdout.decode(), set()) == set(lost)


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        ('"db1"', "db1 = [0.5, 0.6]"),
        ('"L"', "L = 0.5"),
        ('"a2", "L"', "a2 = [0.7513650695523157, 0.7729284653214625]\nL = 0.5"),
    ],
)
def test_no_other_value_that_is_the_same_is_told(tmp_path: Path, ask: str, text: str) -> None:
    key = read_key(key_file(tmp_path, ask))
    result = mark(text, key=key)
    lost = [item.address for item in result.items if item.status == "wrong"]
    assert lost
    assert leaked(key, lost, said(explained(result, "diagnosis")), numbers(text)) == set()


@pytest.mark.parametrize(
    "ref",
    [
        *("z1", "a1", "z2", "a2", "dz2", "dW2", "db2", "dz1", "dW1", "db1", "W1_new", "b1_new", "W2_new", "b2_new"),
        "L",
    ],
)
def test_no_mistake_makes_its_marks_tell_what_is_right(tmp_path: Path, ref: str) -> None:
    key = read_key(key_file(tmp_path, problem=KEY.replace("frozen", "# frozen")))
    errors = [error for error in errors_of(key, np.random.default_rng(1)) if error.ref == ref]
    leaks, lost = [], 0
    for error in errors:
        sheet = filled(key, "carry", 5, [error])
        seen = {abs(cell.value) for cells in sheet.cells.values() for cell in cells.values()}
        result = grade(key, sheet)
        wrong = [item.address for item in result.items if item.status == "wrong"]
        shown = said(result.blocks()) + said(explained(result, "diagnosis")) + json.dumps(result.document())
        leaks += [(error.code, address) for address in sorted(leaked(key, wrong, shown, seen))]
        lost += len(wrong)
    assert errors and lost >= len(errors) - 3
    assert leaks == []


SLIP = "delta2 = [0.741365, -0.217072]\nz1 = [x, 0.3925]\nfoo = 3\n"
SLIPS = ("no_sigma_prime", "missing as a factor", "same mistake", "Passed over", "Your number comes of")


@pytest.mark.parametrize("how", [[], ["--plain"], ["--json"]], ids=["text", "plain", "json"])
def test_each_level_tells_a_little_more(here: Run, tmp_path: Path, how: list[str]) -> None:
    (tmp_path / "a.txt").write_text(SLIP)

    none, verdict, diagnosis, value = (
        " ".join(here("grade", "a.txt", "--key", "mazur", "--reveal", level, *how).stdout.decode().split())
        for level in LEVELS
    )
    assert "delta2" not in none and "invalid" not in none
    assert ('"score": 2.0, "max": 4.0' if how == ["--json"] else "2 of 4 points") in none
    assert "delta2[1]" in verdict and NO_NUMBER in verdict
    assert not any(word in text for text in (none, verdict) for word in SLIPS)
    assert "missing as a factor" in diagnosis and "Passed over" in diagnosis
    assert "0.13849" not in diagnosis and "0.13849" in value


@pytest.mark.parametrize("level", ["none", "verdict"])
def test_an_explanation_tells_no_diagnosis_where_none_may_be_told(level: Reveal, here: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(SLIP)
    text = here("grade", "a.txt", "--key", "mazur", "--reveal", level, "--explain").stdout.decode()
    assert not any(word in text for word in SLIPS)


@pytest.mark.parametrize("level", ["none", "verdict"])
def test_of_several_sheets_no_more_is_told(level: Reveal, here: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(SLIP)
    text = here("grade", "a.txt", "a.txt", "--key", "mazur", "--reveal", level).stdout.decode()
    assert "2 of 4 points" in text
    assert not any(word in text for word in SLIPS)


# --- the contract ----------------------------------------------------------------------------------------------------

DOCUMENT = {
    "schema": str, "tool": str, "submission": str, "sheet": str, "score": (int, float), "max": (int, float),
    "status": str, "items": list, "mistakes": list, "remarks": list,
}  # fmt: skip
ITEM = {
    "address": str, "status": str, "points": float, "max": float, "given": str, "mistake": (str, type(None)),
    "note": str,
}  # fmt: skip
MISTAKE = {"code": str, "at": str, "evidence": int, "confidence": float}


def is_like(table: dict[str, Any], types: dict[str, Any]) -> bool:
    return list(table) == list(types) and all(isinstance(table[name], kind) for name, kind in types.items())


@pytest.mark.parametrize("level", LEVELS)
def test_the_document_has_exactly_these_keys(here: Run, tmp_path: Path, level: Reveal) -> None:
    path = key_file(tmp_path / "keys")
    (tmp_path / "a.txt").write_text("sheet = ada\nfoo = 1\n" + each("{name} = {value}"))
    found = json.loads(here("grade", "a.txt", "--key", path, "--reveal", level, "--json").stdout)
    assert is_like(found, DOCUMENT)
    assert (found["schema"], found["submission"], found["sheet"]) == ("backprop.grade/1", "a.txt", "ada")
    assert (found["status"], found["score"], found["max"]) == ("fail", 9, 29)
    assert all(is_like(item, ITEM | ({"key": float} if level == "value" else {})) for item in found["items"])
    assert all(is_like(item, MISTAKE) for item in found["mistakes"])
    kinds = {item["status"] for item in found["items"]}
    assert kinds == (set() if level == "none" else {"correct", "carried", "wrong", "blank", "invalid"})
    assert len(found["items"]) == (0 if level == "none" else 29)
    codes = {item["mistake"] for item in found["items"]} | {mistake["code"] for mistake in found["mistakes"]}
    assert ("no_sigma_prime" in codes) == (level in ("diagnosis", "value"))
    assert bool(found["remarks"]) == (level in ("diagnosis", "value"))
    for item in found["items"]:
        assert item["points"] == (item["max"] if item["status"] in ("correct", "carried") else 0)
        assert item["given"] == ANSWERS.get(item["address"], "")
        if level == "value":
            ref, place = mazur().find(item["address"])
            assert item["key"] == pytest.approx(float(mazur().values[ref][place]))


def test_points_may_be_set_by_the_key(tmp_path: Path) -> None:
    path = Path(key_file(tmp_path, '"z1", "delta1[2]"'))
    path.write_text(path.read_text() + 'points = {"z1" = 2, "delta1[2]" = 0.5}\n')
    document = mark("z1 = [0.3775, 9]\ndelta1[2] = 0.009954", key=read_key(str(path))).document()
    assert [(item["address"], item["points"], item["max"]) for item in document["items"]] == [
        ("z1[1]", 2.0, 2.0), ("z1[2]", 0.0, 2.0), ("delta1[2]", 0.5, 0.5),
    ]  # fmt: skip
    assert (document["score"], document["max"]) == (2.5, 4.5)


def test_several_sheets_are_a_list_of_such_documents(here: Run, tmp_path: Path) -> None:
    folder = tmp_path / "sheets"
    folder.mkdir()
    (folder / "a.txt").write_text("z1 = [0.3775, 0.3925]")
    (folder / "b.json").write_text('{"z1": [0.3775, 7]}')
    (folder / "c.csv").write_bytes(b"\xff")
    (folder / "notes.docx").write_bytes(b"\xff")
    found = here("grade", "sheets", "--key", "mazur", "--json")
    document = json.loads(found.stdout)
    assert (found.returncode, list(document), document["schema"]) == (3, ["schema", "grades"], "backprop.grades/1")
    assert [each["status"] for each in document["grades"]] == ["pass", "fail", "error"]
    assert [each["submission"] for each in document["grades"]] == ["a.txt", "b.json", "c.csv"]
    assert [is_like(each, DOCUMENT) for each in document["grades"]] == [True, True, False]
    assert is_like(document["grades"][2], DOCUMENT | {"fault": str})
    assert "not UTF-8 text" in document["grades"][2]["fault"]


@pytest.mark.parametrize(
    ("files", "options", "code"),
    [
        (["good.txt"], [], 0),
        (["half.txt"], [], 0),
        (["half.txt"], ["--json"], 0),
        (["half.txt"], ["--fail-below", "50"], 0),
        (["half.txt"], ["--fail-below", "51"], 1),
        (["half.txt"], ["--fail-below", "51", "--json"], 1),
        (["good.txt"], ["--fail-below", "100"], 0),
        (["good.txt", "half.txt"], ["--fail-below", "60"], 1),
        (["good.txt", "half.txt"], ["--fail-below", "0"], 0),
        (["good.txt", "bad.txt"], [], 3),
        (["half.txt", "bad.txt"], ["--fail-below", "60"], 3),
        (["bad.txt"], ["--fail-below", "60"], 3),
    ],
)
def test_exit_codes(here: Run, tmp_path: Path, files: list[str], options: list[str], code: int) -> None:
    (tmp_path / "good.txt").write_text("z1 = [0.3775, 0.3925]")
    (tmp_path / "half.txt").write_text("z1 = [0.3775, 7]")
    (tmp_path / "bad.txt").write_text("z1 = [0.3775")
    assert here("grade", *files, "--key", "mazur", *options).returncode == code


def test_a_process_of_its_own_says_the_same(backprop: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("address;answer\nz1[1];0.3775\nz1[2];0,3925\n")
    found = backprop("grade", "a.csv", "--key", "mazur", "--json", "--fail-below", "60", env={"FORCE_COLOR": "1"})
    assert (found.returncode, found.stderr) == (1, b"")
    assert [item["status"] for item in json.loads(found.stdout)["items"]] == ["correct", "invalid"]


# --- anything at all -------------------------------------------------------------------------------------------------

NEARLY = st.text("0123456789.eE+-−/,_∞nNaAiIfF=@½²①０．٣ ？\x1b", max_size=12)
NAMES = st.sampled_from(["z1", "dz1", "z1[1]", "delta1[2]", "dW1", "W1_new[1,2]", "L", "x", "lr", "sheet", "foo", ""])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | NEARLY | st.text(max_size=5)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
SIGNS = st.text("z1dWL[]|,;:=\"'# \n\t0.5{}-*`?\\\r", max_size=60)


def marked_or_told(text: str, name: str) -> None:
    """Read a sheet, mark it and tell all; nothing may be raised but InputError."""
    try:
        sheet = read_sheet(text, name, mazur())
    except InputError:
        return
    result = grade(mazur(), sheet)
    for level in LEVELS:
        json.dumps(result.document(level), allow_nan=False)
    assert not STEERING.search(said(result.blocks("value")) + said(explained(result, "value")))


@settings(max_examples=300, deadline=None)
@given(st.text() | NEARLY)
@example("\u00a0")
@example("1e-99999")
def test_any_text_in_a_box_is_a_number_or_blank_or_told(text: str) -> None:
    cell = read_cell(text)
    if cell.fault or cell.blank:
        assert math.isnan(cell.value)
    else:
        assert math.isfinite(cell.value) and math.isfinite(cell.half) and cell.half >= 0


@settings(max_examples=60, deadline=None)
@given(st.text() | SIGNS, st.sampled_from(["a.txt", "a.md", "a.csv", "a.json", "a.toml", "-"]))
@example('{"a": ', "-")
@example("|", "a.md")
@example("||\n||", "a.md")
@example('"', "a.csv")
@example("z1 = ]", "a.txt")
def test_any_text_as_a_sheet_is_marked_or_one_clear_message(text: str, name: str) -> None:
    marked_or_told(text, name)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4))
@example({"dz1": [[], []]})
def test_any_json_as_a_sheet_is_marked_or_one_clear_message(table: dict[str, Any]) -> None:
    marked_or_told(json.dumps(table), "a.json")


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=9, max_size=9))
@example([1e308, -1e308, 1e-300, 1e300, 0.0, 1e307, 1e308, 1e-308, 5e-324])
def test_any_numbers_can_be_marked_and_explained(values: list[float]) -> None:
    a, b, c, d, e, f, g, h, i = map(repr, values)
    marked_or_told(f"z1 = [{a}, {b}]\na1[1] = {c}\nL = {d}\ndz2 = [{e}, {f}]\ndW1 = [[{g}, {h}], [{i}, 0]]", "a.txt")
