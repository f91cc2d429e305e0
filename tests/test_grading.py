"""Marking: rounding is no mistake, a slip costs once and has its name, and what follows from it counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pexpect
import pytest
from conftest import ROOT, Run, spawn

from backprop_cli.grading.catalogue import entries
from backprop_cli.grading.key import Key, read_key
from backprop_cli.grading.marking import mark
from backprop_cli.grading.result import Result, grade
from backprop_cli.grading.simulate import HABITS, Error, Habit, Tally, errors_of, filled, honest, judge, pairs, single
from backprop_cli.grading.slopes import with_slopes
from backprop_cli.grading.submission import read_sheet
from backprop_cli.problem import load

CATALOGUE = frozenset(
    """
    no_sigma_prime sigma_prime_of_a z_in_sigma_prime f_for_fprime wrong_fprime extra_sigma_prime dLda_for_dLdz
    bce_one_sided bce_sign sign ascent no_mean mean_twice factor_2 mean_over_outputs w_not_transposed
    w_transposed_forward dw_transposed index_order one_path_only no_weights abs_weights updated_first z_for_a
    wrong_layer_input wrong_layer_delta delta_only input_only extra_activation first_sample_only outer_of_sums
    no_bias db_not_summed db_wrong_axis db_mean db_total db_times_x relu_sign relu_times_z relu_mask_on_delta
    no_activation double_activation double_softmax softmax_axis softmax_unnormalised sigmoid_for_softmax
    wrong_log missing_minus no_learning_rate step_only no_change no_bias_correction epsilon_inside_root
    momentum_damped decimal_slip digit_swap wrong_cell rounded_early
    """.split()  # noqa: SIM905
)


TWO_SAMPLES = {"x": [[0.4, -0.3, 0.7], [0.9, 0.2, -0.5]], "y": [[0, 1], [1, 0]]}


def key_of(net: str = "3-4-2", digits: int = 4, ask: tuple[str, ...] = ("all",), **options: Any) -> Key:
    problem = load(net, **{"lr": 0.5, "seed": 3, **options})
    return Key(problem, with_slopes(problem.run()), {"digits": digits, "ask": list(ask)})


def sheet(key: Key, *mistakes: str, habit: Habit = "carry", changed: Mapping[str, Any] | None = None) -> Result:
    """The marks of a student with these mistakes, each `code at ref`, and with some boxes changed afterwards."""
    known = list(errors_of(key, np.random.default_rng(0)))
    errors = [next(e for e in known if f"{e.code} at {e.ref}" == mistake) for mistake in mistakes]
    submission = filled(key, habit, key.digits, errors)
    text = "\n".join(
        f"{key.address(ref, place)} = {cell.text}"
        for ref in submission.cells
        for place, cell in submission.cells[ref].items()
    )
    for address, typed in (changed or {}).items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{address} =")]
        text = "\n".join([*lines, f"{address} = {typed}"])
    return grade(key, read_sheet(text, "x.txt", key))


def lost(result: Result) -> list[tuple[str, str | None]]:
    return [(item.address, item.mistake) for item in result.items if item.status not in ("correct", "carried")]


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("digits", [2, 3, 4, 6])
def test_a_right_sheet_scores_full_however_it_is_rounded(habit: Habit, digits: int) -> None:
    for seed in range(8):
        result = sheet(key_of(seed=seed, digits=digits), habit=habit)
        assert result.status == "pass" and result.score == result.most == 71, lost(result)
        assert not result.mistakes


@pytest.mark.parametrize("habit", HABITS)
def test_who_forgets_the_slope_in_the_hidden_delta_loses_one_box(habit: Habit) -> None:
    result = sheet(key_of(), "no_sigma_prime at dz1", habit=habit)
    assert lost(result) == [("delta1[1]", "no_sigma_prime")]
    assert [(found.code, found.at, found.evidence) for found in result.mistakes] == [("no_sigma_prime", "delta1", 4)]
    after = [item.status for item in result.items if item.ref in ("dW1", "db1", "W1_new", "b1_new")]
    assert after == ["carried"] * 32
    assert result.score == result.most - 1


def test_a_mistake_where_nothing_is_asked_shows_further_on_and_is_named_there() -> None:
    result = sheet(key_of(), "updated_first at da1")
    assert lost(result) == [("delta1[1]", "updated_first")]
    everywhere = sheet(key_of(optimizer="adam", ask=("update",)), "no_activation at a1")
    assert len(lost(everywhere)) == 1


def test_the_same_wrong_rule_in_several_places_costs_once() -> None:
    result = sheet(key_of(), *(f"no_learning_rate at {ref}" for ref in ("W1_new", "b1_new", "W2_new", "b2_new")))
    assert lost(result) == [("W1_new[1,1]", "no_learning_rate")]
    assert len(result.mistakes) == 4


def test_two_mistakes_cost_two() -> None:
    result = sheet(key_of(), "no_bias at z1", "delta_only at dW1")
    assert lost(result) == [("z1[1]", "no_bias"), ("dW1[1,1]", "delta_only")]


def test_one_number_wrong_by_itself() -> None:
    key = key_of()
    right = f"{float(key.trace['dW2'][1, 2]):.4g}"
    assert lost(sheet(key, changed={"dW2[2,3]": right.replace("0.0", "0.", 1)})) == [("dW2[2,3]", "decimal_slip")]
    assert lost(sheet(key, changed={"dW2[2,3]": right.replace("-", "")})) == [("dW2[2,3]", "sign")]
    assert lost(sheet(key, changed={"dW2[2,3]": "0.77"})) == [("dW2[2,3]", None)]


def test_what_is_copied_wrongly_but_used_rightly_costs_only_itself() -> None:
    result = sheet(key_of(), changed={"a1[2]": "0.1234"})
    assert lost(result) == [("a1[2]", None)]


def test_several_rules_with_one_result_are_all_said_and_none_is_chosen() -> None:
    result = sheet(key_of(), "factor_2 at E")
    assert lost(result) == [("L", None)]
    assert {found.code for found in result.mistakes} == {"factor_2", "mean_over_outputs"}
    assert all(found.confidence <= 0.5 for found in result.mistakes)
    (item,) = (item for item in result.items if item.address == "L")
    assert "come to the same number" in item.note


def test_conventions_that_differ_consistently_are_right() -> None:
    key = key_of(x=[[0.4, -0.3, 0.7], [0.9, 0.2, -0.5], [-0.6, 0.8, 0.3]], y=[[0, 1], [1, 0], [1, 1]])
    back = [ref for ref in key.asked if ref[0] == "d"]

    def scaled(factor: float, mend: bool) -> Result:
        lines = []
        for ref in key.asked:
            value = np.asarray(key.trace[ref]) * (factor if ref in back else 1)
            if ref.endswith("_new") and not mend:
                old = ref.removesuffix("_new")
                value = key.trace[old] - 0.5 * factor * key.trace[f"d{old}"]
            lines += [f"{key.address(ref, place)} = {value[place]:.4g}" for place in np.ndindex(*value.shape)]
        return grade(key, read_sheet("\n".join(lines), "x.txt", key))

    for factor, word in ((-1, "sign"), (3, "mean over the samples"), (2, "½")):
        result = scaled(factor, mend=True)
        assert result.status == "pass", (factor, lost(result)[:5])
        assert word in result.remarks[0]
        assert len(lost(scaled(factor, mend=False))) == 1


def test_transposed_square_weights_are_a_convention_only_if_the_update_is_too() -> None:
    key = key_of("3-3-2")

    def turned(*refs: str) -> Result:
        lines = []
        for ref in key.asked:
            value = np.asarray(key.trace[ref])
            value = value.T if ref in refs else value
            lines += [f"{key.address(ref, place)} = {value[place]:.4g}" for place in np.ndindex(*value.shape)]
        return grade(key, read_sheet("\n".join(lines), "x.txt", key))

    both = turned("dW1", "W1_new")
    assert both.status == "pass" and "Rows and columns" in both.remarks[0]
    one = turned("dW1")
    assert {code for _, code in lost(one)} == {"dw_transposed"} and len(lost(one)) == 1


def test_either_slope_of_relu_at_its_kink_is_right() -> None:
    key = key_of(
        "2-2-1", activation=["relu", "sigmoid"], x=[1, 1], y=[1], ask=("backward",),
        params={"W1": [[0.5, -0.5], [0.4, 0.3]], "b1": [0, 0], "W2": [[0.7, -0.6]], "b2": [0.1]},
    )  # fmt: skip
    slope_one = key.trace.retrace(dz1=key.trace["da1"])
    for values in (key.trace.values, {**key.trace.values, **slope_one}):
        lines = [
            f"{key.address(ref, place)} = {np.asarray(values[ref])[place]:.4g}"
            for ref in key.asked
            for place in np.ndindex(*np.shape(values[ref]))
        ]
        result = grade(key, read_sheet("\n".join(lines), "x.txt", key))
        assert result.status == "pass", lost(result)


def everywhere(key: Key, typed: str, *phases: str) -> Result:
    """A sheet on which the same is typed into every box, or only into those of some phases, and the rest is right."""
    lines = []
    for ref in key.asked:
        for place in np.ndindex(*np.shape(key.trace[ref])):
            right = f"{np.asarray(key.trace[ref])[place]:.4g}"
            same = not phases or key.steps[ref].phase in phases
            lines.append(f"{key.address(ref, place)} = {typed if same else right}")
    return grade(key, read_sheet("\n".join(lines), "x.txt", key))


@pytest.mark.parametrize("typed", ["0", "0.0000", "0.5000", "1.000"])
@pytest.mark.parametrize("phases", [(), ("backward", "update"), ("backward",)])
def test_the_same_number_everywhere_earns_nothing(typed: str, phases: tuple[str, ...]) -> None:
    key = key_of()
    result = everywhere(key, typed, *phases)
    right = sum(key.steps[ref].phase not in phases for ref in key.asked for _ in np.ndindex(*np.shape(key.trace[ref])))
    assert result.score <= (right if phases else 0) + 2, [item.address for item in result.items if item.points]


def test_a_zero_is_a_number_and_what_follows_from_it_counts() -> None:
    assert lost(sheet(key_of(), "no_bias at db2", changed={"db2[1]": "0", "db2[2]": "0"})) == [("db2[1]", "no_bias")]


def test_a_rule_shows_in_most_boxes_or_is_not_named() -> None:
    key = key_of()
    z = np.asarray(key.trace["z1"])[0]
    typed = {f"a1[{unit}]": f"{np.tanh(value) / 2 + 0.3:.4g}" for unit, value in enumerate(z, 1)}
    codes = {code for _, code in lost(sheet(key, changed={**typed, "a1[1]": f"{z[0]:.4g}"}))}
    assert "no_activation" not in codes


def test_a_factor_that_begins_in_the_loss_costs_once() -> None:
    key = key_of()
    scaled = {
        "L": 2 * key.trace["L"],
        **{f"delta2[{unit + 1}]": 2 * float(key.trace["dz2"][0, unit]) for unit in range(2)},
    }
    result = sheet(key, changed={address: f"{float(value):.4g}" for address, value in scaled.items()})
    lost_here = [address for address, _ in lost(result) if address == "L" or address.startswith("delta2")]
    assert lost_here == ["L"]


def test_the_mean_may_be_taken_in_the_gradients_of_the_weights() -> None:
    """δ = a − y, and dW = δᵀa / n, as a well-known course has it."""
    key = key_of(x=[[0.4, -0.3, 0.7], [0.9, 0.2, -0.5], [-0.6, 0.8, 0.3]], y=[[0, 1], [1, 0], [1, 1]], loss="bce_sum")
    lines = []
    for ref in key.asked:
        value = np.asarray(key.trace[ref]) * (3 if ref.startswith("dz") else 1)
        lines += [f"{key.address(ref, place)} = {value[place]:.4g}" for place in np.ndindex(*value.shape)]
    result = grade(key, read_sheet("\n".join(lines), "x.txt", key))
    assert result.status == "pass", lost(result)[:4]


def test_both_ways_to_write_the_step_alone_are_known() -> None:
    key = key_of()
    typed = {
        key.address(ref, place): f"{-0.5 * key.trace[f'd{ref[:-4]}'][place]:.4g}"
        for ref in key.asked
        if ref.endswith("_new")
        for place in np.ndindex(*np.shape(key.trace[ref]))
    }
    result = sheet(key, changed=typed)
    assert {code for _, code in lost(result)} == {"step_only"} and len(lost(result)) == 1


def test_rounding_on_the_way_is_forgiven_and_said() -> None:
    key = key_of()
    a, W, b = (np.asarray(key.trace[ref]) for ref in ("a1", "W2", "b2"))
    z = np.round(a, 2) @ W.T + b
    assert abs(z - key.trace["z2"]).max() > 1e-4
    result = sheet(key, changed={"z2[1]": f"{z[0, 0]:.4g}", "z2[2]": f"{z[0, 1]:.4g}"})
    (first,) = (item for item in result.items if item.address == "z2[1]")
    assert (first.status, first.mistake) == ("correct", "rounded_early") and "keep 4" in first.note


def test_too_few_digits_are_said_and_enough_are_enough() -> None:
    key = key_of()
    value = float(key.trace["a1"][0, 0])
    few = sheet(key, changed={"a1[1]": f"{value:.1g}"})
    (item,) = (item for item in few.items if item.address == "a1[1]")
    assert item.status == "wrong" and "too few digits" in item.note and item.mistake is None
    enough = sheet(key, changed={"a1[1]": f"{value:.3g}"})
    assert enough.score == enough.most


def test_the_mistakes_of_the_catalogue_are_known() -> None:
    assert set(CATALOGUE) <= {entry.code for entry in entries()}


@pytest.mark.parametrize(
    "options",
    [
        {"activation": ["tanh", "sigmoid"], "loss": "bce_sum", **TWO_SAMPLES},
        {"net": "2-3-3", "activation": ["relu", "softmax"], "loss": "ce", "optimizer": "momentum", "seed": 5},
    ],
    ids=["batch", "softmax"],
)  # fmt: skip
def test_every_single_mistake_is_named_right_or_said_to_be_several(options: dict[str, Any]) -> None:
    tally = Tally()
    single(key_of(**options), 4, tally, np.random.default_rng(1), HABITS[:1])
    assert tally.count("named") > 90
    assert tally.outcomes.get("misnamed", []) == []
    assert tally.uncarried == []
    assert tally.count("silent") <= 3, tally.outcomes["silent"]


def test_two_mistakes_are_hardly_ever_called_by_a_wrong_name() -> None:
    tally = Tally()
    pairs(key_of(), 4, tally, np.random.default_rng(1), 40)
    assert tally.count("misnamed") == 0
    assert tally.count("named") > 25


def test_the_trial_notices_a_marking_that_is_wrong() -> None:
    key = key_of()
    tally = Tally()
    honest(Key(key.problem, key.trace, {**key.sheet, "digits": 6}), 2, tally)
    assert tally.rejected  # two digits, where six are asked for, do not tell some mistakes from what is right
    judge(key, [Error("no_bias", "z1", lambda hand: hand["z1"] + 0.5)], "carry", 4, tally)
    assert tally.count("named") == 0
    judge(key, [Error("no_bias", "dz1", lambda hand: np.asarray(hand["da1"]))], "carry", 4, tally)
    assert tally.count("misnamed") == 1


@pytest.mark.parametrize("net", ["gru-lm", "mini-transformer", "lenet-cifar"])
def test_any_network_can_be_marked(net: str) -> None:
    key = Key(problem := load(net, tiny=True), with_slopes(problem.run()), {"ask": ["update"], "digits": 4})
    assert mark(key, filled(key, "carry", 4)).lost == 0


def test_article_4_is_marked_as_a_good_teacher_would() -> None:
    key = read_key("article-3-4-2")
    path = ROOT / "tests" / "published" / "article4.txt"
    result = grade(key, read_sheet(path.read_text(encoding="utf-8"), str(path), key))
    items = {item.address: item for item in result.items}
    assert items["z1[4]"].status == "correct"
    for address, said in {
        "z2[1]": "what comes out of the activation",
        "a2[2]": "the same as for a2[1]",
        "L": "never negative",
        "slope2[1]": "at most ¼",
        "delta2[2]": "The sign",
        "W2_new[1,1]": "count the places",
    }.items():
        assert items[address].status == "wrong" and said in items[address].note, address
    assert {(found.code, found.at) for found in result.mistakes} >= {
        ("double_activation", "z2"), ("missing_minus", "L"), ("decimal_slip", "W2_new"),
    }  # fmt: skip
    follows = ("dW2", "b2_new")
    assert {item.status for item in result.items if item.ref in follows} == {"carried"}
    assert [item.address for item in result.items if item.ref == "W2_new" and not item.points] == ["W2_new[1,1]"]


def test_explain_puts_the_students_numbers_in(here: Run, tmp_path: Path) -> None:
    key = read_key("mazur")
    da = float(key.trace["da1"][0, 0])
    (tmp_path / "a.txt").write_text(f"a1 = [0.5933, 0.5969]\ndz1 = [{da:.6f}, 0.009954]\ndW1[1,1] = {0.05 * da:.7f}\n")
    shown = here("grade", "a.txt", "--key", "mazur", "--explain").stdout.decode()
    assert "Your number comes of:" in shown
    assert "0.5933·(1 − 0.5933) = ?" in shown
    assert "0.00877" not in shown
    follows = here("grade", "a.txt", "--key", "mazur", "--explain", "--box", "dW1[1,1]").stdout.decode()
    assert f"0.03635·0.05 = {0.05 * da:.7f}" in follows
    told = here("grade", "a.txt", "--key", "mazur", "--explain", "--reveal", "value").stdout.decode()
    assert "0.00877" in told


def test_watch_marks_again_when_the_file_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("z1[1] = 0.9\n")
    child, _ = spawn(80, "grade", str(path), "--key", "mazur", "--watch", "--plain")
    child.expect("0 of 1 points")
    path.write_text("z1[1] = 0.3775\nz1[2] = 0.3925\n")
    child.expect("2 of 2 points")
    path.write_text("z1 = [0.3775\n")
    child.expect("bracket")
    path.write_text("z1[1] = 0.3775\n")
    child.expect("1 of 1 points")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


def test_a_class_is_marked_by_its_folder_of_keys(here: Run, tmp_path: Path) -> None:
    (tmp_path / "class.csv").write_text("nr,name\n1,Ada\n2,=cmd|' /C calc'!A0\n3,王小明\n", encoding="utf-8")
    made = here("exercise", "new", "--net", "2-3-2", "--roster", "class.csv", "--format", "csv,tex,html", "-o", "w")
    assert made.returncode == 0, made.stderr
    assert sorted(path.name for path in (tmp_path / "w" / "sheets").iterdir()) == [
        "Ada.csv",
        "cmd-C-calc-A0.csv",
        "王小明.csv",
    ]
    assert "student,'=cmd" in (tmp_path / "w" / "sheets" / "cmd-C-calc-A0.csv").read_text(encoding="utf-8")
    ids = set()
    for path in (tmp_path / "w" / "keys").glob("*.toml"):
        key = read_key(str(path))
        ids.add(key.id)
        text = (tmp_path / "w" / "sheets" / f"{path.stem}.csv").read_text(encoding="utf-8")
        cells = {
            key.address(ref, place): cell.text
            for ref, found in filled(key, "carry", 4).cells.items()
            for place, cell in found.items()
        }
        rows = [line.split(",") for line in text.splitlines()]
        answers = (f'"{address}",{value}' for address, value in cells.items())
        kept = [",".join(row) for row in rows if row[0] in ("address", "sheet", "student")]
        (tmp_path / "back").mkdir(exist_ok=True)
        (tmp_path / "back" / f"{path.stem}.csv").write_text("\n".join([*kept, *answers]), encoding="utf-8")
    assert len(ids) == 3
    document = json.loads(here("grade", "back", "--key", "w/keys", "--json").stdout)
    assert [each["status"] for each in document["grades"]] == ["pass"] * 3


def test_no_sheet_holds_an_answer_and_all_say_what_is_asked(here: Run, tmp_path: Path) -> None:
    here("exercise", "new", "--net", "3-4-2", "--format", "toml,csv,md,tex,html", "-o", "w", "-q")
    key = read_key(str(tmp_path / "w" / "keys" / "sheet.toml"))
    answers = {
        f"{abs(float(value)):.3g}" for ref in key.asked for value in np.ravel(key.trace[ref]) if abs(value) > 1e-3
    }
    given = {
        f"{abs(float(value)):.3g}" for ref in ("x", "y", "W1", "b1", "W2", "b2") for value in np.ravel(key.trace[ref])
    }
    sheets = [*(tmp_path / "w" / "sheets").iterdir(), *(tmp_path / "w" / "print").iterdir()]
    assert {path.suffix for path in sheets} == {".toml", ".csv", ".md", ".tex", ".html"}
    for path in sheets:
        text = path.read_text(encoding="utf-8")
        assert not [answer for answer in answers - given if answer in text and len(answer) > 4], path
        assert "delta1" in text
        if path.suffix != ".csv":
            assert "4 significant digits" in text and "W is (outputs, inputs)" in text
    full = (tmp_path / "w" / "keys" / "sheet.md").read_text(encoding="utf-8")
    assert all(f"{value:.8g}" in full for value in np.ravel(key.trace["dW1"]))


def test_a_chinese_sheet_names_its_network(here: Run, tmp_path: Path) -> None:
    here("exercise", "new", "--net", "2-2-1", "-o", "w", "-q", env={"BACKPROP_LANG": "zh"})
    text = (tmp_path / "w" / "sheets" / "sheet.toml").read_text(encoding="utf-8")
    assert "网络: 2-2-1；sigmoid" in text and "种子" not in text


def test_a_key_is_read_once_and_may_come_through_a_pipe(here: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("z1[1] = 0.3775\n")
    key = b'net = "mazur"\n[sheet]\nask = ["z1"]\ndigits = 4\n'
    found = json.loads(here("grade", "a.txt", "--key", "-", "--json", stdin=key).stdout)
    assert [item["status"] for item in found["items"]] == ["correct", "blank"]


def test_numbers_of_a_sheet_tell_mistakes_apart(here: Run, tmp_path: Path) -> None:
    here("exercise", "new", "--net", "2-3-2", "-o", "w", "-q")
    tried = here("exercise", "test", "w/keys/sheet.toml", "--json")
    document = json.loads(tried.stdout)
    assert tried.returncode == 0 and document["good"]
    assert document["ambiguous"] == [["factor_2", "mean_over_outputs"]]
    assert document["honest"]["boxes"] == 10 * 50


def test_what_no_numbers_can_tell_apart_is_said_once(here: Run, tmp_path: Path) -> None:
    made = here("exercise", "new", "--net", "3-3-2", "-o", "w").stdout.decode()
    assert " ".join(made.split()).count("delta2: factor_2 = mean_over_outputs") == 1
    assert "the same number (3)" in " ".join(made.split())
    assert "decimal_slip" not in here("exercise", "new", "--net", "2-2-1", "-o", "u").stdout.decode()
    assert "the same number" not in here("exercise", "new", "--net", "3-4-2", "-o", "v").stdout.decode()


def test_units_of_a_sheet_are_alive(here: Run, tmp_path: Path) -> None:
    here("exercise", "new", "--net", "2-3-2", "--activation", "relu,sigmoid", "--samples", "3", "-o", "w", "-q")
    key = read_key(str(tmp_path / "w" / "keys" / "sheet.toml"))
    z = np.asarray(key.trace["z1"])
    assert (z > 0).any(0).all() and (abs(z) >= 0.02).all()
    a = np.asarray(key.trace["a2"])
    assert (a * (1 - a) >= 0.05).all()


def test_numbers_of_another_sheet_are_told(here: Run, tmp_path: Path) -> None:
    (tmp_path / "class.csv").write_text("name\nAda\nBob\n")
    here("exercise", "new", "--net", "2-3-2", "--roster", "class.csv", "-o", "w", "-q")
    keys = {name: read_key(str(tmp_path / "w" / "keys" / f"{name}.toml")) for name in ("Ada", "Bob")}
    cells = filled(keys["Bob"], "carry", 4).cells
    lines = [f"{keys['Bob'].address(ref, at)} = {cell.text}" for ref in cells for at, cell in cells[ref].items()]
    (tmp_path / "copied.txt").write_text("\n".join([f"sheet = {keys['Ada'].id}", *lines]))
    shown = here("grade", "copied.txt", "--key", "w/keys").stdout.decode()
    assert f"those of sheet {keys['Bob'].id}" in " ".join(shown.split())


def test_a_sheet_says_the_formulas_that_nobody_knows_by_heart(here: Run, tmp_path: Path) -> None:
    here("exercise", "new", "--net", "2-2-1", "--optimizer", "adam", "--format", "toml,md,tex,html", "-o", "w", "-q")
    for path in (*(tmp_path / "w" / "sheets").iterdir(), *(tmp_path / "w" / "print").iterdir()):
        text = path.read_text(encoding="utf-8").replace("\\", "")
        assert "start at 0" in text and "t = 1" in text
    assert "m̂_W₁[o,i] = m_W₁′[o,i]/(1 − β₁^t)" in (tmp_path / "w" / "sheets" / "sheet.toml").read_text(encoding="utf-8")
    here("exercise", "new", "--net", "2-2-1", "-o", "plain", "-q")
    assert "[o,i] =" not in (tmp_path / "plain" / "sheets" / "sheet.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["exercise"], "exercise takes new"),
        (["exercise", "new"], "-o DIR"),
        (["exercise", "new", "-o", "w", "--format", "docx"], "not a form"),
        (["exercise", "new", "-o", "w", "--ask", "zzz"], "unknown value"),
        (["exercise", "new", "-o", "w", "--ask", "x"], "cannot be asked for"),
        (["exercise", "new", "-o", "w", "--x", "1,2,3"], "add --as-is"),
        (["grade", "a.txt", "--key", "sheet.toml"], "a table"),
        (["exercise", "new", "mnist-mlp", "-o", "w"], "are the most"),
        (["exercise", "new", "-o", "w", "--roster", "none.csv"], "cannot be read"),
        (["exercise", "test", "none.toml"], "cannot be read"),
        (["grade", "a.txt"], "--key"),
        (["grade", "a.txt", "--key", "mazur", "--box", "L"], "--explain"),
        (["grade", "a.txt", "--key", "mazur", "--explain", "--box", "zzz"], "unknown value"),
        (["grade", "a.txt", "--key", "mazur", "--watch", "--json"], "--watch"),
        (["grade", "a.txt", "--key", "bad.toml"], "unknown key"),
    ],
)
def test_bad_requests_are_told(here: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "a.txt").write_text("z1[1] = 0.9\n")
    (tmp_path / "sheet.toml").write_text('net = "mazur"\nsheet = "abc"\n')
    (tmp_path / "bad.toml").write_text('net = "mazur"\n[sheet]\nasks = []\n')
    found = here(*arguments)
    assert found.returncode in (2, 3), found.stdout
    assert said in found.stderr.decode(), found.stderr
    assert "Traceback" not in found.stderr.decode()
