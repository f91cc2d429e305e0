"""The reader's language: English as it stands in the code, or Chinese out of a catalogue.

Every sentence meant for people passes through `tr` on its way out. The English sentence is the key under which the
catalogue (locale/zh/LC_MESSAGES/backprop.po) holds the Chinese one. Values are put into its braces only then, so each
language can have them in its own order; and what the catalogue lacks stays English.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, reduce
from typing import Any, NamedTuple

LANGUAGES = {"en": "English", "zh": "简体中文"}
"""Every language by its code, and what its speakers call it."""

DOMAIN = "backprop"
LOCALE = __file__.removesuffix("language.py") + "locale"
"""The catalogues' folder; pathlib would take longer than the whole greeting may."""

VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Where gettext looks for the language, the first that is set."""


class Wish(NamedTuple):
    """A language somebody asked for, and where: `--lang`, `BACKPROP_LANG`, …"""

    language: str
    source: str


_now = Wish("en", "")


def tr(text: str, /, **values: object) -> str:
    """`text` in the reader's language, with `values` put into its braces."""
    if _now.language != "en" and text:
        text = _catalogue(_now.language).gettext(text)
    return text.format_map(values) if values else text


def later(text: str) -> str:
    """`text` as it is, marked for the catalogue: it is translated where it is shown."""
    return text


def plural(count: int, what: str) -> str:
    """`1 sample`, `3 samples`."""
    one, many = f"{{count}} {what}", f"{{count}} {what}s"
    if _now.language != "en":
        return str(_catalogue(_now.language).ngettext(one, many, count).format(count=f"{count:,}"))
    return (one if count == 1 else many).format(count=f"{count:,}")


def listed(names: Sequence[str]) -> str:
    """`h1`, `h1 and h2`, `h1, h2 and h3`."""
    *others, last = names
    return tr("{others} and {last}", others=", ".join(others), last=last) if others else last


def enumerated(things: Iterable[str]) -> str:
    """`finite difference, complex step`; Chinese has a comma of its own for this."""
    return reduce(lambda first, second: tr("{first}, {second}", first=first, second=second), things)


def current() -> Wish:
    """The language in use, and who asked for it."""
    return _now


def speak(wish: Wish) -> None:
    """Use a language from now on, for Click's own sentences as well; English where the output lacks the letters."""
    global _now
    _now = wish if _shown(wish.language) else Wish("en", f"encoding {sys.stdout.encoding}")
    if _now.language != "en" or "gettext" in sys.modules:
        _tell_gettext(_now.language)


def wanted(arguments: Sequence[str], environment: Mapping[str, str]) -> Wish:
    """The language of a command line: `--lang`, else BACKPROP_LANG, else that of the system."""
    wishes = (*_options(arguments), *_settings(environment))
    return next((wish for wish in wishes if wish.language), Wish("en", ""))


def code(name: str) -> str:
    """The language that a name such as zh_CN.UTF-8, en-GB or 中文 means; empty if it is none of ours."""
    short = name.replace("-", "_").partition("_")[0].partition(".")[0].strip().lower()
    if short in ("c", "posix"):
        return "en"
    long = {"english": "en", "chinese": "zh", "中文": "zh", "简体中文": "zh"}
    return short if short in LANGUAGES else long.get(short.partition(" ")[0], "")


def _options(arguments: Sequence[str]) -> Iterator[Wish]:
    """What `--lang` says, wherever it stands."""
    for this, following in zip(arguments, [*arguments, ""][1:], strict=True):
        name, equals, value = this.partition("=")
        if this == "--":
            return
        if name == "--lang":
            yield Wish(code(value if equals else following), "--lang")


def _settings(environment: Mapping[str, str]) -> Iterator[Wish]:
    """What the environment says: our own variable, and then the system's."""
    yield Wish(code(environment.get("BACKPROP_LANG", "")), "BACKPROP_LANG")
    for variable in VARIABLES:
        if value := environment.get(variable):
            yield from (Wish(code(part), variable) for part in value.split(":"))
            if variable != "LANGUAGE":
                return
    if sys.platform == "win32":
        import locale  # only Windows needs it: elsewhere the variables say it all

        yield Wish(code(locale.setlocale(locale.LC_CTYPE)), "Windows")


def _shown(language: str) -> bool:
    """Whether the output's encoding has the letters of a language."""
    try:
        LANGUAGES[language].encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _tell_gettext(language: str) -> None:
    """Click asks gettext, and gettext the environment."""
    import gettext  # takes a moment, and the English greeting does without

    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain(DOMAIN, LOCALE)
    gettext.textdomain(DOMAIN)


@cache
def _catalogue(language: str) -> Any:
    """The sentences of a language, by the English ones."""
    import gettext

    return gettext.translation(DOMAIN, LOCALE, [language])
