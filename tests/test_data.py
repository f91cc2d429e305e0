"""Data to train on: made by a rule, shipped, read from files of every kind; and what is said of broken files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.augment import read_augmentation
from backprop_cli.building import build
from backprop_cli.data import prepare
from backprop_cli.datasets import GENERATORS, Dataset, read_data
from backprop_cli.datasets.cifar import RECORD
from backprop_cli.errors import BackpropError, InputError, ShapeError, UsageError
from backprop_cli.fitting import fit


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def read(source: object) -> Dataset:
    return read_data(str(source), rng())


# --- by a rule, and inside -------------------------------------------------------------------------------------------


def test_xor_is_the_table() -> None:
    data = read("xor")
    assert [(*map(int, x), int(y)) for x, y in zip(data.x, data.y, strict=True)] == [
        (0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)
    ]  # fmt: skip


@pytest.mark.parametrize("name", GENERATORS)
def test_a_rule_makes_as_many_samples_as_it_is_told_and_the_same_for_a_seed(name: str) -> None:
    first, again = (read(f"{name}(samples=50, noise=0.2)") for _ in range(2))
    assert len(first.x) == len(first.y) == 50
    np.testing.assert_array_equal(first.x, again.x)
    assert np.std(first.x - read(f"{name}(50, noise=0)").x) > 0 or name == "sine"


def test_without_noise_the_rules_keep_to_their_shapes() -> None:
    moons, blobs, sine = (read(f"{name}(noise=0)") for name in ("moons", "blobs", "sine"))
    above = moons.x[moons.y == 0]
    np.testing.assert_allclose((above**2).sum(1), 1)
    assert (above[:, 1] >= 0).all()
    assert len(np.unique(blobs.x.round(9), axis=0)) == 3
    np.testing.assert_allclose(sine.y, np.sin(sine.x))


def test_the_arms_of_a_spiral_are_turned_against_each_other() -> None:
    data = read("spirals(300, noise=0, classes=3)")
    radius = np.hypot(*data.x.T)
    turn = np.angle(np.exp(1j * (np.arctan2(data.x[:, 1], data.x[:, 0]) - 2 * np.pi * (radius + data.y / 3))))
    np.testing.assert_allclose(turn, 0, atol=1e-9)


def test_the_digits_inside_are_small_and_whole() -> None:
    data = read("digits")
    folder = Path(fit.__code__.co_filename).parent / "datasets"
    assert (folder / "digits.npz").stat().st_size < 100_000
    assert "CC BY 4.0" in (folder / "digits.md").read_text(encoding="utf-8")
    assert data.x.shape == (1797, 8, 8)
    assert (data.x.min(), data.x.max()) == (0, 16)
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


# --- files -----------------------------------------------------------------------------------------------------------


def images(count: int = 6, *shape: int) -> Any:
    return rng().integers(0, 256, (count, *(shape or (4, 4))), dtype=np.uint8)


def labels(count: int = 6) -> Any:
    return np.arange(count, dtype=np.uint8) % 3


@pytest.mark.parametrize("names", [("x_train", "y_train", "x_test", "y_test"), ("x", "y", "x_test", "y_test")])
def test_npz_with_a_test(tmp_path: Path, names: tuple[str, ...]) -> None:
    arrays = dict(zip(names, (images(), labels(), images(2), labels(2)), strict=True))
    np.savez(tmp_path / "mnist.npz", **arrays)
    data = read(tmp_path / "mnist.npz")
    np.testing.assert_array_equal(data.x, images())
    np.testing.assert_array_equal(data.y, labels())
    assert data.test
    np.testing.assert_array_equal(data.test[0], images(2))


def idx(array: Any, kind: int = 0x08) -> bytes:
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return bytes(head + array.tobytes())


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_finds_the_labels_and_the_test_beside_the_images(tmp_path: Path, ending: str) -> None:
    pack = gzip.compress if ending else bytes
    for part, count in (("train", 6), ("t10k", 2)):
        (tmp_path / f"{part}-images-idx3-ubyte{ending}").write_bytes(pack(idx(images(count))))
        (tmp_path / f"{part}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels(count))))
    for source in (tmp_path, tmp_path / f"train-images-idx3-ubyte{ending}"):
        data = read(source)
        np.testing.assert_array_equal(data.x, images())
        np.testing.assert_array_equal(data.y, labels())
        assert data.test
        np.testing.assert_array_equal(data.test[1], labels(2))


def test_cifar_as_a_file_and_as_a_folder(tmp_path: Path) -> None:
    pictures = images(6, 3, 32, 32)
    records = np.concatenate([labels()[:, None], pictures.reshape(6, -1)], 1)
    (tmp_path / "data_batch_1.bin").write_bytes(records[:4].tobytes())
    (tmp_path / "data_batch_2.bin").write_bytes(records[4:].tobytes())
    (tmp_path / "test_batch.bin").write_bytes(records[:1].tobytes())
    data = read(tmp_path)
    np.testing.assert_array_equal(data.x, pictures)
    np.testing.assert_array_equal(data.y, labels())
    assert data.names[3] == "cat"
    assert data.test
    assert len(data.test[0]) == 1
    assert len(read(tmp_path / "data_batch_1.bin").x) == 4


def test_a_table_with_a_header_and_words_for_classes(tmp_path: Path) -> None:
    (tmp_path / "iris.csv").write_text('width,"length, in cm",kind\n1,2.5,setosa\n3,4,lily\n\n5,6,setosa\n')
    data = read(tmp_path / "iris.csv")
    np.testing.assert_array_equal(data.x, [[1, 2.5], [3, 4], [5, 6]])
    assert data.y.tolist() == [1, 0, 1]
    assert data.names == ("lily", "setosa")


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_a_table_of_numbers_needs_no_header(tmp_path: Path, sign: str) -> None:
    (tmp_path / "t.csv").write_text("\n".join(sign.join(map(str, row)) for row in ((1, 2, 0.5), (3, 4, 0.25))))
    data = read(tmp_path / "t.csv")
    np.testing.assert_array_equal(data.x, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(data.y, [0.5, 0.25])


def test_a_text_becomes_tokens_the_most_frequent_first(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("abba 你好 aab")
    data = read(tmp_path / "t.txt")
    assert data.names[0] == "a"
    assert "".join(data.names[token] for token in data.x) == "abba 你好 aab"


BROKEN: dict[str, tuple[bytes, str]] = {
    "nothing.npz": (b"", "not a valid .npz file"),
    "cut.npz": (b"PK\x03\x04abc", "not a valid .npz file"),
    "cut-images-idx3-ubyte": (idx(images())[:-3], "promises 112 bytes, but there are 109"),
    "long-images-idx3-ubyte": (idx(images()) + b"..", "promises 112 bytes, but there are 114"),
    "text-images-idx3-ubyte": (b"hello world", "not an IDX file"),
    "empty-images-idx3-ubyte": (b"", "not an IDX file"),
    "cut-images-idx3-ubyte.gz": (gzip.compress(idx(images()))[:-9], "not a valid .gz file"),
    "none-images-idx3-ubyte.gz": (b"hello", "not a valid .gz file"),
    "cut.bin": (b"\x01" * (RECORD - 1), "3,072 bytes are no whole number of CIFAR-10 records"),
    "empty.bin": (b"", "no whole number"),
    "label.bin": (b"\x00" * RECORD + b"\x0a" * RECORD, "record 2 has label 10"),
    "empty.csv": (b"", "no rows of data"),
    "header.csv": (b"a,b\n", "no rows of data"),
    "one.csv": (b"a\n1\n", "one column only"),
    "short.csv": (b"a,b,c\n1,2,3\n4,5\n", "short.csv:3: 2 cells in this row, but 3 columns"),
    "word.csv": (b"a,b,c\n1,2,3\n4,x,6\n", "word.csv:3: b is 'x', not a number"),
    "hole.csv": (b"a,b,c\n1,,3\n", "hole.csv:2: b is '', not a number"),
    "latin.csv": ("a,b\n1,é\n".encode("latin-1"), "not UTF-8"),
    "short.txt": (b"a", "too short"),
    "latin.txt": (b"\xff\xfe\xff", "not UTF-8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_clear_message(tmp_path: Path, name: str) -> None:
    content, said = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said.replace("(", r"\(")) as error:
        read(tmp_path / name)
    assert name in str(error.value)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_an_image_file_without_its_labels_or_with_too_few(tmp_path: Path, ending: str) -> None:
    pack = gzip.compress if ending else bytes
    (tmp_path / f"train-images-idx3-ubyte{ending}").write_bytes(pack(idx(images())))
    with pytest.raises(InputError, match=r"labels-idx1.*cannot be read"):
        read(tmp_path)
    (tmp_path / f"train-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels(5))))
    with pytest.raises(InputError, match=r"has 6 images, but .* has 5 labels"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": np.ones(2)}, "holds a; expected x and y"),
        ({"x": np.ones((3, 2)), "y": np.ones(2)}, "x has 3 samples, but y has 2"),
        ({"x": np.array([["a"]]), "y": np.ones(1)}, "expected numbers"),
        ({"x": np.array([[np.nan]]), "y": np.ones(1)}, "must be finite"),
        ({"x": np.array([[{}]], object), "y": np.ones(1)}, "pickled Python objects"),
    ],
)
def test_an_npz_with_other_things_in_it(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(BackpropError, match=said):
        read(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("spiral", UsageError, "did you mean spirals"),
        ("model.pt", UsageError, "does not tell what kind"),
        ("none.npz", InputError, "cannot be read"),
        (".", InputError, "a folder without train-images"),
        ("moons(1)", UsageError, "samples must be at least 2"),
        ("moons(arms=1)", UsageError, "unknown option of moons"),
        ("xor-labels-idx1-ubyte", InputError, "expected images"),
    ],
)
def test_a_source_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, error: type[Exception], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        read(source)


# --- fitting ---------------------------------------------------------------------------------------------------------


def fitted(net: str, x: Any, y: Any, kind: str = "images", **options: Any) -> Any:
    data = Dataset("data", kind, np.asarray(x), None if y is None else np.asarray(y))  # type: ignore[arg-type]
    return fit(build(net, **options), data, data.x, data.y)


def test_images_fit_rows_and_channels() -> None:
    flat = fitted("16 dense3 softmax", images(), labels())
    assert flat.x.shape == (6, 16)
    np.testing.assert_array_equal(flat.y, labels())
    np.testing.assert_array_equal(flat.at([1, 2])[1], [[0, 1, 0], [0, 0, 1]])
    assert fitted("1x4x4 flatten dense3 softmax", images(), labels()).x.shape == (6, 1, 4, 4)
    last = images(6, 4, 5, 3)
    np.testing.assert_array_equal(fitted("3x4x5 flatten dense3 softmax", last, labels()).x, last.transpose(0, 3, 1, 2))


def test_labels_may_stand_in_a_column_and_one_hot_rows_are_labels() -> None:
    np.testing.assert_array_equal(fitted("16 dense3 softmax", images(), labels()[:, None]).y, labels())
    np.testing.assert_array_equal(fitted("16 dense3 softmax", images(), np.eye(3)[labels()]).y, labels())


def test_one_output_takes_the_numbers_as_they_are() -> None:
    part = fitted("2-2-1", [[0, 0], [0, 1]], [0, 1], loss="bce")
    np.testing.assert_array_equal(part.y, [[0], [1]])


@pytest.mark.parametrize(
    ("net", "y", "said"),
    [
        ("15 dense3 softmax", labels(), r"shape 4 × 4, so 16 numbers each, but the net takes 15.*'16 dense32 "),
        ("16 dense2 softmax", labels(), "data, sample 3: the class is 2, but the net has outputs for 0 … 1"),
        ("16 dense3 softmax", labels() - 1.0, "sample 1: the class is -1"),
        ("16 dense3 softmax", labels() / 2, "sample 2: the class is 0.5"),
        ("16 dense3 softmax", np.ones((6, 2)), "targets of data have shape 2, so 2 numbers each, but the net gives 3"),
    ],
)
def test_data_that_does_not_fit_names_both(net: str, y: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        fitted(net, images(), y)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        ("3-1", r"t\.csv:5: the target is 3; loss bce needs targets from 0 to 1"),
        ("3-2", r"t\.csv:5: the class is 3, but the net has outputs for 0 … 1"),
    ],
)
def test_a_target_of_a_table_that_cannot_be_is_named_by_file_and_row(tmp_path: Path, net: str, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c,y\n1,2,3,0\n\n3,2,1,1\n2,2,2,3\n")
    data = read(path)
    with pytest.raises(UsageError, match=said):
        fit(build(net, loss="ce" if net == "3-2" else "bce"), data, data.x, data.y)
    with pytest.raises(UsageError, match=r"data, sample 2: the targets sum to 1\.5; with a softmax"):
        fitted("3-2", np.ones((2, 3)), np.array([[1, 0], [1, 0.5]]), loss="ce")


def test_a_convolutional_network_for_other_images_is_one_too() -> None:
    with pytest.raises(ShapeError, match=r"'1x8x8 conv8\(3\) relu flatten dense3 softmax'"):
        fitted("1x5x5 conv2(3) relu flatten dense3 softmax", images(6, 8, 8), labels())
    with pytest.raises(ShapeError, match=r"'3x8x9 conv8\(3\) relu flatten dense3 softmax'"):
        fitted("1x5x5 conv2(3) relu flatten dense3 softmax", images(6, 8, 9, 3), labels())
    with pytest.raises(ShapeError, match="'7 dense32 relu dense3 softmax'"):
        fitted("1x5x5 conv2(3) relu flatten dense3 softmax", np.ones((6, 7)), labels())


def test_a_proposed_network_for_values_ends_in_identity() -> None:
    with pytest.raises(ShapeError, match="'1 dense32 relu dense1 identity'"):
        fitted("2-1", np.ones((3, 1)), np.array([0.5, 0.2, 0.1]))


def test_a_text_is_cut_into_stretches_and_shifted_by_one() -> None:
    net = "3 embedding4x2 dense4 softmax"
    part = fitted(net, [0, 1, 2, 3, 4, 0, 1, 2], None, "text")
    np.testing.assert_array_equal(part.x, [[0, 1, 2], [3, 3, 0]])  # 4 is one character too many: it shares token 3
    np.testing.assert_array_equal(part.y, [[1, 2, 3], [3, 0, 1]])
    with pytest.raises(UsageError, match="has 2 characters, but the net reads 3"):
        fitted(net, [0, 1], None, "text")
    with pytest.raises(UsageError, match="does not begin with an embedding"):
        fitted("3-2", [0, 1, 2, 3], None, "text")


# --- splitting, normalising, augmenting ------------------------------------------------------------------------------


def parts(data: Dataset, net: str = "2-3-2", **options: Any) -> Any:
    return prepare(build(net, loss="ce"), data, rng(), np.float32, **options)


def numbered(count: int = 200, kind: str = "points") -> Dataset:
    return Dataset("d", kind, np.arange(2 * count).reshape(count, 2), np.zeros(count, int))  # type: ignore[arg-type]


def test_every_sample_lands_in_one_part_and_the_shares_are_kept() -> None:
    found = parts(numbered(), validation=0.2, test=0.1)
    three = (found.train, found.validation, found.test)
    assert [len(part) for part in three] == [140, 40, 20]
    everything = np.concatenate([part.x[:, 0] for part in three])
    assert sorted(everything) == list(range(0, 400, 2))
    assert everything.tolist() != sorted(everything)
    assert found.train.x.dtype == np.float32


def test_a_tenth_is_kept_for_the_test_where_there_are_enough() -> None:
    assert len(parts(numbered(100)).test) == 10
    assert parts(numbered(99)).test is None
    assert parts(numbered(100), test=0.0).test is None
    assert parts(numbered(99)).judged[0] == "training"


def test_a_test_set_apart_stays_as_it_is() -> None:
    data = numbered()._replace(test=(np.ones((3, 2)), np.zeros(3)))
    found = parts(data)
    assert (len(found.train), len(found.test)) == (200, 3)
    with pytest.raises(UsageError, match="has a test part of its own"):
        parts(data, test=0.1)
    with pytest.raises(UsageError, match="leave none to train on"):
        parts(numbered(4), validation=0.5, test=0.5)


def test_normalising_knows_the_training_part_alone() -> None:
    found = parts(numbered(kind="table"), validation=0.5)
    np.testing.assert_allclose(found.train.x.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(found.train.x.std(0), 1, atol=1e-6)
    assert abs(found.validation.x.mean(0)).min() > 1e-3
    assert found.normalized == "standard"


def test_pixels_are_divided_by_the_largest_and_a_constant_column_by_nothing() -> None:
    data = Dataset("d", "images", np.full((4, 2), 51, np.uint8), np.zeros(4, int))
    assert parts(data).train.x.max() == 1
    assert parts(data, normalize="none").train.x.max() == 51
    grey = Dataset("d", "images", np.full((4, 2), 204, np.uint8), np.zeros(4, int))
    assert parts(grey).train.x.max() == pytest.approx(204 / 255)  # as weights learnt from other images expect
    constant = Dataset("d", "table", np.array([[5.0, 0], [5, 2]]), np.zeros(2, int))
    np.testing.assert_array_equal(parts(constant).train.x, [[0, -1], [0, 1]])
    blank = Dataset("d", "images", np.zeros((4, 2), np.uint8), np.zeros(4, int))
    assert parts(blank).train.x.max() == 0


def test_a_shift_moves_every_image_by_itself_and_fills_with_0() -> None:
    change = read_augmentation("shift(1)", (3, 3))
    assert change
    image = np.arange(1.0, 10).reshape(1, 9)
    moved = change(np.repeat(image, 300, 0), rng()).reshape(-1, 3, 3)
    padded = np.pad(image.reshape(3, 3), 1)
    every = {padded[r : r + 3, c : c + 3].tobytes() for r in range(3) for c in range(3)}
    assert {one.tobytes() for one in moved} == every


def test_a_flip_exchanges_left_and_right_in_a_share_of_the_images() -> None:
    change = read_augmentation("flip(share=0.25)", (1, 2, 3))
    assert change
    image = np.arange(6.0).reshape(1, 1, 2, 3)
    found = change(np.repeat(image, 400, 0), rng())
    mirrored = np.array([np.array_equal(one, image[0, :, :, ::-1]) for one in found])
    assert 70 < mirrored.sum() < 130
    np.testing.assert_array_equal(found[~mirrored], np.repeat(image, (~mirrored).sum(), 0))


def test_augmentation_says_what_it_does_not_know() -> None:
    assert read_augmentation("", (3,)) is None
    with pytest.raises(UsageError, match="changes images; these samples are 3 numbers"):
        read_augmentation("flip", (3,))
    with pytest.raises(UsageError, match="unknown augmentation 'flop'; did you mean flip"):
        read_augmentation("flop", (3, 3))
    with pytest.raises(UsageError, match="pixels must be at least 1"):
        read_augmentation("shift(0)", (3, 3))
