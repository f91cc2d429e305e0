"""The files of CIFAR-10: one record after another, a byte for the label and 3 × 32 × 32 for the colours.

(Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the binary version.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli import files
from backprop_cli.datasets.dataset import Dataset
from backprop_cli.errors import InputError

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def read_cifar(path: str) -> Dataset:
    """One file of records, or a folder with data_batch_1.bin and so on, and perhaps test_batch.bin for the test."""
    folder = Path(path)
    if not folder.is_dir():
        return Dataset(path, "images", *_records(path), names=CLASSES)
    parts = [_records(str(part)) for part in sorted(folder.glob("data_batch_*.bin"))]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    test = folder / "test_batch.bin"
    return Dataset(path, "images", x, y, _records(str(test)) if test.exists() else None, CLASSES)


def _records(path: str) -> tuple[Any, Any]:
    """Images (N, 3, 32, 32) and labels (N,). Raises InputError if the file ends within a record, or a label is none."""
    content = files.read_bytes(path)
    if not content or len(content) % RECORD:
        raise InputError(
            "{path}: {found:,} bytes are no whole number of CIFAR-10 records of {record:,} bytes",
            path=path,
            found=len(content),
            record=RECORD,
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    wrong = np.flatnonzero(labels >= len(CLASSES))
    if len(wrong):
        raise InputError(
            "{path}: record {number:,} has label {label}, which is not one of 0 … 9",
            path=path,
            number=wrong[0] + 1,
            label=labels[wrong[0]],
        )
    return records[:, 1:].reshape(-1, *SHAPE), labels
