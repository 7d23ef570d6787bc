"""Facts about serving: exact and approximate item search, and the export of vectors."""

import numpy as np
import pytest

from genrec.backbones.export import export_vectors, load_vectors
from genrec.backbones.retrieve import ExactRetriever, FaissRetriever

ITEMS = np.array([[1, 0], [0, 1], [1, 1], [-1, 0]], dtype=np.float32)


def test_exact_search_by_hand():
    items, scores = ExactRetriever(ITEMS).search([[2.0, 1.0]], 3)
    # inner products 2, 1, 3, -2
    assert items.tolist() == [[2, 0, 1]]
    assert scores.tolist() == [[3.0, 2.0, 1.0]]


def test_excluded_items_are_left_out_and_missing_places_are_minus_one():
    for retriever in (ExactRetriever(ITEMS), FaissRetriever(ITEMS, cells=1)):
        items, scores = retriever.search([[2.0, 1.0], [0.0, 1.0]], 4, exclude=[[2, 2], []])
        assert items[0].tolist() == [0, 1, 3, -1]
        assert scores[0].tolist() == [2.0, 1.0, -2.0, -np.inf]
        assert len(items[1]) == 4
    assert ExactRetriever(ITEMS).search([[1.0, 0.0]], 6)[0].tolist() == [[0, 2, 1, 3, -1, -1]]


def test_faiss_finds_what_exact_search_finds():
    random = np.random.default_rng(0)
    items, users = random.normal(size=(800, 16)), random.normal(size=(20, 16))
    exact = ExactRetriever(items).search(users, 10)[0]
    everywhere = FaissRetriever(items, cells=8, probes=8).search(users, 10)[0]
    assert np.array_equal(exact, everywhere)
    few = FaissRetriever(items, cells=8, probes=4).search(users, 10)[0]
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, few, strict=True)]) > 0.6


def test_vectors_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"vectors must be \(n, 2\), got shape \(1, 3\)"):
        ExactRetriever(ITEMS).search([[1.0, 2.0, 3.0]], 2)
    with pytest.raises(ValueError, match="row 1 of the vectors is not finite"):
        ExactRetriever([[1.0, 2.0], [np.nan, 0.0]])


def test_exported_vectors_come_back_with_their_ids(tmp_path):
    export_vectors(tmp_path, ITEMS, ITEMS[:2], list("abcd"), ["u", "v"], {"model": "sasrec"})
    back = load_vectors(tmp_path)
    assert np.array_equal(back.items, ITEMS)
    assert np.array_equal(back.users, ITEMS[:2])
    assert (back.item_ids, back.user_ids) == (list("abcd"), ["u", "v"])
    assert back.facts == {"width": 2, "model": "sasrec"}
    with pytest.raises(ValueError, match="4 item vectors but 3 item ids"):
        export_vectors(tmp_path, ITEMS, ITEMS, list("abc"), list("abcd"))
