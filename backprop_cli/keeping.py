"""What a training leaves behind: checkpoints on the way, the parameters and the curves at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backprop_cli import checkpoint, weights
from backprop_cli.errors import UsageError
from backprop_cli.training import Training

PAUSE = 1.0
"""Seconds at least between two checkpoints: an epoch may take less than writing them."""


@dataclass
class Keep:
    """The files that were asked for. Raises UsageError at once if one cannot be meant, not after the training."""

    save: str | None = None
    checkpoint: str | None = None
    resume: bool = False
    plot: str | None = None
    report: str | None = None
    force: bool = False
    written: int = -1
    last: float = 0.0

    def __post_init__(self) -> None:
        if self.save:
            weights.check_ending(self.save)
        if self.checkpoint and not self.checkpoint.endswith(".npz"):
            raise UsageError("{path}: a checkpoint is an .npz file; call it so", path=self.checkpoint)
        if self.plot and not self.plot.endswith(".svg"):
            raise UsageError("{path}: the curves are saved as .svg; call the file so", path=self.plot)
        if self.resume and not self.checkpoint:
            raise UsageError("--resume goes on from a checkpoint; name it: --checkpoint FILE")
        self._check_apart()
        for path in filter(None, (self.save, self.plot, self.checkpoint)):
            self._check(path)

    def _check_apart(self) -> None:
        """Raises UsageError if two options name one file, however it is spelled: one would overwrite the other."""
        options = {"--save": self.save, "--checkpoint": self.checkpoint, "--plot": self.plot, "--output": self.report}
        seen: dict[Path, str] = {}
        for option, path in options.items():
            if path and (other := seen.setdefault(Path(path).resolve(), option)) != option:
                raise UsageError(
                    "{path}: {other} and {option} name one file; give each its own",
                    path=path,
                    other=other,
                    option=option,
                )

    def _check(self, path: str) -> None:
        """Raises UsageError if a file of this name cannot be written, or ought not to be."""
        if Path(path).is_dir():
            raise UsageError("{path} is a folder; name a file in it", path=path)
        if not Path(path).parent.is_dir():
            raise UsageError("{path}: there is no folder {folder}", path=path, folder=Path(path).parent)
        if not Path(path).exists() or self.force or (self.resume and path == self.checkpoint):
            return
        if path == self.checkpoint:
            raise UsageError("{path} is there already: --resume goes on from it, --force begins anew", path=path)
        raise UsageError("{path} is there already; choose another name, or add --force to overwrite it", path=path)

    def start(self, training: Training) -> None:
        """Go on from the checkpoint, or write the first one, before the first step."""
        if self.resume and self.checkpoint:
            training.state = checkpoint.load(self.checkpoint, training)
            self.written = len(training.state.history)
        self.now(training)

    def after_epoch(self, training: Training) -> None:
        """Write a checkpoint, unless the one before was only just written."""
        if time.monotonic() - self.last > PAUSE:
            self.now(training)

    def now(self, training: Training) -> None:
        """Write a checkpoint, if there is anything new."""
        if self.checkpoint and self.written != len(training.state.history):
            checkpoint.save(self.checkpoint, training)
            self.written, self.last = len(training.state.history), time.monotonic()

    def finish(self, training: Training, picture: Callable[[], str]) -> None:
        """Write the parameters and the curves."""
        if self.save:
            weights.save_weights(self.save, training.problem, training.values, training.parts.scaling)
        if self.plot:
            svg = picture().encode()
            checkpoint.write_whole(self.plot, lambda file: file.write(svg))
