"""Imports point down only: each file may use the floors below its own, and its siblings where that is said."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "backprop_cli"

FLOORS = [
    ["language", "glyphs", "lines", "refs"],
    ["errors", "welcome", "syntax"],
    ["indices"],
    ["formula"],
    ["kernel"],
    ["trace"],
    ["layers", "optimizers", "program"],
    ["spec", "files", "typed"],
    ["arrays", "schedules", "augment"],
    ["network", "problem_file", "datasets"],
    ["naming", "building"],
    ["parameters", "samples"],
    ["problem", "expression", "fitting"],
    ["verdict", "notation", "loops", "data", "engine"],
    ["numeric", "worked", "remarks", "rewrites", "addresses", "linear", "training"],
    ["symbolic", "mistakes", "claims", "paths", "checkpoint", "session", "writing"],
    ["words", "signs", "variations", "weights"],
    ["render", "keeping"],
    ["predict"],
    ["api"],
    ["play"],
    ["course", "grading"],
    ["exercises"],
    ["commands"],
    ["cli"],
    ["__main__"],
]
"""From the ground up. What stands on one floor is independent of its neighbours."""

LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
LAZY = {
    "api.py": {"backprop_cli.symbolic"},
    "__main__.py": {"backprop_cli.cli"},
    "language.py": {"gettext", "locale"},
    "play.py": {"readline"},
    "measure.py": {"termios", "tty"},
    "arrays.py": {"zipfile", "zlib"},
}
"""Imports inside functions: what is slow to load and not always needed."""

FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room(name: str) -> str:
    """The part of the package that a module belongs to: layers for backprop_cli.layers.dense."""
    return name.split(".")[1] if "." in name else ""


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module, and whether that is at the top of the file."""
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    typing_only = {
        id(part)
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "backprop_cli" else [module]
            yield from ((name, id(node) in top) for name in names)


def test_every_file_has_a_floor() -> None:
    rooms = {path.parts[0].removesuffix(".py") for path in FILES} - {"__init__", "py"}
    assert rooms == set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_down(path: Path) -> None:
    here = path.parts[0].removesuffix(".py")
    if here == "__init__":
        return
    for name, _ in imports(path):
        there = room(name)
        if name.startswith("backprop_cli.") and there in LEVEL and there != here:
            assert LEVEL[there] < LEVEL[here], f"{path} (floor {LEVEL[here]}) imports {name} (floor {LEVEL[there]})"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_are_at_the_top(path: Path) -> None:
    inside = {name for name, top in imports(path) if not top}
    assert inside <= LAZY.get(path.name, set()), f"{path} imports {inside} inside a function"


def test_only_the_symbolic_witness_uses_sympy() -> None:
    users = {str(path) for path in FILES for name, _ in imports(path) if name.split(".")[0] == "sympy"}
    assert users == {"symbolic.py"}


def test_commands_load_the_engine_only_when_they_run() -> None:
    """They import the package itself, which is lazy, and nothing of the engine; `--help` stays quick."""
    light = {"language", "lines", "errors", "welcome", "commands"}
    for path in FILES:
        if path.parts[0] == "commands":
            assert {room(name) for name, _ in imports(path) if name.startswith("backprop_cli.")} <= light


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_file_opens_with_a_plain_sentence(path: Path) -> None:
    text = ast.get_docstring(ast.parse((PACKAGE / path).read_text(encoding="utf-8")))
    assert text, f"{path} has no opening sentence"
    assert text.split("\n\n")[0].rstrip().endswith((".", ":", "?")), path
