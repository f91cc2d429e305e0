"""Marks a sheet: by the key, by its own numbers, and by other conventions if it is better for one of them."""

from __future__ import annotations

import numpy as np

from backprop_cli.grading.boxes import Boxes
from backprop_cli.grading.customs import readings
from backprop_cli.grading.key import Key
from backprop_cli.grading.marks import Marks
from backprop_cli.grading.submission import Given, Submission
from backprop_cli.grading.walk import Walk


def mark(key: Key, submission: Submission) -> Marks:
    """The marks of a sheet. What is only a different convention counts as such, if the sheet is better for it."""
    given = submission.given(key)
    with np.errstate(all="ignore"):
        marks = _marked(key, given)
        if marks.causes:
            wrong: dict[str, set[str]] = {}
            for cause in marks.causes:
                wrong.setdefault(cause.ref, set()).update(cause.codes)
            right = _rights(key, given)
            for custom, read in readings(key, given, wrong):
                if _rights(key, read) <= right:
                    continue
                other = _marked(key, read)
                if len(other.causes) < len(marks.causes) and other.lost < marks.lost:
                    other.custom, marks = custom, other
    return marks


def _marked(key: Key, given: Given) -> Marks:
    """The marks of one reading of a sheet. Where all is as in the key, there is nothing to follow."""
    marks = Marks(key, _by_key(key, given))
    if not all(boxes.all_right for boxes in marks.boxes.values()):
        Walk(marks).run()
    return marks


def _rights(key: Key, given: Given) -> int:
    """How many boxes are right by the key alone."""
    return sum(int(boxes.right.sum()) for boxes in _by_key(key, given).values())


def by_key(key: Key, submission: Submission) -> dict[str, Boxes]:
    """The boxes of a sheet, as they are by the key alone."""
    with np.errstate(all="ignore"):
        return _by_key(key, submission.given(key))


def _by_key(key: Key, given: Given) -> dict[str, Boxes]:
    """All boxes at once, laid in a row, against the key's numbers."""
    if not given:
        return {}
    value, half = (np.concatenate([pair[part].ravel() for pair in given.values()]) for part in (0, 1))
    sheet = Boxes.of(value, half, key.digits)
    sheet.settle(sheet.right, key.in_a_row(tuple(given)))
    return sheet.parts({ref: pair[0].shape for ref, pair in given.items()})
