import json
from pathlib import Path

import numpy as np
import pytest

from genrec.sid.codes import ItemCodes

CODES = np.array([[0, 1, -1], [1, 0, 2], [1, 0, 3]])


def index() -> ItemCodes:
    return ItemCodes(CODES, (2, 2, 4), nominal_levels=2, config={"seed": 7, "niter": 15})


def test_lengths_count_the_codes_before_the_padding() -> None:
    assert index().lengths.tolist() == [2, 3, 3]


def test_item_of_finds_exactly_the_codes_of_an_item() -> None:
    assert index().item_of((1, 0, 3)) == 2
    assert index().item_of([0, 1]) == 0
    assert index().item_of((1, 0)) is None
    assert index().item_of((0, 1, -1)) is None


def test_a_saved_index_loads_equal(tmp_path: Path) -> None:
    path = index().save(tmp_path / "index.json")
    loaded = ItemCodes.load(path)
    assert (loaded.codes == CODES).all()
    assert loaded.codebook_sizes == (2, 2, 4)
    assert loaded.nominal_levels == 2
    assert loaded.config == {"seed": 7, "niter": 15}
    assert loaded.seed == 7
    assert loaded.hash == index().hash


def test_two_saves_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = index().save(tmp_path / "a.json"), index().save(tmp_path / "b.json")
    assert first.read_bytes() == second.read_bytes()


def test_a_folder_means_its_index_json(tmp_path: Path) -> None:
    assert index().save(tmp_path) == tmp_path / "index.json"
    assert ItemCodes.load(tmp_path).hash == index().hash


def test_the_hash_sees_codes_and_config() -> None:
    other = CODES.copy()
    other[0, 1] = 0
    assert ItemCodes(other, (2, 2, 4), 2, {"seed": 7, "niter": 15}).hash != index().hash
    assert index().with_config({"encoder": "hash"}).hash != index().hash
    assert ItemCodes(CODES, (2, 2, 5), 2, {"seed": 7, "niter": 15}).hash != index().hash


def test_config_values_of_numpy_and_path_survive_the_file(tmp_path: Path) -> None:
    codes = ItemCodes(CODES, (2, 2, 4), 2, {"size": np.int64(3), "rate": np.float32(0.5), "path": Path("a")})
    loaded = ItemCodes.load(codes.save(tmp_path / "index.json"))
    assert loaded.config == {"size": 3, "rate": 0.5, "path": "a"}
    assert loaded.hash == codes.hash


def test_an_edited_code_is_a_clear_error(tmp_path: Path) -> None:
    path = index().save(tmp_path / "index.json")
    content = json.loads(path.read_text())
    content["codes"][0] = [0, 0]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"index\.json is not a valid item index.*hash.*rerun"):
        ItemCodes.load(path)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[: len(text) // 2], "not a valid item index"),
        (lambda text: "[]", r"no 'genrec\.item_codes/1' marker"),
        (lambda text: text.replace('"codebook_sizes"', '"sizes"'), r"fields missing: .'codebook_sizes'"),
    ],
)
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, damage, reason: str) -> None:  # type: ignore[no-untyped-def]
    path = index().save(tmp_path / "index.json")
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=reason):
        ItemCodes.load(path)


def test_binary_rubbish_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a valid item index"):
        ItemCodes.load(tmp_path)


def test_a_missing_file_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"recipes/gream_index\.py"):
        ItemCodes.load(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([[0, 2, 0]], "item 0 has code 2 at level 1, expected 0 to 1"),
        ([[0, -1, 1]], "item 0 has code"),
        ([[0, 1, -2]], "item 0 has code -2"),
        ([[-1, -1, -1]], "item 0 has no code"),
        ([[0, 1, 2], [1, 1, 1], [0, 1, 2]], "items 0 and 2 share"),
        ([[0, 1]], "expected .num_items, 3."),
    ],
)
def test_impossible_codes_are_refused(codes: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ItemCodes(np.array(codes), (2, 2, 4))


def test_nominal_levels_must_be_levels() -> None:
    with pytest.raises(ValueError, match="nominal_levels is 4"):
        ItemCodes(CODES, (2, 2, 4), nominal_levels=4)
