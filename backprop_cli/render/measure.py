"""How wide a terminal really draws a sign: draw it, and ask the terminal where the cursor is now."""

from __future__ import annotations

import os
import re
import select
import sys

SIGN = "─"
"""One of the signs that Unicode calls ambiguous: one column in the West, two in some Chinese terminals."""
WHERE, ERASE = "\x1b[6n", "\r\x1b[2K"
PATIENCE = 0.5
"""Seconds to wait for a terminal's answer; some never give one."""


def ambiguous_width() -> int | None:
    """The columns an ambiguous sign takes on this terminal; None where there is none, or none that answers."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        return None
    try:
        import termios  # not on Windows
        import tty
    except ImportError:
        return None
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        tty.setcbreak(keyboard)
        sys.stdout.write(f"\r{SIGN}{WHERE}")
        sys.stdout.flush()
        column = _answer(keyboard)
    except UnicodeEncodeError:
        return None
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
        sys.stdout.write(ERASE)
        sys.stdout.flush()
    return column and column - 1


def _answer(keyboard: int) -> int | None:
    """The column in a terminal's answer, `ESC [ row ; column R`."""
    said = b""
    while b"R" not in said and select.select([keyboard], [], [], PATIENCE)[0]:
        said += os.read(keyboard, 32)
    found = re.search(rb"\x1b\[\d+;(\d+)R", said)
    return int(found[1]) if found else None
