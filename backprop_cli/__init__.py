"""backprop: every number of a training step, with its formula, proven three ways.

    import backprop_cli as bp
    t = bp.step("3-4-2", seed=7)
    print(t)

Importing this costs nothing: the engine is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backprop_cli.api import Run, check, step
    from backprop_cli.errors import BackpropError

__version__ = "0.1.0"
__all__ = ["BackpropError", "Run", "__version__", "check", "step"]

HOMES = {
    "api": ("Run", "check", "step"),
    "course.authors": (
        "choose_lesson",
        "export_progress",
        "lesson_notes",
        "new_lesson",
        "preview_lesson",
        "progress_blocks",
        "progress_document",
        "read_progress",
    ),
    "course.catalogue": ("begin_lesson", "lessons", "overview", "review"),
    "course.lesson": ("find_lesson", "read_lesson"),
    "course.linter": ("check_lessons",),
    "course.progress": ("Progress", "progress_home"),
    "errors": ("BackpropError",),
    "exercises.make": ("made_document", "made_sheets", "make_sheets", "read_roster", "sheet_table", "split_addresses"),
    "exercises.trial": ("Trial",),
    "exercises.variants": ("Variants",),
    "grading.batch": ("exit_code", "grade_files", "in_a_line", "marked_whenever", "read_keys", "sheet_paths"),
    "grading.catalogue": ("catalogue_blocks", "catalogue_document"),
    "grading.explain": ("explained",),
    "grading.result": ("graded_document",),
    "keeping": ("Keep",),
    "play": ("Play",),
    "problem_file": ("preset_names",),
    "render.as_json": ("check_document", "shared_document", "step_document", "whatif_document", "why_document"),
    "render.blocks": ("Fact", "Outcome", "facts"),
    "render.curves": ("curves_svg",),
    "render.history": ("History",),
    "render.output": ("Output",),
    "render.plot": ("plot_svg",),
    "render.progress": ("patiently", "progress"),
    "render.report": ("View",),
    "render.measure": ("ambiguous_width",),
    "render.screen": ("look_at", "wants_colour"),
    "render.training": ("TrainingReport", "train_document"),
    "render.watch": ("watch",),
    "render.whatif": ("read_sweep",),
    "session": ("begin", "train"),
    "training": ("Recipe",),
    "render.variations": ("federated", "private", "shards"),
    "variations": ("Federated", "Private", "Shards", "read_privacy"),
    "verdict": ("WITNESSES", "Checks", "worst_first"),
}
"""Where each name lives. Those not in `__all__` are for the commands, which load only what they use."""


def __getattr__(name: str) -> Any:
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
