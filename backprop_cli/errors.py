"""What can go wrong, and the exit code each kind of trouble ends with.

BackpropError            one message: what, where, what to do
├── UsageError      2    understood, but it cannot be done: an unknown name, shapes that disagree, NaN
│   └── ShapeError  2    two shapes that should fit and do not
└── InputError      3    a file that could not be read or parsed
"""

from collections.abc import Iterable
from difflib import get_close_matches

from backprop_cli.language import tr


class BackpropError(Exception):
    """An error whose message is meant for the person at the keyboard, in their language; `values` go in its braces."""

    exit_code = 1

    def __init__(self, text: str, /, **values: object) -> None:
        super().__init__(tr(text, **values))


class UsageError(BackpropError):
    """The request was read, but it makes no sense as it stands."""

    exit_code = 2


class ShapeError(UsageError):
    """Two shapes that should fit together do not."""


class InputError(BackpropError):
    """A file is missing, unreadable, or not what its name promises."""

    exit_code = 3


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name nobody knows, with the nearest names that somebody does."""
    choices = sorted(known)
    folded = {choice.lower(): choice for choice in reversed(choices)}
    near = [folded[match] for match in get_close_matches(name.lower(), folded, n=2)]
    hint = (
        tr("did you mean {near}?", near=tr(" or ").join(near))
        if near
        else tr("known: {names}", names=", ".join(choices))
    )
    return UsageError("unknown {kind} {name!r}; {hint}", kind=tr(kind), name=name, hint=hint)
