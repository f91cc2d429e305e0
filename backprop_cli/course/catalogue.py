"""Which lessons there are, how each stands, and what is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from backprop_cli.course.items import Item, items_of
from backprop_cli.course.lesson import Lesson, course, find_lesson, folders, read_lesson
from backprop_cli.course.player import Player
from backprop_cli.course.progress import Card, Event, Progress, Standing, cards, now, standing
from backprop_cli.errors import BackpropError, InputError, UsageError
from backprop_cli.language import current, plural, tr
from backprop_cli.render.blocks import Block, Fact, Heading, Note

AT_ONCE = 10
"""The most questions of one review."""


def lessons(where: Path | None = None) -> list[Lesson]:
    """The lessons of a folder, or those that come with the program, in order. Raises InputError."""
    folder = where or course()
    found = [read_lesson(path) for path in folders(folder)]
    if not found:
        raise InputError("{folder}: there are no lessons, folders with a lesson.toml", folder=folder)
    return found


def overview(known: Sequence[Lesson], events: list[Event]) -> Iterator[Block]:
    """Every lesson with how it stands, in words."""
    due = Counter(card.lesson for card in cards(events) if card.due <= now())
    yield Heading(tr("LESSONS"))
    for lesson in known:
        told = _told(lesson, standing(events, lesson.key), due[lesson.key])
        yield Fact(lesson.number, tr("{title} ({state})", title=lesson.text(current().language).title, state=told))
    if nearest := _nearest(known, events):
        yield Note(tr("backprop lesson next goes on with {title}.", title=nearest.text(current().language).title))
    if due:
        yield Note(tr("{questions} due again: backprop review", questions=plural(due.total(), "question")))


def _told(lesson: Lesson, stands: Standing, due: int) -> str:
    """How a lesson stands: done, started, or not yet."""
    count = len(lesson.questions)
    if stands.done:
        state = tr("done")
    elif stands.answers:
        state = tr("started, {done} of {count} questions", done=len(stands.finished), count=count)
    else:
        state = tr("not begun, about {minutes}", minutes=plural(lesson.minutes, "minute"))
    return tr("{state}; {questions} due", state=state, questions=plural(due, "question")) if due else state


def _nearest(known: Sequence[Lesson], events: list[Event]) -> Lesson | None:
    """The first that is not done."""
    return next((lesson for lesson in known if not standing(events, lesson.key).done), None)


def next_lesson(known: Sequence[Lesson], events: list[Event]) -> Lesson:
    """The first that is not done. Raises UsageError if all are."""
    if nearest := _nearest(known, events):
        return nearest
    raise UsageError("all lessons are done; backprop review asks again what is due, backprop lesson NAME repeats one")


def begin_lesson(lesson: Lesson, progress: Progress) -> Player:
    """A lesson where it was left; one that is done begins anew, with other numbers, once something is answered."""
    stands = standing(progress.events(), lesson.key)
    anew = stands.complete
    if anew:
        stands = Standing(lesson.next_seed(stands.seed))
    items, closing = items_of(lesson, current().language, stands.seed)
    if not items:
        raise InputError("{folder}: the lesson asks nothing", folder=lesson.folder)

    def keep(event: Event) -> None:
        nonlocal anew
        if anew:
            progress.add(lesson=lesson.key, seed=event["seed"], verdict="begun")
            anew = False
        progress.add(**event)

    return Player(items, closing, keep, stands)


def review(progress: Progress) -> Player | None:
    """What is due, each with numbers that it was not asked with last; None if nothing is."""
    items: list[Item] = []
    for card in cards(progress.events()):
        if card.due <= now() and len(items) < AT_ONCE and (item := _item(card)):
            items.append(item)
    return Player(items, (), lambda event: progress.add(**event, review=True)) if items else None


def _item(card: Card) -> Item | None:
    """The question of a card; none if its lesson is gone, or it is in it no more."""
    try:
        lesson = read_lesson(find_lesson(card.lesson))
        items, _ = items_of(lesson, current().language, lesson.next_seed(card.seed))
    except BackpropError:
        return None
    return next((item for item in items if item.id == card.question), None)
