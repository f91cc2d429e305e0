"""What a learner did: a line for each answer, in a file that only ever grows.

A line is on the disk before the next question is asked, so that nothing that happens can lose more than one answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_state_path

from backprop_cli.errors import InputError, UsageError
from backprop_cli.language import tr

Event = dict[str, Any]
"""at (UTC), lesson, question, seed, verdict, typed."""
GOOD = ("right", "carried")
"""Verdicts on a right answer."""
FINISHED = (*GOOD, "shown")
"""Verdicts after which a question is not asked again."""
JUDGED = (*FINISHED, "wrong")
DAYS = (1, 2, 4, 8, 16)
"""The five Leitner boxes: after so many days a question is due again."""
NEEDED = {"at": str, "lesson": str, "seed": int, "verdict": str}


def progress_home() -> Path:
    """The folder for what is remembered: BACKPROP_HOME, or the platform's place for it."""
    return Path(os.environ.get("BACKPROP_HOME") or user_state_path("backprop"))


@dataclass(frozen=True)
class Progress:
    """The file events.jsonl in a folder."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "events.jsonl"

    def events(self) -> list[Event]:
        """What happened, in order. Lines that are none of ours, as after a crash, are passed over.

        Raises InputError.
        """
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            why = tr(error.strerror or "")
            raise InputError("{path}: cannot be read: {why}", path=self.path, why=why) from None
        return list(read_events(text))

    def add(self, **event: Any) -> None:
        """Write one event down, at once. Raises InputError."""
        line = as_lines([{"at": now().isoformat(timespec="milliseconds"), **event}])
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                if file.seek(0, os.SEEK_END):
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":  # the one before was cut off
                        line = "\n" + line
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            why = tr(error.strerror or "")
            raise InputError("{path}: cannot be written: {why}", path=self.path, why=why) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While one program asks, no other does. Raises UsageError if one does already."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise UsageError(
                "another lesson or review is open in {folder}; leave it with q first, or set BACKPROP_HOME to another "
                "folder",
                folder=self.folder,
            ) from None
        except OSError as error:
            why = tr(error.strerror or "")
            raise InputError("{path}: cannot be written: {why}", path=self.folder, why=why) from None
        try:
            yield
        finally:
            lock.release()

    def reset(self, lesson: str = "") -> int:
        """Forget everything, or one lesson; what was is added to a file beside it, .bak. Returns how many events."""
        events = self.events()
        kept = [event for event in events if lesson and event["lesson"] != lesson]
        if len(kept) < len(events):
            with self.path.with_suffix(".jsonl.bak").open("ab") as backup:
                backup.write(self.path.read_bytes())
            self.path.unlink()
            self.merge(kept)
        return len(events) - len(kept)

    def merge(self, events: list[Event]) -> int:
        """Add events from elsewhere, each once, in the order of time. Returns how many were new."""
        known = self.events()
        lines = {json.dumps(event, ensure_ascii=False, sort_keys=True): event for event in (*known, *events)}
        ordered = sorted(lines.values(), key=lambda event: str(event["at"]))
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".jsonl.new")
        beside.write_text(as_lines(ordered), encoding="utf-8", newline="\n")
        beside.replace(self.path)
        return len(ordered) - len(known)


def as_lines(events: Iterable[Event]) -> str:
    """Events as they stand in the file, a line each."""
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)


def read_events(text: str) -> Iterator[Event]:
    """The events in a text, a line each; other lines are passed over."""
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and all(isinstance(event.get(key), kind) for key, kind in NEEDED.items()):
            with suppress(ValueError):
                datetime.fromisoformat(event["at"])
                yield event


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Standing:
    """How far one lesson is: the seed it goes on with, the questions that are finished, and the last one asked.

    `done` is whether it was ever done, `complete` whether it is now: it may have been begun anew.
    """

    seed: int = 1
    finished: frozenset[str] = frozenset()
    answers: tuple[Event, ...] = ()
    done: bool = False
    last: str = ""
    complete: bool = False


def standing(events: list[Event], lesson: str) -> Standing:
    """Where a lesson stands: since it was last begun anew."""
    found = Standing()
    for event in events:
        if event["lesson"] != lesson or event.get("review"):
            continue
        match event["verdict"]:
            case "begun":
                found = Standing(event["seed"], done=found.done)
            case "new":
                found = replace(found, seed=event["seed"])
            case "done":
                found = replace(found, done=True, complete=True)
            case verdict:
                question = str(event.get("question", ""))
                finished = found.finished | ({question} if verdict in FINISHED else set())
                answers = (*found.answers, event)
                found = replace(found, seed=event["seed"], finished=finished, answers=answers, last=question)
    return found


@dataclass(frozen=True)
class Card:
    """A question that was answered, in one of the boxes; it is due from a moment on."""

    lesson: str
    question: str
    box: int
    due: datetime
    seed: int


def cards(events: list[Event]) -> list[Card]:
    """Every question that was finished once, the longest due first.

    What counts is the first judged answer to each set of numbers: right moves it a box up, all else into the first.
    """
    found: dict[tuple[str, str], Card] = {}
    seen: set[tuple[str, str, int]] = set()
    helped: set[tuple[str, str, int]] = set()
    for event in events:
        asked = (event["lesson"], str(event.get("question", "")), event["seed"])
        if event["verdict"] == "hint":
            helped.add(asked)
        if event["verdict"] not in JUDGED or asked in seen:
            continue
        seen.add(asked)
        before = found.get(asked[:2])
        good = event["verdict"] in GOOD and asked not in helped
        box = min(before.box + 1, len(DAYS)) if good and before else 2 if good else 1
        when = _moment(event["at"]) + timedelta(days=DAYS[box - 1])
        found[asked[:2]] = Card(*asked[:2], box, when, event["seed"])
    return sorted(found.values(), key=lambda card: card.due)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
