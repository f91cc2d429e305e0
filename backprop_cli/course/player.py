"""Taking a lesson: text, questions, hints, and what follows from one's own numbers.

A session takes one typed line at a time and answers with blocks, like `play`; what is to be kept of it is handed to
`keep`, an event at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from backprop_cli.course.hints import exact_slip, given_away, ladder, solution
from backprop_cli.course.items import Item, shown
from backprop_cli.course.numbers import Numbers
from backprop_cli.course.progress import FINISHED, GOOD, Standing
from backprop_cli.course.prose import Piece
from backprop_cli.course.quantities import Name
from backprop_cli.course.questions import Formula, Judged, Verdict
from backprop_cli.course.variant import Find, Variant, written
from backprop_cli.errors import UsageError
from backprop_cli.language import later, plural, tr
from backprop_cli.play import split
from backprop_cli.render.blocks import Block, Fact, Heading, Note, Outcome, Prose
from backprop_cli.typed import keyed

HELP = {
    "an answer": "is judged; 0.37, 3/8 and 0.59*(1-0.59) are numbers",
    "h": "a hint; the next one says more, the last one all",
    "show": "the answer with its steps, and on",
    "why ADDRESS": "explain a number, such as why z1[1]",
    "n": "on without an answer; p goes back a question",
    "b": "the text once more",
    "new": "the same question with new numbers",
    "list": "all questions, and how they stand",
    "?": "this help",
    "q": "leave; what was answered is kept",
}
STATES = {
    "right": later("right"), "carried": later("right, from your own number"), "shown": later("shown"),
    "wrong": later("not right yet"), "few": later("not exact enough yet"), "": later("open"),
}  # fmt: skip
PLAIN = re.compile(r"[-+]?\d*\.?\d*|[^/*^()]*[,; ][^/*^()]*")
"""A number that needs no reading, or several of them; whatever else is typed is told as it was understood."""
LETTERS = ("h", "n", "p", "b", "q")
"""Commands that are a letter, as the answers to some questions are; there, an answer it is."""


@dataclass
class Asked:
    """How a question stands: the last verdict, how many hints were given, and the number that was typed last."""

    verdict: Verdict | str = ""
    hints: int = 0
    value: Any = None


Keep = Callable[[dict[str, Any]], None]


class Player:
    """A walk through some questions. `at` is the one that is asked now; past the last one it is over."""

    def __init__(
        self, items: Sequence[Item], closing: Sequence[Piece], keep: Keep, stands: Standing | None = None
    ) -> None:
        self.items, self.closing, self.keep = list(items), closing, keep
        self.asked = [Asked() for _ in items]
        self.over = False
        self.at = 0
        self._variants: dict[tuple[str, int], Variant] = {}
        if stands:
            self._resume(stands)

    def _resume(self, stands: Standing) -> None:
        """Where the lesson was left: the same question, and what was typed before."""
        places = {item.id: at for at, item in enumerate(self.items)}
        for event in stands.answers:
            at = places.get(str(event.get("question")))
            if at is not None:
                asked = self.asked[at]
                if event["verdict"] == "hint":
                    asked.hints += 1
                elif event["verdict"] != "asked":
                    asked.verdict = event["verdict"]
                asked.value = event.get("value", asked.value) if event["seed"] == self.items[at].seed else None
        last = places.get(stands.last, 0)
        unfinished = [at for at in range(len(self.items)) if not self._finished(at)]
        self.at = next((at for at in unfinished if at >= last), unfinished[0] if unfinished else len(self.items))

    # --- where we are -----------------------------------------------------------------------------------------------

    @property
    def item(self) -> Item:
        return self.items[self.at]

    @property
    def variant(self) -> Variant:
        """The numbers of the question that is asked now."""
        return self._variant(self.item)

    def _variant(self, item: Item) -> Variant:
        key = (item.lesson.key, item.seed)
        if key not in self._variants:
            self._variants[key] = item.lesson.variant(item.seed)
        return self._variants[key]

    @property
    def prompt(self) -> str:
        """Which question this is, and what is asked for."""
        return f"[{self.at + 1}/{len(self.items)}] > "

    def _finished(self, at: int) -> bool:
        return self.asked[at].verdict in FINISHED

    def opening(self) -> Iterator[Block]:
        """What is shown first: the text up to the question."""
        if self.at < len(self.items):
            yield from self._text()
            yield from self._question()
        else:
            yield from self._end()

    def _text(self, known: Sequence[Piece] = ()) -> Iterator[Block]:
        """What was given so far, unless it is known, and the text before the question."""
        given = [piece for piece in self.item.given if piece not in known]
        yield from shown((*given, *self.item.before), self.variant)

    def _question(self) -> Iterator[Block]:
        yield Heading(tr("Question {number} of {count}", number=self.at + 1, count=len(self.items)), 2)
        yield Prose(self.variant.filled(self.item.ask.text))
        yield from self.item.question.shown(self.variant, self.item.ask)

    # --- what is typed ----------------------------------------------------------------------------------------------

    def answer(self, line: str) -> Iterator[Block]:
        """What one typed line brings. Whatever is typed, the place is kept and nothing is raised but a full disk."""
        try:
            word, rest = split(line)
            command = self.commands.get(word)
            if command and not (word in LETTERS and self._takes(word)):
                yield from command(rest)
            else:
                yield from self._judged(line)
        except UsageError as error:
            yield Note(f"{error}")

    def _takes(self, word: str) -> bool:
        """Whether a letter is an answer to this question, as in a choice or a formula."""
        if isinstance(self.item.question, Formula):
            return word in self.item.question.letters
        return word in (fact.label for fact in self.item.question.shown(self.variant, self.item.ask))

    @cached_property
    def commands(self) -> dict[str, Callable[[str], Iterator[Block]]]:
        """Every command by each of its names."""
        return {
            "": self._nudge, "h": self._hint, "hint": self._hint, "show": self._show, "why": self._why,
            "n": self._next, "next": self._next, "p": self._previous, "b": self._back, "back": self._back,
            "text": self._back, "new": self._new, "list": self._list, "?": self._help, "help": self._help,
            "q": self._quit, "quit": self._quit, "exit": self._quit,
        }  # fmt: skip

    def _nudge(self, rest: str) -> Iterator[Block]:
        yield Note(tr("Type an answer, h for a hint, n to go on without one, or ? for help."))

    def _judged(self, line: str) -> Iterator[Block]:
        asked, question = self.asked[self.at], self.item.question
        found = question.judge(self.variant, line.strip(), self._own())
        if found.verdict == "few" and (slip := exact_slip(question, self.variant, found.value)):
            found = found._replace(verdict="wrong", said=slip)
        asked.verdict = found.verdict
        asked.value = found.value
        self._keep(found.verdict, line.strip(), found.value)
        if isinstance(question, Numbers) and not PLAIN.fullmatch(keyed(line).strip()):
            yield Fact(tr("Read as"), written(found.value, 6))
        match found.verdict:
            case "right":
                yield Outcome(True, tr("Right."))
                yield from self._praised()
            case "carried":
                yield Outcome(True, tr("Right, given your own earlier number."))
                yield from self._praised()
            case "few":
                yield Note(found.said)
            case _:
                yield Outcome(False, tr("Not yet."))
                yield from self._told(line, found)
        if self._finished(self.at):
            yield from self._go_on()

    def _praised(self) -> Iterator[Block]:
        if said := self.item.ask.said("right"):
            yield Note(self.variant.filled(said))

    def _told(self, line: str, judged: Judged) -> Iterator[Block]:
        """What is said of a wrong answer: the author's word for it, what it gives away, or the next hint."""
        reply = self.item.ask.said("wrong", judged.mistake) if judged.mistake else ""
        away = "" if reply else given_away(self.item.question, self.variant, line, judged.value)
        found = [text for text in (judged.said, reply and self.variant.filled(reply), away) if text]
        yield from map(Note, found)
        if not found:
            yield from self._hint("")

    def _own(self) -> Find | None:
        """The numbers as they would be with the learner's own earlier ones, wrong or rounded; None without any."""
        own: dict[Name, Any] = {}
        for item, asked in zip(self.items[: self.at], self.asked, strict=False):
            name = item.question.address
            same = item.lesson is self.item.lesson and item.seed == self.item.seed
            if name and same and asked.verdict in ("wrong", *GOOD) and asked.value is not None:
                own[name] = asked.value
        return self.variant.with_own(own) if own else None

    def _hint(self, rest: str) -> Iterator[Block]:
        rungs = ladder(self.item.question, self.item.ask, self.variant)
        asked = self.asked[self.at]
        if asked.hints >= len(rungs) - 1:
            yield from self._show("")
            return
        asked.hints += 1
        self._keep("hint")
        yield from rungs[asked.hints - 1]
        if asked.hints == len(rungs) - 1:
            yield Note(tr("The next hint is the answer."))

    def _show(self, rest: str) -> Iterator[Block]:
        yield from solution(self.item.question, self.item.ask, self.variant)
        if not self._finished(self.at):
            self.asked[self.at].verdict = "shown"
            self._keep("shown")
        yield from self._go_on()

    def _why(self, rest: str) -> Iterator[Block]:
        if not rest:
            raise UsageError("why what? Name an address, such as why {example}", example=self._example())
        network, dot, address = rest.partition(".")
        if not dot or network not in self.variant.networks:
            network, address = self._network(), rest
        yield from self.variant.run(network).why(address).blocks()

    def _network(self) -> str:
        """The network that the question is about: that of the first value it speaks of."""
        return next((name.network for each in self.item.question.quantities for name in each.names), "")

    def _example(self) -> str:
        return str(self.item.question.address or "L")

    # --- walking ----------------------------------------------------------------------------------------------------

    def _next(self, rest: str) -> Iterator[Block]:
        yield from self._go_on()
        if not self.over:
            self._keep("asked")

    def _go_on(self) -> Iterator[Block]:
        self.at += 1
        if self.at < len(self.items):
            yield from self._text(self._known(self.items[self.at - 1]))
            yield from self._question()
        elif left := [at for at in range(len(self.items)) if not self._finished(at)]:
            self.at = left[0]
            yield Note(tr("{questions} left open; here is the first of them.", questions=plural(len(left), "question")))
            yield from self._question()
        else:
            yield from self._end()

    def _known(self, before: Item) -> Sequence[Piece]:
        """What the question before this one has shown of its lesson, if it is the same, with the same numbers."""
        same = (before.lesson.key, before.seed) == (self.item.lesson.key, self.item.seed)
        return (*before.given, *before.before) if same else ()

    def _previous(self, rest: str) -> Iterator[Block]:
        if not self.at:
            yield Note(tr("This is the first question."))
            return
        self.at -= 1
        self._keep("asked")
        yield from self._question()

    def _back(self, rest: str) -> Iterator[Block]:
        yield from self._text()
        yield from self._question()

    def _new(self, rest: str) -> Iterator[Block]:
        """The lesson's remaining questions with other numbers."""
        now, lesson = self.item.seed, self.item.lesson
        seed = lesson.next_seed(now)
        other = self._variant(self.item._replace(seed=seed))
        if self._facts(other) == self._facts(self.variant):
            yield Note(tr("This question has no other numbers."))
            return
        for at, item in enumerate(self.items):
            if item.lesson is lesson and item.seed == now:
                self.items[at] = item._replace(seed=seed)
                self.asked[at].value = None
        self.asked[self.at] = Asked()
        self._keep("new")
        yield Note(tr("New numbers."))
        yield from self._back("")

    def _facts(self, variant: Variant) -> tuple[str, ...]:
        """What makes the question another one: its text, what it shows, and its answer."""
        question, ask = self.item.question, self.item.ask
        return (variant.filled(ask.text), str(list(question.shown(variant, ask))), question.model(variant))

    def _list(self, rest: str) -> Iterator[Block]:
        for at, (item, asked) in enumerate(zip(self.items, self.asked, strict=True)):
            state = tr(STATES.get(asked.verdict, STATES[""]))
            state = tr("{name} (here)", name=state) if at == self.at else state
            yield Fact(f"{at + 1} {item.id}", state)

    def _help(self, rest: str) -> Iterator[Block]:
        yield from (Fact(tr(command), tr(text)) for command, text in HELP.items())

    def _quit(self, rest: str) -> Iterator[Block]:
        self.over = True
        yield Note(tr("What you answered is kept; the same command goes on from here."))

    def _end(self) -> Iterator[Block]:
        self.over = True
        if self.items:
            last = self.items[-1]
            yield from shown(self.closing, self._variant(last))
        hints = [asked.hints for asked in self.asked if asked.verdict in GOOD]
        told = {"right": len(hints), "count": plural(len(self.items), "question"), "unaided": hints.count(0)}
        yield Outcome(True, tr("Done: {right} of {count} right, {unaided} without a hint.", **told))
        self.at = len(self.items) - 1
        self._keep("done")

    def _keep(self, verdict: str, typed: str = "", value: Any = None) -> None:
        event = {"lesson": self.item.lesson.key, "question": self.item.id, "seed": self.item.seed, "verdict": verdict}
        if typed:
            event["typed"] = typed[:200]
        if isinstance(value, np.ndarray):
            event["value"] = value.tolist()
        self.keep(event)
