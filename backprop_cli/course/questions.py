"""The kinds of question: what each shows, how a typed answer is judged, and what a right one looks like.

The logic of a question is the same in every language; it computes with quantities of the step, so that each seed asks
with other numbers. A judgement never compares texts, but what they mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from backprop_cli.addresses import read_address
from backprop_cli.course.prose import Ask
from backprop_cli.course.quantities import Name, Quantity, read_formula
from backprop_cli.course.variant import Find, Variant, written
from backprop_cli.errors import UsageError, unknown
from backprop_cli.language import tr
from backprop_cli.predict import read_sign
from backprop_cli.render.blocks import Fact
from backprop_cli.signs import sign_of
from backprop_cli.typed import keyed

Verdict = Literal["right", "carried", "few", "wrong"]
ZERO = 1e-12
"""What is nearer to 0 than this is 0."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"
POINTS = 7
"""At so many random points two formulas must agree."""


class Judged(NamedTuple):
    """A verdict, what is to be said besides, the name of a wrong answer that was expected, and the value typed."""

    verdict: Verdict
    said: str = ""
    mistake: str = ""
    value: Any = None


@dataclass(frozen=True, eq=False)
class Question(ABC):
    """One question of a lesson, in no language yet."""

    id: str

    @abstractmethod
    def judge(self, variant: Variant, typed: str, own: Find | None = None) -> Judged:
        """What to say of an answer; `own` has the learner's earlier numbers. Raises UsageError if it is unreadable."""

    @abstractmethod
    def model(self, variant: Variant) -> str:
        """A right answer, as one would type it."""

    def expected(self, variant: Variant) -> Iterator[tuple[str, str]]:
        """The wrong answers that have a name, as one would type them."""
        return iter(())

    def shown(self, variant: Variant, ask: Ask) -> Iterator[Fact]:
        """What stands below the question."""
        return iter(())

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All expressions in it."""
        return ()

    @property
    def address(self) -> Name | None:
        """The value of the step that is asked for, if it is one and nothing is computed from it."""
        return None


@dataclass(frozen=True, eq=False)
class Sign(Question):
    """Is it positive, negative or 0?"""

    answer: Quantity

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        return (self.answer,)

    def judge(self, variant: Variant, typed: str, own: Find | None = None) -> Judged:
        try:
            given = read_sign(typed)
        except UsageError:
            raise UsageError("{text!r}: is it +, − or 0?", text=typed) from None
        right = sign_of(float(variant.value(self.answer)))
        if given == right:
            return Judged("right", value=given)
        carried = own is not None and given == sign_of(float(self.answer.value(own)))
        return Judged("carried" if carried else "wrong", mistake=given if not carried else "", value=given)

    def model(self, variant: Variant) -> str:
        return sign_of(float(variant.value(self.answer)))


@dataclass(frozen=True, eq=False)
class Choice(Question):
    """One of several; each option has a condition, and exactly one of them holds."""

    options: Mapping[str, Quantity]

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        return tuple(self.options.values())

    def _right(self, variant: Variant) -> str:
        holds = [name for name, condition in self.options.items() if variant.value(condition)]
        if len(holds) != 1:
            raise UsageError(
                "question {id}: {count} options hold, not 1 ({names})",
                id=self.id,
                count=len(holds),
                names=", ".join(holds),
            )
        return holds[0]

    def judge(self, variant: Variant, typed: str, own: Find | None = None) -> Judged:
        given = pick(typed, list(self.options))
        right = given == self._right(variant)
        return Judged("right" if right else "wrong", mistake="" if right else given, value=given)

    def model(self, variant: Variant) -> str:
        return LETTERS[list(self.options).index(self._right(variant))]

    def expected(self, variant: Variant) -> Iterator[tuple[str, str]]:
        right = self._right(variant)
        return ((name, LETTERS[at]) for at, name in enumerate(self.options) if name != right)

    def shown(self, variant: Variant, ask: Ask) -> Iterator[Fact]:
        return _lettered(variant.filled(ask.said("option", name)) for name in self.options)


@dataclass(frozen=True, eq=False)
class Order(Question):
    """Steps to be put in order; they are shown in another."""

    answer: tuple[str, ...]

    def _mixed(self, variant: Variant) -> list[str]:
        rng = np.random.default_rng((variant.seed, len(self.answer)))
        mixed = [self.answer[at] for at in rng.permutation(len(self.answer))]
        return mixed if mixed != list(self.answer) else mixed[1:] + mixed[:1]

    def judge(self, variant: Variant, typed: str, own: Find | None = None) -> Judged:
        mixed = self._mixed(variant)
        plain = keyed(typed).lower()
        words = plain.split() if " " in plain.strip() else list(plain.strip())
        given = [pick(word, mixed) for word in words if word.strip(",>-")]
        if sorted(given) != sorted(self.answer):
            raise UsageError(
                "name each of the {count} once, such as {example}", count=len(mixed), example=LETTERS[: len(mixed)]
            )
        right = next((at for at, (one, other) in enumerate(zip(given, self.answer, strict=True)) if one != other), None)
        if right is None:
            return Judged("right", value=given)
        if not right:
            return Judged("wrong", tr("Something else comes first."), value=given)
        many = tr("The first {count} stand where they should.", count=right)
        return Judged("wrong", tr("Only the first one stands where it should.") if right == 1 else many, value=given)

    def model(self, variant: Variant) -> str:
        mixed = self._mixed(variant)
        return "".join(LETTERS[mixed.index(name)] for name in self.answer)

    def shown(self, variant: Variant, ask: Ask) -> Iterator[Fact]:
        return _lettered(variant.filled(ask.said("item", name)) for name in self._mixed(variant))


@dataclass(frozen=True, eq=False)
class Formula(Question):
    """A formula in given letters, in whatever form: it is the same if it agrees at random complex points."""

    answer: Quantity
    letters: tuple[str, ...]
    wrong: Mapping[str, Quantity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for formula in (self.answer, *self.wrong.values()):
            read_formula(str(formula), dict.fromkeys(self.letters))

    def judge(self, variant: Variant, typed: str, own: Find | None = None) -> Judged:
        _, _, right = typed.rpartition("=")
        given = read_formula(right, dict.fromkeys(self.letters))
        if self._same(given, self.answer):
            return Judged("right")
        return Judged(
            "wrong", mistake=next((name for name, other in self.wrong.items() if self._same(given, other)), "")
        )

    def _same(self, one: Quantity, other: Quantity) -> bool:
        rng = np.random.default_rng(len(self.letters))
        for _ in range(POINTS):
            parts = rng.uniform(0.2, 1.8, (len(self.letters), 2))
            at = {letter: complex(*part) for letter, part in zip(self.letters, parts, strict=True)}
            here, there = (np.sum(formula.value(lambda name: at[str(name)])) for formula in (one, other))  # noqa: B023
            if not np.isfinite(here) or abs(here - there) > 1e-9 * (abs(there) + 1e-3):
                return False
        return True

    def model(self, variant: Variant) -> str:
        return str(self.answer)

    def expected(self, variant: Variant) -> Iterator[tuple[str, str]]:
        return ((name, str(formula)) for name, formula in self.wrong.items())


@dataclass(frozen=True, eq=False)
class Spot(Question):
    """Find the wrong entry: one number of the step was replaced, and what follows from it follows."""

    entry: Quantity
    value: Quantity
    show: tuple[str, ...]

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        return (self.entry, self.value, *map(Quantity, self.show))

    def _planted(self) -> Name:
        name = self.entry.address
        if name is None:
            raise UsageError("question {id}: {entry} is no address", id=self.id, entry=self.entry)
        return name

    def _shown(self, variant: Variant) -> Find:
        return variant.with_own({self._planted(): variant.value(self.value)})

    def shown(self, variant: Variant, ask: Ask) -> Iterator[Fact]:
        find, planted = self._shown(variant), self._planted()
        notation = variant.notation(planted.network)
        for ref in self.show:
            _, on_tape, _ = variant.where(Name(planted.network, ref))
            yield Fact(notation.name(on_tape), written(find(Name(planted.network, ref)), 5), 2)

    def judge(self, variant: Variant, typed: str, own: Find | None = None) -> Judged:
        planted = self._planted()
        address = typed.strip().removeprefix(f"{planted.network}.")
        ref, place = read_address(address, variant.notation(planted.network))
        _, wrong, at = variant.where(planted)
        if ref == wrong and place == at:
            return Judged("right", value=typed)
        if place is None:
            raise UsageError(
                "{address} is a whole array; name one entry of it, such as {example}",
                address=typed,
                example=planted._replace(network="", places=(1,) * len(planted.places)),
            )
        find = self._shown(variant)
        there, here = (
            np.asarray(look) for look in (find.array(planted.network, ref), variant.run(planted.network).trace[ref])
        )
        if abs(there[place] - here[place]) > ZERO:
            return Judged(
                "wrong", tr("That one is wrong too, but only because of an earlier one. Look further up."), value=typed
            )
        if variant.run(planted.network).trace.producer(ref) is None:
            return Judged("wrong", tr("That one is right: it is given."), value=typed)
        return Judged("wrong", tr("That one is right: it follows from what stands before it."), value=typed)

    def model(self, variant: Variant) -> str:
        return str(self._planted()).rpartition(".")[2]


def _lettered(texts: Iterable[str]) -> Iterator[Fact]:
    """What is chosen from, each with a letter."""
    return (Fact(letter, text, 2) for letter, text in zip(LETTERS, texts, strict=False))


def pick(typed: str, names: Sequence[str]) -> str:
    """The one that is meant by its letter, its number or its name. Raises UsageError."""
    word = keyed(typed).strip().lower().rstrip(".):")
    if len(word) == 1 and word in LETTERS[: len(names)]:
        return names[LETTERS.index(word)]
    if word in names:
        return word
    if word.isdigit() and 1 <= int(word) <= len(names):
        return names[int(word) - 1]
    raise unknown("choice", typed.strip(), LETTERS[: len(names)])
