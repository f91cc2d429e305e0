"""Every sign the program writes, and how to spell it where the terminal lacks it.

All text is composed with the signs of the whiteboard. Before it is laid out, `spell` replaces those that the output's
encoding does not have, so that no command ever fails, or misaligns, for want of a character.
"""

import re
from functools import cache
from unicodedata import east_asian_width

ASCII = {
    "∂L/∂z": "dL/dz", "∂L/∂": "d", "∂": "d", "m̂": "mhat", "v̂": "vhat", "x̂": "xhat", "\N{NO-BREAK SPACE}": " ",
    "δ": "delta", "σ": "sigma", "Σ": "sum", "Φ": "Phi", "π": "pi",
    "α": "alpha", "β": "beta", "ε": "eps", "μ": "mu", "ρ": "rho", "λ": "lambda", "ζ": "zeta",
    "·": "*", "−": "-", "×": "x", "√": "sqrt", "≤": "<=", "≥": ">=", "≈": "~", "±": "+-", "→": "->", "∞": "inf",
    "σ′": "sigma'", "′": "_new", "²": "^2", "ᵀ": "^T", "½": "1/2", "⅓": "1/3", "‖": "|", "…": "...", "–": "-", "—": "-",
    "✓": "ok", "✗": "WRONG", "•": "*", "◆": "O", "◇": "o", "─": "-", "━": "=", "│": "|",
    "∙": ".", "┬": "+",
    "┐": "+", "┘": "+", "┤": "+", "┴": "+", "┼": "+", "├": "+", "└": "+", "█": "#", "“": '"', "”": '"', "’": "'",
    **dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)),
}  # fmt: skip
LETTERS = dict(zip("ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "aehijklmnoprstuvx", strict=True))
TIMES = {**dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ᵗ⁻", "0123456789t-", strict=True)), "⁽": "", "⁾": ""}
SIGN = "|".join(sorted(ASCII, key=len, reverse=True))
SUBSCRIPT = f"[{''.join(LETTERS)}]+"
SUPERSCRIPT = f"⁽[{''.join(TIMES)}]+⁾"
CONTROL = {
    code: ascii(chr(code))[1:-1]
    for code in (
        *range(9),
        *range(11, 32),
        *range(127, 160),
        0x2028,
        0x2029,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
}
"""Characters that would steer a terminal, and the escapes by which they are shown instead."""


def spell(text: str, encoding: str = "ascii", simple: bool = False) -> str:
    """`text` with each sign that `encoding` lacks in its ASCII spelling: `∂L/∂W₁` is `dW1`, `Σᵢ` is `sum_i`.

    With `simple`, every sign is spelled out, and only the letters of a language such as Chinese stay as they are.
    """
    signs = "ascii" if simple else encoding
    if fits(text, signs):
        return text
    text = re.sub(SUBSCRIPT, lambda run: _kept(run[0], signs) or f"_{_plain(run[0])}", text)
    text = re.sub(SUPERSCRIPT, lambda run: _kept(run[0], signs) or f"@{_plain(run[0])}", text)
    text = re.sub(SIGN, lambda sign: _kept(sign[0], signs) or ASCII[sign[0]], text)
    return text if fits(text, signs) else "".join(_letter(character, signs, encoding) for character in text)


def _plain(run: str) -> str:
    """The letters and digits that were written low or high."""
    return "".join((LETTERS | TIMES)[sign] for sign in run)


def _letter(character: str, signs: str, encoding: str) -> str:
    """A character that is no sign of ours: as it is if it may be shown, else as an escape."""
    language = east_asian_width(character) in ("W", "F")
    shown = fits(character, signs) or (language and fits(character, encoding))
    return character if shown else character.encode("ascii", "backslashreplace").decode("ascii")


def visible(text: str) -> str:
    """`text` with control characters shown as escapes, so that no string we were handed can steer the terminal."""
    return text.translate(CONTROL)


@cache
def fits(text: str, encoding: str) -> bool:
    """Whether the encoding has every character of `text`."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _kept(sign: str, encoding: str) -> str:
    return sign if fits(sign, encoding) else ""
