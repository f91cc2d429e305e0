"""For those who write lessons, and for those who take notes: a new lesson, a preview, a lesson with one's answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from backprop_cli.course.catalogue import lessons, next_lesson
from backprop_cli.course.items import items_of
from backprop_cli.course.lesson import FILE, Lesson, Text, find_lesson, read_lesson
from backprop_cli.course.player import Player
from backprop_cli.course.progress import GOOD, Event, Progress, as_lines, cards, now, read_events, standing
from backprop_cli.course.prose import Ask, Paragraph, Run, Sample, Title
from backprop_cli.course.questions import Choice, Order
from backprop_cli.errors import BackpropError, InputError, UsageError, unknown
from backprop_cli.files import read_text
from backprop_cli.language import current, plural, tr
from backprop_cli.render.blocks import Block, Fact, Heading, Note
from backprop_cli.render.output import Output

START = {
    FILE: """\
minutes = 10
variants = 20

[network]
net = "2-1"

[[question]]
id = "z"
kind = "number"
answer = "z1[1]"
digits = 3
[question.wrong]
no_bias = "z1[1] - b1[1]"

[[question]]
id = "a"
kind = "number"
answer = "a1[1]"

[[question]]
id = "delta"
kind = "sign"
answer = "dz1[1]"

[[question]]
id = "slope"
kind = "formula"
answer = "a*(1 - a)"
letters = ["a"]
""",
    "en.md": """\
# A title

What it is about. A number that is computed: {{ x[1] }}.

```{run}
step --only forward
```

```{ask} z
What is z₁[1]?
hint: Multiply each input by its weight first.
wrong no_bias: That is the sum of the products. What else is added?
```

```{ask} a
And a₁[1]?
```

```{ask} delta
Which sign has δ₁[1]?
```

```{ask} slope
Write the slope of the sigmoid in the letter a.
```
""",
    "zh.md": """\
# 标题

这一课讲什么。一个算出来的数：{{ x[1] }}。

```{run}
step --only forward
```

```{ask} z
z₁[1] 是多少？
hint: 先把每个输入乘以它的权重。
wrong no_bias: 这是乘积之和。还要加上什么？
```

```{ask} a
a₁[1] 呢？
```

```{ask} delta
δ₁[1] 的符号是什么？
```

```{ask} slope
用字母 a 写出 sigmoid 的斜率。
```
""",
}


def new_lesson(name: str) -> Iterator[Block]:
    """Make a folder with a small lesson in it, to be changed. Raises UsageError if it is there."""
    folder = Path(name)
    if folder.exists():
        raise UsageError("{path} is there already; choose another name", path=name)
    try:
        folder.mkdir(parents=True)
        for file, text in START.items():
            if file == "zh.md":
                text = f"<!-- of en.md {Text('en', folder / 'en.md').fingerprint} -->\n\n{text}"
            (folder / file).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError("{path}: cannot be written: {why}", path=name, why=tr(error.strerror or "")) from None
    yield Fact(tr("New lesson"), ", ".join(str(folder / file) for file in START), 0, True)
    yield Note(tr("backprop lesson preview {path} shows it, backprop lesson check {path} looks for faults.", path=name))


def preview_lesson(name: str, seed: int, start: str | None) -> Player:
    """A lesson to be looked at: nothing is kept. Raises UsageError for a question that is not in it."""
    lesson = read_lesson(find_lesson(name))
    items, closing = items_of(lesson, current().language, seed)
    ids = [item.id for item in items]
    if start is not None and start not in ids:
        raise unknown("question", start, ids)
    player = Player(items, closing, lambda event: None)
    player.at = ids.index(start) if start is not None else 0
    return player


def lesson_notes(lesson: Lesson, progress: Progress) -> str:
    """A lesson as Markdown, with one's own last answers beneath the questions."""
    stands = standing(progress.events(), lesson.key)
    variant = lesson.variant(stands.seed)
    typed = {str(event.get("question")): event for event in stands.answers if event.get("typed")}
    parts = []
    for piece in lesson.text(current().language).pieces:
        match piece:
            case Title(text, level):
                parts.append(f"{'#' * level} {variant.filled(text)}")
            case Paragraph(text, mark):
                parts.append(f"{'-' if mark == '•' else mark} {variant.filled(text)}".strip())
            case Sample(text):
                parts.append(f"```\n{variant.filled(text)}\n```")
            case Run(command):
                parts.append(f"```\nbackprop {command}\n```")
            case Ask(id, text, _, _):
                question = lesson.questions[id]
                asked = [f"**{variant.filled(text)}**"]
                if isinstance(question, Choice | Order):
                    asked += [f"- {fact.label}) {fact.text}" for fact in question.shown(variant, piece)]
                asked.append(_answered(typed.get(id)))
                parts.append("\n\n".join(filter(None, asked)))
    return "\n\n".join(parts) + "\n"


