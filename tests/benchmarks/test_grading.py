"""What marking comes to: honest boxes lost, mistakes named, sheets in a second. Prints the figures.

python -m pytest tests/benchmarks/test_grading.py -o addopts=-q -s
"""

from __future__ import annotations

from time import process_time

import numpy as np
import pytest

from backprop_cli.exercises.variants import Variants
from backprop_cli.grading.key import Key
from backprop_cli.grading.marking import mark
from backprop_cli.grading.simulate import OUTCOMES, Tally, errors_of, filled, honest, pairs, single
from backprop_cli.grading.submission import Submission, read_sheet

SHEETS = 15
COUPLES = 60
WRONG = 0.3
"""The share of students who make a mistake, where speed is measured."""


@pytest.fixture(scope="module")
def keys() -> list[Key]:
    """Sheets of a 3-4-2 network, drawn so that mistakes come apart."""
    variants = Variants({"net": "3-4-2"}, {"digits": 4, "ask": ["all"]})
    return [variants.draw(f"student {number}", 1) for number in range(SHEETS)]


def test_honest_students_lose_nothing(keys: list[Key]) -> None:
    tally = Tally()
    for key in keys:
        for digits in range(2, 7):
            honest(Key(key.problem, key.trace, {**key.sheet, "digits": digits}), digits, tally)
    print(f"\nhonest boxes {tally.boxes:,} (2 to 6 digits, both habits), lost {len(tally.rejected)}")
    assert tally.boxes >= 10_000
    assert not tally.rejected


def told(name: str, tally: Tally) -> None:
    every = sum(map(len, tally.outcomes.values()))
    print(
        f"\n{name}: {every:,} students; "
        + ", ".join(f"{said} {tally.count(each):,}" for each, said in OUTCOMES.items())
    )


def test_one_mistake_is_named(keys: list[Key]) -> None:
    tally = Tally()
    for key in keys:
        single(key, 4, tally, np.random.default_rng(1))
    told("one mistake", tally)
    print("the same number:", sorted(tally.pairs), "; not carried:", len(tally.uncarried))
    assert not tally.count("misnamed")
    assert not tally.uncarried


def test_two_mistakes_are_hardly_misnamed(keys: list[Key]) -> None:
    tally = Tally()
    for key in keys:
        pairs(key, 4, tally, np.random.default_rng(2), COUPLES)
    told("two mistakes", tally)
    assert tally.count("misnamed") <= 0.02 * sum(map(len, tally.outcomes.values()))


def as_text(key: Key, sheet: Submission) -> str:
    """A filled sheet as a file has it: a line for each value."""
    lines = []
    for ref, cells in sheet.cells.items():
        grid = np.empty(np.shape(key.trace[ref]), object)
        for place, cell in cells.items():
            grid[place] = cell.text
        lines.append(f"{ref} = {str(grid.tolist()).replace(chr(39), '')}")
    return "\n".join(lines)


def test_sheets_in_a_second(keys: list[Key]) -> None:
    key, rng = keys[0], np.random.default_rng(3)
    errors = list(errors_of(key, rng))
    right = as_text(key, filled(key, "carry", 4))
    wrong = [as_text(key, filled(key, "carry", 4, [errors[at]])) for at in rng.choice(len(errors), 60, replace=False)]

    def rate(texts: list[str]) -> float:
        for text in texts[:3]:
            mark(key, read_sheet(text, "x.txt", key))
        start = process_time()
        for text in texts:
            mark(key, read_sheet(text, "x.txt", key))
        return len(texts) / (process_time() - start)

    fast, slow = max(rate([right] * 60) for _ in range(3)), max(rate(wrong) for _ in range(3))
    mixed = 1 / ((1 - WRONG) / fast + WRONG / slow)
    print(f"\nsheets a second on one core: right {fast:.0f}, with a mistake {slow:.0f}, a class with 30 % {mixed:.0f}")
