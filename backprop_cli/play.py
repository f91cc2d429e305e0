"""Stepping through a tape by hand: forward and back, asking why, changing a number, predicting before looking.

A session takes one typed line at a time and answers with blocks; it neither reads nor prints, so the same session runs
at a terminal, through a pipe, and in a test.
"""

from __future__ import annotations

import unicodedata
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
from backprop_cli.language import later, tr
from backprop_cli.lines import cells
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
CHINESE = {
    "下一步": "n", "前进": "n", "上一步": "p", "后退": "p", "去": "go", "跳到": "go", "为什么": "why",
    "改": "set", "设": "set", "撤销": "undo", "列表": "list", "数值": "numbers", "符号": "symbols", "全部": "both",
    "帮助": "help", "退出": "q",
}  # fmt: skip
"""The commands' Chinese names, which need no blank behind them: 去z2[1]."""
SHOWN = {
    "numbers": later("Steps will be shown in numbers."),
    "symbols": later("Steps will be shown in symbols."),
    "both": later("Steps will be shown in full."),
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
            return tr("start")
        step = self.steps[self.at - 1]
        of_phase = [other for other in self.steps if other.phase == step.phase]
        return f"{tr(step.phase)} {of_phase.index(step) + 1}/{len(of_phase)}"

    def opening(self) -> Iterator[Block]:
        """What is shown first."""
        yield from self.report.opening()
        for ref in (*self.run.problem.inputs, *(["y"] if "E" in self.run.trace else [])):
            yield from self.report.value(ref)
        yield Note(tr("Enter goes forward, p back, ? helps, q leaves."))

    def answer(self, line: str) -> Iterator[Block]:
        """What one typed line brings. Whatever is typed, the place is kept and nothing is raised."""
        try:
            word, rest = split(line)
            if self.question and word not in self.commands:
                yield from self._predicted(self.question, line)
            else:
                yield from self._command(word, rest)
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

    def _command(self, word: str, rest: str) -> Iterator[Block]:
        command = self.commands.get(word)
        if command is None:
            words = self.commands if cells(word) == len(word) else CHINESE  # whose signs are wide
            raise unknown("command", word, list(filter(str.isalpha, words)))
        yield from command(word if command == self._show else rest)

    # --- walking ----------------------------------------------------------------------------------------------------

    def _next(self, rest: str) -> Iterator[Block]:
        if self.at == len(self.steps):
            yield Note(tr("This was the last step. p goes back, q leaves."))
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
            yield Note(tr("This is the start. Enter goes forward."))

    def _go(self, rest: str) -> Iterator[Block]:
        ref, _ = read_address(rest, self.notation)
        ref = "E" if ref == "L" and self.notation.trivial(ref) else ref
        found = [at for at, step in enumerate(self.steps, 1) if step.ref == ref]
        if not found:
            raise UsageError("{address} is given, no step makes it", address=rest)
        self.question = None
        self.at = found[0]
        yield from self._here()

    def _here(self) -> Iterator[Block]:
        """The step we are at, with a heading where a new phase begins."""
        step = self.steps[self.at - 1]
        if self.at == 1 or self.steps[self.at - 2].phase != step.phase:
            yield Heading(tr(step.phase).upper())
        yield from self.report.step(step)

    def _list(self, rest: str) -> Iterator[Block]:
        for phase in PHASES:
            names = [self._mark(step) for step in self.steps if step.phase == phase]
            if names:
                yield Fact(tr(phase), ", ".join(names))

    def _mark(self, step: Step) -> str:
        name = self.notation.name(step.ref)
        return tr("{name} (here)", name=name) if self.at and self.steps[self.at - 1] is step else name

    # --- asking and changing ----------------------------------------------------------------------------------------

    def _why(self, rest: str) -> Iterator[Block]:
        if not rest and not self.at:
            example = self._first(next(iter(self.run.problem.params), "x"))
            raise UsageError("why what? Name an address, such as why {example}, or go to a step first", example=example)
        if not rest:
            ref = self.steps[self.at - 1].ref
            rest = self._first(ref)
        yield from self.run.why(rest, self.view.digits).blocks()

    def _first(self, ref: str) -> str:
        """The address of a value's first entry."""
        return self.notation.address(ref, (0,) * np.ndim(self.run.trace[ref]))

    def _set(self, rest: str) -> Iterator[Block]:
        change = read_change(rest, self.notation)
        problem = changed(self.run.problem, change)
        old, new = self.run, Run(problem, problem.run())
        self.before.append(old)
        self._take(new)
        name = self.notation.entry(change.ref, change.place)
        was, now = self._number(old.trace.entry(change.ref, change.place)), self._number(change.value)
        yield Note(tr("{name} was {was} and is {now} now.", name=name, was=was, now=now))
        was, now = self._number(old["L"]), self._number(new["L"])
        if "E" in new.trace:
            yield Note(tr("The loss goes from {was} to {now}.", was=was, now=now))
        else:
            yield Note(tr("{name} goes from {was} to {now}.", name=new.trace.outcome, was=was, now=now))

    def _undo(self, rest: str) -> Iterator[Block]:
        if not self.before:
            raise UsageError("nothing has been changed")
        self._take(self.before.pop())
        now = self._number(self.run["L"])
        if "E" in self.run.trace:
            yield Note(tr("Taken back; the loss is {loss} again.", loss=now))
        else:
            yield Note(tr("Taken back; {name} is {value} again.", name=self.run.trace.outcome, value=now))

    def _show(self, how: str) -> Iterator[Block]:
        self.view = self.view._replace(show=how)  # type: ignore[arg-type]
        self._take(self.run)
        if self.at:
            yield from self._here()
        else:
            yield Note(tr(SHOWN[how]))

    def _help(self, rest: str) -> Iterator[Block]:
        yield from (Fact(tr(command), tr(text)) for command, text in HELP.items())

    def _quit(self, rest: str) -> Iterator[Block]:
        self.over = True
        yield from self.ending()

    def ending(self) -> Iterator[Block]:
        """What is shown last: with predictions, the score."""
        if self.prediction and self.prediction.score:
            yield Heading(tr("YOUR PREDICTIONS"))
            yield from self.prediction.summary()

    def _number(self, value: Any) -> str:
        return number(value, self.view.digits).text


def split(line: str) -> tuple[str, str]:
    """The first word of a typed line, and the rest. A word counts in any case, in full-width letters, in Chinese."""
    word, rest = (*line.split(maxsplit=1), "", "")[:2]
    for chinese, command in CHINESE.items():
        if word.startswith(chinese):
            return command, f"{word.removeprefix(chinese)} {rest}".strip()
    return unicodedata.normalize("NFKC", word).lower(), rest.strip()


def changed(problem: Problem | Expression, change: Change) -> Problem | Expression:
    """The problem with one given number changed. Raises UsageError if it is computed, not given."""
    ref, place, value = change
    if isinstance(problem, Expression):
        if ref in problem.params:
            return replace(problem, params={**problem.params, ref: value})
        name, names = problem.name if ref == "L" else ref, ", ".join(problem.params)
        raise UsageError("{ref} is no variable of the expression; set one of {names}", ref=name, names=names)
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
            raise UsageError("{name} must be {range}", name=ref, range=allowed[ref])
    if not fields:
        raise UsageError(
            "{ref} is computed, not given; set a weight, a bias, x, y or lr (whatif changes any number)", ref=ref
        )
    return replace(problem, **fields)


def _with(value: Any, place: tuple[int, ...], new: float) -> Any:
    """An array with another number at one place; or the other number, where there is only one."""
    if not place:
        return new
    array = np.array(value)
    array[place] = new
    return array
