"""A step as one JSON document, for other programs. Its form is a contract: `backprop.step/1`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from backprop_cli.notation import Notation
from backprop_cli.render.blocks import Plot
from backprop_cli.render.report import Asked
from backprop_cli.render.whatif import WhatIf
from backprop_cli.render.why import NUDGE, Why
from backprop_cli.trace import Trace
from backprop_cli.variations import Federated, Private, Shards
from backprop_cli.verdict import Check

CONVENTIONS = {
    "x": "(samples, inputs)",
    "W": "(outputs, inputs)",
    "z": "z = a W^T + b",
    "delta": "dL/dz",
    "update": "w_new = w - lr * dL/dw",
    "addresses": "counted from 1; with several samples the sample comes first, z1[3;2]",
}


def step_document(
    problem: Asked, trace: Trace, checks: Iterable[Check], history: list[dict[str, Any]]
) -> dict[str, Any]:
    """Everything about one step. `history` has an entry for each step if there were several."""
    names = list(problem.params)
    document = {
        "schema": "backprop.step/1",
        "problem": problem.settings,
        "conventions": {**CONVENTIONS, **_loss(trace)},
        "values": plain_numbers(trace.values),
        "loss": float(trace["L"]),
        "gradients": plain_numbers({name: trace[f"d{name}"] for name in names}),
        "updated": plain_numbers({name: trace.values.get(f"{name}_new", trace[name]) for name in names}),
        "optimizer_state": plain_numbers(
            {name: trace.values.get(f"{name}_new", old) for name, old in problem.state.items()}
        ),
        "steps": [
            {"ref": step.ref, "phase": step.phase, "formula": str(step.formula), "operands": dict(step.operands)}
            for step in trace.steps
        ],
        "checks": check_list(trace, checks),
    }
    return document | ({"history": history} if history else {})


def shared_document(step: Shards | Private | Federated, trace: Trace) -> dict[str, Any]:
    """A step that is shared out: what each part says, what they come to together, and the parameters after it."""
    problem = step.problem
    document: dict[str, Any] = {
        "schema": "backprop.shared/1",
        "problem": problem.settings,
        "loss": float(trace["L"]),
        "gradients": plain_numbers({name: trace[f"d{name}"] for name in problem.params}),
    }
    if isinstance(step, Federated):
        clients = zip(step.edges, step.results, strict=True)
        document["clients"] = [
            {"samples": [first + 1, end], "params": plain_numbers(result.params)} for (first, end), result in clients
        ]
        return document | {"average": plain_numbers(step.after.params)}
    document["parts"] = [
        {
            "samples": [each.first + 1, each.end],
            "loss": each.loss,
            "norm": each.norm,
            "gradients": plain_numbers(each.gradients),
            **({"factor": step.factor(each)} if isinstance(step, Private) else {}),
        }
        for each in step.parts
    ]
    gradients, after = plain_numbers({name: step.gradient(name) for name in problem.params}), step.after
    updated = plain_numbers({name: after.values.get(f"{name}_new", after[name]) for name in problem.params})
    if isinstance(step, Shards):
        return document | {"together": gradients, "updated": updated}
    noise = plain_numbers({name: step.noise_in(name) for name in problem.params})
    return document | {"clip": step.clip, "noise": noise, "private": gradients, "updated": updated}


def _loss(trace: Trace) -> dict[str, str]:
    """What the loss means, where there is one."""
    kernels = {step.ref: step.kernel for step in trace.of_phase("loss")}
    whole = kernels.get("L") if "J0" not in kernels else kernels["J0"]
    loss = kernels.get("E")
    return {"loss": (loss.plain or loss).doc, "reduction": whole.doc} if loss and whole else {}


def check_document(problem: Asked, trace: Trace, checks: Iterable[Check]) -> dict[str, Any]:
    """The verdicts alone, the worst first."""
    return {"schema": "backprop.check/1", "problem": problem.settings, "checks": check_list(trace, checks)}


def why_document(problem: Asked, why: Why, checks: Iterable[Check]) -> dict[str, Any]:
    """One number: its value, its paths to the loss, what a nudge promises and does, and the verdicts."""
    notation = why.notation
    document: dict[str, Any] = {
        "schema": "backprop.why/1",
        "problem": problem.settings,
        "address": notation.address(why.ref, why.place),
        "value": why.value,
        "paths": None,
    }
    if why.source:
        found = why.paths
        document["paths"] = {
            "count": found.number,
            "total": found.total,
            "engine": float(why.trace.entry(f"d{why.source}", why.place)),
            "largest": [
                {
                    "product": path.product,
                    "through": [notation.address(link.step.ref, link.place) for link in path.links],
                    "slopes": [link.slope for link in path.links],
                }
                for path in found.largest
            ],
        }
        document["nudge"] = {"by": NUDGE, "promised": NUDGE * found.total, "true": why.truth}
    return document | {"checks": check_list(why.trace, checks)}


def whatif_document(problem: Asked, found: WhatIf, plot: Plot | None) -> dict[str, Any]:
    """Some numbers changed: every entry that moved, and the loss beside what was promised."""
    notation, trace = found.notation, found.trace
    was = float(trace["L"])
    return {
        "schema": "backprop.whatif/1",
        "problem": problem.settings,
        "changes": [
            {"address": notation.address(ref, place), "was": float(trace.entry(ref, place)), "now": value}
            for ref, place, value in found.changes
        ],
        "moved": [
            {
                "address": notation.address(ref, place),
                "was": float(trace.entry(ref, place)),
                "now": float(np.asarray(found.now[ref])[place]),
            }
            for ref, places in found.moved()
            for place in places
        ],
        "loss": {"was": was, "now": was + found.truth, "change": found.truth, "promised": found.forecast},
        "sweep": plot
        and {
            "address": notation.address(*found.changes[0][:2]),
            "x": plot.xs,
            "L": plot.ys,
            "tangent": plot.tangent,
            "new": plot.new,
        },
    }


def check_list(trace: Trace, checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Verdicts, each with its worst entry by address."""
    notation = Notation(trace)
    return [
        {
            "ref": check.ref,
            "witness": check.witness,
            "max_abs_error": check.max_abs_error,
            "max_rel_error": check.max_rel_error,
            "verdict": check.verdict,
            "reason": check.reason,
            "checked": check.checked,
            "total": check.total,
            "floor": check.floor,
            "under_floor": check.under,
            "worst": check.worst
            and {
                "address": notation.address(check.ref, check.worst.place),
                "engine": check.worst.engine,
                "witness": check.worst.witness,
            },
            "slopes": check.slopes,
        }
        for check in checks
    ]


def plain_numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays as nested lists, numbers as numbers."""
    return {ref: np.asarray(value, float).tolist() for ref, value in values.items()}
