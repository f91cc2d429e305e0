"""Every sign the program writes, and how to spell it where the terminal lacks it.

All text is composed with the signs of the whiteboard. Before it is laid out, `spell` replaces those that the output's
encoding does not have, so that no command ever fails, or misaligns, for want of a character.
"""

import re
from functools import cache

ASCII = {
    "∂L/∂": "d", "m̂": "mhat", "v̂": "vhat", "∂": "d", "δ": "delta", "σ": "sigma", "Σ": "sum", "Φ": "Phi", "π": "pi",
    "α": "alpha", "β": "beta", "ε": "eps", "μ": "mu", "ρ": "rho", "λ": "lambda", "ζ": "zeta",
    "·": "*", "−": "-", "×": "x", "√": "sqrt", "≤": "<=", "≥": ">=", "≈": "~", "±": "+-", "→": "->", "∞": "inf",
    "′": "_new", "²": "^2", "ᵀ": "^T", "½": "1/2", "⅓": "1/3", "‖": "|", "…": "...", "–": "-", "—": "-",
    "✓": "ok", "✗": "WRONG", "•": "*", "─": "-", "━": "=", "│": "|", "█": "#", "“": '"', "”": '"', "’": "'",
    **dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)),
}  # fmt: skip
LETTERS = dict(zip("ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "aehijklmnoprstuvx", strict=True))
SIGN = re.compile("|".join(map(re.escape, sorted(ASCII, key=len, reverse=True))))
SUBSCRIPT = re.compile(f"[{''.join(LETTERS)}]+")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def spell(text: str, encoding: str = "ascii") -> str:
    """`text` with each sign that `encoding` lacks in its ASCII spelling: `∂L/∂W₁` is `dW1`, `Σᵢ` is `sum_i`."""
    if fits(text, encoding):
        return text
    text = SUBSCRIPT.sub(lambda run: _kept(run[0], encoding) or "_" + "".join(LETTERS[sign] for sign in run[0]), text)
    text = SIGN.sub(lambda sign: _kept(sign[0], encoding) or ASCII[sign[0]], text)
    return text if fits(text, encoding) else text.encode(encoding, "backslashreplace").decode(encoding)


def visible(text: str) -> str:
    """`text` with control characters shown as escapes, so that no string we were handed can steer the terminal."""
    return CONTROL.sub(lambda sign: sign[0].encode("unicode_escape").decode(), text)


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
