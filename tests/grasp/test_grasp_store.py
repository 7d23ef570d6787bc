"""Facts about neighbours, the store and its refresh."""

import numpy as np
import pytest

from genrec.llm.hash_encoder import HashEncoder
from llmrec.grasp import store as store_module
from llmrec.grasp.neighbours import nearest, unit
from llmrec.grasp.refresh import Texts, refresh_store
from llmrec.grasp.store import NeighbourStore, current_generation

WORDS = ["tent", "stove", "lamp", "rope", "boot", "sock", "map", "cup", "knife", "bag"]


def described(count, seed=0, skip=()):
    random = np.random.default_rng(seed)
    rows = [" ".join(random.choice(WORDS, 4)) for _ in range(count)]
    keep = [row for row in range(count) if row not in skip]
    return Texts([f"i{row}" for row in keep], [rows[row] for row in keep], np.ones(len(keep), dtype=bool))


def sides(count=40, **options):
    return {"items": described(count, **options), "users": described(12, seed=5)}


class Counting(HashEncoder):
    """Counts what it encodes."""

    def __init__(self):
        super().__init__(32)
        self.seen = 0

    def encode(self, texts, batch_size=64):
        self.seen += len(texts)
        return super().encode(texts, batch_size)


def test_neighbours_by_hand_exclude_the_row_itself_and_what_training_has_not_seen():
    vectors = unit(np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1], [0, 0]], dtype=np.float32))
    candidates = np.array([True, True, False, True, True])
    found, cosines = nearest(vectors, np.arange(5), candidates, 2)
    # row 2 may not be named; row 4 has no text: it neither has neighbours nor is one
    assert found.tolist() == [[1, 3], [0, 3], [1, 3], [1, 0], [-1, -1]]
    np.testing.assert_allclose(cosines[:3], [[0.8, 0.0], [0.8, 0.6], [0.96, 0.8]], atol=1e-6)


def test_fewer_candidates_than_wanted_leave_places_empty():
    found, cosines = nearest(np.eye(3, dtype=np.float32), np.arange(3), np.array([True, False, False]), 2)
    assert found.tolist() == [[-1, -1], [0, -1], [0, -1]]
    assert cosines[0].tolist() == [0.0, 0.0]


def equal(one, other):
    assert one.ids == other.ids
    assert one.hashes == other.hashes
    np.testing.assert_allclose(one.vectors, other.vectors)
    np.testing.assert_allclose(one.cosines, other.cosines, atol=1e-6)
    # where cosines tie (equal texts) the order may differ, the cosines may not
    for row, (first, second) in enumerate(zip(one.neighbours, other.neighbours, strict=True)):
        gap = np.diff(one.cosines[row])
        assert sorted(first) == sorted(second) or (np.abs(gap) < 1e-6).any() or np.isclose(one.cosines[row][-1], 0)


@pytest.mark.parametrize("change", ["text", "new", "gone", "retired"])
def test_a_refresh_equals_a_store_made_anew_and_encodes_only_what_changed(tmp_path, change):
    before, today = sides(), sides()
    items = today["items"]
    if change == "text":
        items.texts[3] = "tent tent rope rope"
    if change == "new":
        before = sides(skip={7, 8})
    if change == "gone":
        today = sides(skip={7, 8})
    if change == "retired":
        items.candidates[5] = False
    encoder = Counting()
    refresh_store(tmp_path / "a", before, encoder, 3)
    encoder.seen = 0
    found, reports = refresh_store(tmp_path / "a", today, encoder, 3)
    assert encoder.seen == {"text": 1, "new": 2, "gone": 0, "retired": 0}[change]
    assert 0 < reports["items"].relisted <= len(today["items"].ids)
    assert reports["users"].relisted == 0
    equal(found.items, refresh_store(tmp_path / "b", today, Counting(), 3)[0].items)


def test_nothing_changed_writes_no_generation(tmp_path):
    first, _ = refresh_store(tmp_path, sides(), Counting(), 3)
    again, reports = refresh_store(tmp_path, sides(), Counting(), 3)
    assert (first.generation, again.generation) == ("g000001", "g000001")
    assert [(report.encoded, report.relisted) for report in reports.values()] == [(0, 0), (0, 0)]
    other, reports = refresh_store(tmp_path, sides(), Counting(), 4)  # another k: all lists anew
    assert other.generation == "g000002"
    assert reports["items"].encoded == 40


def test_readers_go_on_and_a_killed_refresh_leaves_the_old_state(tmp_path, monkeypatch):
    refresh_store(tmp_path, sides(), Counting(), 3)
    reader = NeighbourStore.open(tmp_path)
    before = reader.items.similar("i0")
    original = store_module.write_whole

    def dies(path, data):
        if path.name == "CURRENT":
            raise KeyboardInterrupt
        original(path, data)

    changed = sides()
    changed["items"].texts[0] = "map map map"
    with monkeypatch.context() as patch:
        patch.setattr(store_module, "write_whole", dies)
        with pytest.raises(KeyboardInterrupt):
            refresh_store(tmp_path, changed, Counting(), 3)
    assert reader.newest() is reader
    assert NeighbourStore.open(tmp_path).items.similar("i0") == before
    refresh_store(tmp_path, changed, Counting(), 3)
    assert reader.items.similar("i0") == before  # until it asks
    assert reader.newest().generation == "g000002"
    assert not list(tmp_path.glob(".*.tmp"))


def test_the_last_generation_stays_for_readers_and_older_ones_go(tmp_path):
    for seed in range(4):
        refresh_store(tmp_path, sides(seed=seed), Counting(), 3)
    assert sorted(path.name for path in tmp_path.glob("g*")) == ["g000003", "g000004"]
    assert current_generation(tmp_path) == "g000004"


def test_no_store_and_no_neighbours_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no neighbour store; run recipes/grasp_refresh\.py"):
        NeighbourStore.open(tmp_path)
    with pytest.raises(ValueError, match="neighbours must be at least 1, got 0"):
        refresh_store(tmp_path, sides(), Counting(), 0)
