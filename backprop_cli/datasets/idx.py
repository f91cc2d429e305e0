"""The files of MNIST: two zero bytes, a type, the number of axes, their sizes, and then plain numbers.

The images and their labels are two files, perhaps packed with gzip, and so are the images and labels of the test.
(The format is described on the page from which MNIST was first handed out, by LeCun, Cortes and Burges.)
"""

from __future__ import annotations

import gzip
import io
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli import files
from backprop_cli.datasets.dataset import Dataset
from backprop_cli.errors import InputError

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str) -> Dataset:
    """The images of `path`, their labels beside it, and the test of 10,000 if that is there too."""
    test = path.replace("train-", "t10k-")
    apart = _with_labels(test) if test != path and Path(test).exists() else None
    return Dataset(path, "images", *_with_labels(path), apart)


def _with_labels(path: str) -> tuple[Any, Any]:
    """Images, and the labels from the file that goes with them. Raises InputError."""
    file = Path(path)
    beside = file.with_name(file.name.replace("images", "labels").replace("idx3", "idx1"))
    if beside == file:
        raise InputError(
            "{path}: expected images, in a file called like train-images-idx3-ubyte; its labels are found beside it",
            path=path,
        )
    images, labels = _numbers(path), _numbers(str(beside))
    if len(images) != len(labels):
        raise InputError(
            "{path} has {images:,} images, but {labels_path} has {labels:,} labels",
            path=path,
            images=len(images),
            labels_path=beside,
            labels=len(labels),
        )
    return images, labels


def _numbers(path: str) -> Any:
    """The array in one file. Raises InputError if the file is of another kind, or cut short."""
    content = files.read_bytes(path)
    if path.endswith(".gz"):
        content = _unpacked(content, path)
    zeros, kind, axes = content[:2], *content[2:4].ljust(2, b"\0")
    start = 4 + 4 * axes
    if zeros != b"\0\0" or kind not in TYPES or not axes or len(content) < start:
        raise InputError("{path}: not an IDX file, for it does not begin like one", path=path)
    shape = tuple(map(int, np.frombuffer(content[4:start], ">u4")))
    dtype = np.dtype(TYPES[kind])
    promised, found = start + prod(shape) * dtype.itemsize, len(content)
    if promised != found:
        raise InputError(
            "{path}: its head promises {promised:,} bytes, but there are {found:,}",
            path=path,
            promised=promised,
            found=found,
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def _unpacked(content: bytes, path: str) -> bytes:
    try:
        plain = gzip.GzipFile(fileobj=io.BytesIO(content)).read(files.LIMIT + 1)
    except (OSError, EOFError, zlib.error):
        raise InputError("{path}: not a valid {ending} file", path=path, ending=".gz") from None
    if len(plain) > files.LIMIT:
        raise InputError("{path}: unpacks to more than the limit of {most} MiB", path=path, most=files.LIMIT // 2**20)
    return plain
