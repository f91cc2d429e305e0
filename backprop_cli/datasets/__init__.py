"""Data to train on: made up by a rule, shipped inside, or read from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.datasets.cifar import read_cifar
from backprop_cli.datasets.dataset import Dataset
from backprop_cli.datasets.generated import GENERATORS
from backprop_cli.datasets.idx import read_idx
from backprop_cli.datasets.tables import read_npz, read_table, read_text
from backprop_cli.errors import InputError, UsageError
from backprop_cli.language import tr
from backprop_cli.spec import WORD, look_up

__all__ = ["GENERATORS", "Dataset", "read_data"]

DIGITS = Path(__file__).parent / "digits.npz"
"""1,797 handwritten digits of 8 × 8 pixels from 0 to 16; whose they are stands in digits.md beside it."""

ENDINGS: dict[str, Callable[[str], Dataset]] = {
    ".npz": read_npz, ".csv": read_table, ".tsv": read_table, ".txt": read_text, ".bin": read_cifar,
}  # fmt: skip


def read_data(source: str, rng: np.random.Generator) -> Dataset:
    """The data that `--data` names: `digits`, a rule such as `spirals(samples=600)`, a file, or a folder.

    Raises InputError for a file that cannot be read, UsageError for a name that nobody knows.
    """
    if source == "digits":
        return read_npz(str(DIGITS))._replace(name=source)
    path = Path(source)
    if WORD.fullmatch(source) and not path.exists():
        return _generated(source, rng)
    if path.is_dir():
        return _from_folder(path)
    if "idx" in path.name:
        return read_idx(source)
    if path.suffix not in ENDINGS:
        known = tr("known: {names}", names=", ".join((*ENDINGS, "…-idx3-ubyte", "…-idx3-ubyte.gz")))
        raise UsageError("{path}: its name does not tell what kind of data it holds; {known}", path=source, known=known)
    return ENDINGS[path.suffix](source)


def _generated(source: str, rng: np.random.Generator) -> Dataset:
    x, y = look_up("data", source, GENERATORS, also=("digits",))(rng)
    return Dataset(source, "points", x, y)


def _from_folder(path: Path) -> Dataset:
    """A folder as MNIST or CIFAR-10 are unpacked into."""
    images: list[Any] = sorted(path.glob("train-images*idx3-ubyte*"))
    if images:
        return read_idx(str(images[0]))
    if any(path.glob("data_batch_*.bin")):
        return read_cifar(str(path))
    raise InputError(
        "{path}: a folder without train-images-idx3-ubyte[.gz] (MNIST) or data_batch_1.bin (CIFAR-10)", path=path
    )
