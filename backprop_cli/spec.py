"""Reading a network's description, word by word.

`2 dense2 tanh dense1 sigmoid` lists the layers after the input's size; for the plain case `2-2-1` says the same in
short. A word is a name, perhaps a size, and in brackets its options: `dense64`, `leaky_relu(0.1)`, `adam(beta1=0.8)`.
The input may have several axes, `1x28x28`, and so may a layer's size, `embedding64x32`. The brackets of `residual`
hold layers: `residual(dense4 tanh dense4)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from backprop_cli.errors import UsageError, unknown
from backprop_cli.kernel import Body, Range, options_of, ranges_of
from backprop_cli.language import later, plural, tr
from backprop_cli.layers import ALIASES

LARGEST = 20_000_000
"""The most units a layer, or parameters a network, may have; more is refused before any memory is asked for."""

SHORT = re.compile(r"[^\s-]+(-[^\s-]+)+")
WORD = re.compile(r"(?P<name>[A-Za-z_]+)(?P<size>(\d+(x\d+)*)?)(\((?P<args>.*)\))?")
NESTED = ("residual",)
"""The words whose brackets hold layers."""
EXAMPLE = later("3-4-2 or '3 dense4 relu dense2 softmax'")


class Word(NamedTuple):
    """One word of a description."""

    name: str
    sizes: tuple[int, ...] = ()
    args: tuple[float, ...] = ()
    options: Mapping[str, float] = {}
    inner: tuple[Word, ...] = ()

    def settings(self, defaults: Mapping[str, float], ranges: Mapping[str, Range]) -> dict[str, float]:
        """`defaults`, changed by what the word says in its brackets. Raises UsageError."""
        if (self.args or self.options) and not defaults:
            raise UsageError("{name} takes no options", name=self.name)
        if len(self.args) > len(defaults):
            raise UsageError(
                "{name} takes {options}; it was given {numbers}",
                name=self.name,
                options=", ".join(defaults),
                numbers=plural(len(self.args), "number"),
            )
        for name in self.options:
            if name not in defaults:
                raise unknown(tr("option of {name}", name=self.name), name, defaults)
        found = {**defaults, **dict(zip(defaults, self.args, strict=False)), **self.options}
        for name, value in found.items():
            if value not in ranges[name]:
                raise UsageError(
                    "{name}({option}={value:g}): {option} must be {range}",
                    name=self.name,
                    option=name,
                    value=value,
                    range=ranges[name],
                )
            if isinstance(defaults[name], int):
                if value != int(value):
                    raise UsageError(
                        "{name}({option}={value:g}): {option} must be a whole number",
                        name=self.name,
                        option=name,
                        value=value,
                    )
                found[name] = int(value)
        return found


def read_word(text: str) -> Word:
    """Read one word. Raises UsageError."""
    match = WORD.fullmatch(text)
    if not match:
        raise UsageError("cannot read {text!r}; a layer is written like dense64 or leaky_relu(0.1)", text=text)
    name, sizes = match["name"].lower(), tuple(map(int, filter(None, match["size"].split("x"))))
    if name in NESTED:
        return Word(name, sizes, inner=tuple(map(read_word, parts_of(match["args"] or ""))))
    args: list[float] = []
    options: dict[str, float] = {}
    for part in filter(None, (match["args"] or "").split(",")):
        option, equals, value = part.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            raise UsageError(
                "{text!r}: {part!r} is not a number or name=number", text=text, part=part.strip()
            ) from None
        if option.strip() in options:
            raise UsageError("{text!r}: {name} is given twice", text=text, name=option.strip())
        if equals:
            options[option.strip()] = number
        else:
            args.append(number)
    return Word(ALIASES.get(name, name), sizes, tuple(args), options)


def parts_of(text: str) -> list[str]:
    """A description in words: apart at the blanks that are not in brackets."""
    return list(filter(None, apart(text, str.isspace)))


def apart(text: str, parts: Callable[[str], bool]) -> list[str]:
    """A text in pieces, cut at the characters that part them; inside brackets none does. Raises UsageError."""
    depth, pieces = 0, [""]
    for character in text:
        depth += (character == "(") - (character == ")")
        if parts(character) and not depth:
            pieces.append("")
        else:
            pieces[-1] += character
        if depth < 0:
            break
    if depth > 0:
        raise UsageError("{text!r}: a bracket is not closed", text=text.strip())
    if depth < 0:
        raise UsageError("{text!r}: a bracket is closed that was not opened", text=text.strip())
    return pieces


def look_up(kind: str, text: str, known: Mapping[str, Body], also: Collection[str] = ()) -> Body:
    """The function that a word such as `step(10)` names, with the word's options put in. Raises UsageError.

    `kind` is what such words are called in a message, `also` what could stand there besides.
    """
    word = read_word(text)
    if word.name not in known:
        raise unknown(kind, word.name, (*known, *also))
    body = known[word.name]
    return partial(body, **word.settings(options_of(body), ranges_of(body)))


def read_net(net: str, activations: Sequence[str] | None, last: str) -> tuple[tuple[int, ...], list[Word]]:
    """The shape of one input and the layers' words.

    The short form gets its activations from `activations`, one for all layers or one for each; without them, sigmoid
    and at the end `last`. Raises UsageError.
    """
    if SHORT.fullmatch(net.strip()):
        inputs, *sizes = (read_size(part, net) for part in net.strip().split("-"))
        return (inputs,), _spell_out(net, sizes, activations or ["sigmoid"] * (len(sizes) - 1) + [last])
    head, *parts = parts_of(net) or [""]
    return tuple(read_size(size, net) for size in head.split("x")), [read_word(part) for part in parts]


def read_size(text: str, net: str) -> int:
    """A number of units from 1 to the largest. Raises UsageError."""
    if not (text.isascii() and text.isdigit()):
        raise UsageError(
            "net {net!r}: {text!r} is not a number of units; write a net like {example}",
            net=net,
            text=text,
            example=tr(EXAMPLE),
        )
    if not 1 <= int(text) <= LARGEST:
        raise UsageError(
            "net {net!r}: a layer of {count:,} units; a layer has from 1 to {most:,}",
            net=net,
            count=int(text),
            most=LARGEST,
        )
    return int(text)


def _spell_out(net: str, sizes: Sequence[int], activations: Sequence[str]) -> list[Word]:
    """The short form in words: dense4, its activation, dense2, its activation."""
    names = list(activations) * len(sizes) if len(activations) == 1 else activations
    if len(names) != len(sizes):
        raise UsageError(
            "net {net!r} has {layers}, but there are {activations}: {names}",
            net=net,
            layers=plural(len(sizes), "layer"),
            activations=plural(len(names), "activation"),
            names=", ".join(names),
        )
    return [word for size, name in zip(sizes, names, strict=True) for word in (Word("dense", (size,)), read_word(name))]
