"""Long work says how far it is: a bar on a terminal, now and then a line elsewhere, nothing if it is quick."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from backprop_cli.language import tr
from backprop_cli.render.blocks import labelled

T = TypeVar("T")
PATIENCE = 5.0
"""Seconds between two lines where there is no terminal."""
AT_ONCE = 0.5
"""Seconds after which a terminal shows that something is going on."""


def progress(items: Iterable[T], total: int, doing: str, quiet: bool = False) -> Iterator[T]:
    """The same items, with progress told on standard error, which must be a terminal for the bar."""
    if quiet:
        yield from items
    elif sys.stderr.isatty():
        yield from track(items, doing, total, console=Console(stderr=True), transient=True)
    else:
        last = time.monotonic()
        for number, item in enumerate(items, 1):
            yield item
            if time.monotonic() - last > PATIENCE and number < total:
                last = time.monotonic()
                done = tr("{number} of {total}", number=number, total=total)
                print(labelled(doing, done), file=sys.stderr, flush=True)


def patiently(items: Iterable[T], doing: str, quiet: bool = False) -> Iterator[T]:
    """The same items; if one is long in coming, standard error says meanwhile what is being done."""
    rest = iter(items)
    while True:
        with _busy(doing, quiet):
            try:
                item = next(rest)
            except StopIteration:
                return
        yield item


@contextmanager
def _busy(doing: str, quiet: bool) -> Iterator[None]:
    status = Console(stderr=True).status(doing, spinner="line")
    if sys.stderr.isatty():
        timer = Timer(AT_ONCE, status.start)
    else:
        timer = Timer(PATIENCE, lambda: print(f"{doing} ...", file=sys.stderr, flush=True))
    if not quiet:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if timer.ident:
            timer.join()
        status.stop()
