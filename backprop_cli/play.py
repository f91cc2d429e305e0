"""Stepping through a tape by hand: forward and back, asking why, changing a number, predicting before looking.

A session takes one typed line at a time and answers with blocks; it neither reads nor prints, so the same session runs
at a terminal, through a pipe, and in a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from backprop_cli.addresses import read_address
from backprop_cli.api import Run
from backprop_cli.errors import BackpropError, UsageError, unknown
from backprop_cli.expression import Expression
from backprop_cli.kernel import Range
from backprop_cli.notation import Notation, number
from backprop_cli.predict import Prediction, Question
from backprop_cli.problem import Problem
from backprop_cli.render.blocks import Block, Fact, Heading, Note
from backprop_cli.render.report import Report, View
from backprop_cli.render.whatif import Change, read_change
from backprop_cli.samples import check_targets
from backprop_cli.trace import PHASES, Step

HELP = {
    "n, or Enter": "the next step",
    "p": "the step before",
    "go ADDRESS": "to the step that makes it, such as go z2[1]",
    "why [ADDRESS]": "explain a number; without an address, the step we are at",
    "set ADDRESS=VALUE": "change a given number, such as set W2[2,1]=-0.5",
    "undo": "take the last change back",
    "list": "all steps, and where we are",
    "numbers, symbols, both": "how steps are shown",
    "?": "this help",
    "q": "leave",
}


class Play:
    """A walk along one tape. `at` counts the steps that have been shown, from 0."""

    def __init__(self, run: Run, predict: bool = False, digits: int = 6) -> None:
        self.before: list[Run] = []
        self.view = View(digits=digits)
        self.prediction = Prediction() if predict else None
        self.question: Question | None = None
        self.over = False
        self.at = 0
        self._take(run)

    def _take(self, run: Run) -> None:
        self.question = None
        self.run = run
        self.report = Report(run.problem, run.trace, self.view)
        self.notation = Notation(run.trace)
        self.steps = [step for step in run.trace.steps if not self.report.trivial(step)]

    @property
    def prompt(self) -> str:
        """Where we are, and that something may be typed."""
        if self.question:
            return self.question.prompt
        return f"[{self._position()}] > "

    def _position(self) -> str:
        if not self.at:
            return "start"
        step = self.steps[self.at - 1]
        of_phase = [other for other in self.steps if other.phase == step.phase]
        return f"{step.phase} {of_phase.index(step) + 1}/{len(of_phase)}"

    def opening(self) -> Iterator[Block]:
        """What is shown first."""
        yield from self.report.opening()
        for ref in (*self.run.problem.inputs, *(["y"] if "E" in self.run.trace else [])):
            yield from self.report.value(ref)
        yield Note("Enter goes forward, p back, ? helps, q leaves.")

    def answer(self, line: str) -> Iterator[Block]:
        """What one typed line brings. Whatever is typed, the place is kept and nothing is raised."""
        try:
            if self.question and line.partition(" ")[0].strip().lower() not in self.commands:
                yield from self._predicted(self.question, line)
            else:
                yield from self._command(line.strip())
        except BackpropError as error:
            yield Note(f"{error}")

    @cached_property
    def commands(self) -> dict[str, Callable[[str], Iterator[Block]]]:
        """Every command by each of its names."""
        return {
            "": self._next, "n": self._next, "next": self._next, "p": self._previous, "back": self._previous,
            "go": self._go, "why": self._why, "set": self._set, "undo": self._undo, "list": self._list,
            "numbers": self._show, "symbols": self._show, "both": self._show,
            "?": self._help, "help": self._help, "q": self._quit, "quit": self._quit,
        }  # fmt: skip

    def _command(self, line: str) -> Iterator[Block]:
        word, _, rest = line.partition(" ")
        command = self.commands.get(word.lower())
        if command is None:
            raise unknown("command", word, [name for name in self.commands if name.isalpha()])
        yield from command(word.lower() if command == self._show else rest.strip())

    # --- walking ----------------------------------------------------------------------------------------------------

    def _next(self, rest: str) -> Iterator[Block]:
        if self.at == len(self.steps):
            yield Note("This was the last step. p goes back, q leaves.")
            return
        if self.prediction and not self.question:
            step = self.steps[self.at]
            self.question = Question(self.notation, step)
            yield from self.report.formula(step)
            yield self.question.arithmetic(self.view.digits)
            return
        yield from self._forward()

    def _predicted(self, question: Question, line: str) -> Iterator[Block]:
        assert self.prediction
        yield from self.prediction.answer(question, line)
        if question.done:
            yield from self._forward()

    def _forward(self) -> Iterator[Block]:
        self.question = None
        self.at += 1
        yield from self._here()

    def _previous(self, rest: str) -> Iterator[Block]:
        self.question = None
        if self.at > 1:
            self.at -= 1
            yield from self._here()
        else:
            self.at = 0
            yield Note("This is the start. Enter goes forward.")

    def _go(self, rest: str) -> Iterator[Block]:
        ref, _ = read_address(rest, self.notation)
        ref = "E" if ref == "L" and self.notation.trivial(ref) else ref
        found = [at for at, step in enumerate(self.steps, 1) if step.ref == ref]
        if not found:
            raise UsageError(f"{rest} is given, no step makes it")
        self.question = None
        self.at = found[0]
        yield from self._here()

    def _here(self) -> Iterator[Block]:
        """The step we are at, with a heading where a new phase begins."""
        step = self.steps[self.at - 1]
        if self.at == 1 or self.steps[self.at - 2].phase != step.phase:
            yield Heading(step.phase.upper())
        yield from self.report.step(step)

    def _list(self, rest: str) -> Iterator[Block]:
        for phase in PHASES:
            names = [self._mark(step) for step in self.steps if step.phase == phase]
            if names:
                yield Fact(phase, ", ".join(names))

    def _mark(self, step: Step) -> str:
        name = self.notation.name(step.ref)
        return f"{name} (here)" if self.at and self.steps[self.at - 1] is step else name

    # --- asking and changing ----------------------------------------------------------------------------------------

    def _why(self, rest: str) -> Iterator[Block]:
        if not rest and not self.at:
            raise UsageError("why what? Name an address, such as why W1[1,1], or go to a step first")
        if not rest:
            ref = self.steps[self.at - 1].ref
            rest = self.notation.address(ref, (0,) * np.ndim(self.run.trace[ref]))
        yield from self.run.why(rest, self.view.digits).blocks()

    def _set(self, rest: str) -> Iterator[Block]:
        change = read_change(rest, self.notation)
        was = float(self.run.trace.entry(change.ref, change.place))
        loss = float(self.run["L"])
        problem = changed(self.run.problem, change)
        new = Run(problem, problem.run())
        self.before.append(self.run)
        self._take(new)
        name, digits = self.notation.entry(change.ref, change.place), self.view.digits
        yield Note(f"{name} was {number(was, digits).text} and is {number(change.value, digits).text} now.")
        yield Note(f"The loss goes from {number(loss, digits).text} to {number(self.run['L'], digits).text}.")

    def _undo(self, rest: str) -> Iterator[Block]:
        if not self.before:
            raise UsageError("nothing has been changed")
        self._take(self.before.pop())
        yield Note(f"Taken back; the loss is {number(self.run['L'], self.view.digits).text} again.")

    def _show(self, how: str) -> Iterator[Block]:
        self.view = self.view._replace(show=how)  # type: ignore[arg-type]
        self._take(self.run)
        if self.at:
            yield from self._here()
        else:
            yield Note(f"Steps will be shown in {how}." if how != "both" else "Steps will be shown in full.")

    def _help(self, rest: str) -> Iterator[Block]:
        yield from (Fact(command, text) for command, text in HELP.items())

    def _quit(self, rest: str) -> Iterator[Block]:
        self.over = True
        yield from self.ending()

    def ending(self) -> Iterator[Block]:
        """What is shown last: with predictions, the score."""
        if self.prediction and self.prediction.score:
            yield Heading("YOUR PREDICTIONS")
            yield from self.prediction.summary()


def changed(problem: Problem | Expression, change: Change) -> Problem | Expression:
    """The problem with one given number changed. Raises UsageError if it is computed, not given."""
    ref, place, value = change
    if isinstance(problem, Expression):
        if ref in problem.params:
            return replace(problem, params={**problem.params, ref: value})
        raise UsageError(f"{ref} is no variable of the expression; set one of {', '.join(problem.params)}")
    tables: dict[str, Mapping[str, Any]] = {
        "params": problem.params,
        "state": problem.state,
        "numbers": problem.numbers,
    }
    fields: dict[str, Any] = {}
    if ref in ("x", "y"):
        fields[ref] = _with(getattr(problem, ref), place, value)
    for field, table in tables.items():
        if ref in table:
            fields[field] = {**table, ref: _with(table[ref], place, value)}
    if "y" in fields:
        check_targets(problem.network, fields["y"])
    if "numbers" in fields:
        allowed = {"lr": Range(0), **problem.optimizer.ranges}
        if value not in allowed[ref]:
            raise UsageError(f"{ref} must be {allowed[ref]}")
    if not fields:
        raise UsageError(f"{ref} is computed, not given; set a weight, a bias, x, y or lr (whatif changes any number)")
    return replace(problem, **fields)


def _with(value: Any, place: tuple[int, ...], new: float) -> Any:
    """An array with another number at one place; or the other number, where there is only one."""
    if not place:
        return new
    array = np.array(value)
    array[place] = new
    return array