def _answered(event: Event | None) -> str:
    if event is None:
        return tr("(no answer yet)")
    verdict = tr("right") if event["verdict"] in GOOD else tr("not right")
    return tr("My answer: {typed} ({verdict})", typed=event["typed"], verdict=verdict)


def progress_blocks(progress: Progress) -> Iterator[Block]:
    """What was answered, lesson by lesson, and what comes again when."""
    events = progress.events()
    yield Fact(tr("Kept in"), str(progress.path))
    yield Heading(tr("LESSONS"))
    for lesson in _known(events):
        stands = standing(events, lesson.key)
        right = sum(event["verdict"] in GOOD for event in stands.answers)
        wrong = sum(event["verdict"] == "wrong" for event in stands.answers)
        if stands.answers:
            state = tr("done") if stands.done else tr("started")
            good, bad = plural(right, "right answer"), plural(wrong, "wrong one")
            yield Fact(lesson.name, tr("{state}; {right}, {wrong}", state=state, right=good, wrong=bad))
    boxes = cards(events)
    if boxes:
        yield Heading(tr("REVIEW"))
    for box in sorted({card.box for card in boxes}):
        count = sum(card.box == box for card in boxes)
        due = sum(card.box == box and card.due <= now() for card in boxes)
        told = tr("{questions}, {due} due", questions=plural(count, "question"), due=due)
        yield Fact(tr("box {number}", number=box), told)
    if not events:
        yield Note(tr("Nothing was answered yet. backprop lesson next begins."))


def _known(events: list[Event]) -> Iterator[Lesson]:
    """The lessons of the course, and those from elsewhere that something is kept of."""
    course = lessons()
    yield from course
    for key in dict.fromkeys(event["lesson"] for event in events):
        if key not in {lesson.key for lesson in course}:
            with suppress(BackpropError):
                yield read_lesson(find_lesson(key))


def progress_document(progress: Progress) -> dict[str, object]:
    """The same as one JSON document."""
    events = progress.events()
    return {
        "schema": "backprop.progress/1",
        "path": str(progress.path),
        "lessons": {
            lesson.key: {"done": stands.done, "finished": sorted(stands.finished), "answers": len(stands.answers)}
            for lesson in _known(events)
            for stands in [standing(events, lesson.key)]
        },
        "cards": [{**vars(card), "due": card.due.isoformat()} for card in cards(events)],
    }


def read_progress(path: str) -> list[Event]:
    """The events in a file that was exported. Raises InputError if there are none."""
    if not path:
        raise UsageError("import what? Name a file that progress export made")
    found = list(read_events(read_text(path)))
    if not found:
        raise InputError("{path}: holds no events of lessons", path=path)
    return found


def choose_lesson(word: str, events: list[Event]) -> Lesson | None:
    """The lesson that is meant: the next, a name, a folder; None for a folder of several."""
    if word == "next":
        return next_lesson(lessons(), events)
    if Path(word).is_dir() and not (Path(word) / FILE).exists():
        return None
    return read_lesson(find_lesson(word))


def export_progress(progress: Progress, path: str, output: Output) -> None:
    """Write all events to a file, or to the terminal. Raises UsageError."""
    text = as_lines(progress.events())
    if path:
        Output(output=path, force=output.force).save(text)
    else:
        print(text, end="")
