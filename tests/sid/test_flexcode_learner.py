"""What FlexCode leaves behind: unique SIDs of variable shape, a split that follows popularity, ablations."""

from typing import Any

import numpy as np
import pytest
import torch

from genrec.decoding.trie import Trie
from genrec.sid.codes import ItemCodes
from genrec.sid.flexcode.assemble import Half, Sids, unique_sids
from genrec.sid.flexcode.config import FlexCodeConfig
from genrec.sid.flexcode.learner import ItemSignals, _tables
from genrec.sid.flexcode.model import FlexCode
from genrec.sid.flexcode.report import alpha_by_popularity
from genrec.sid.flexcode.usage import ItemUsage
from genrec.sid.learners import LearnedCodes, SidConfig, learn_codes
from genrec.sid.rq_kmeans import RQKMeans

N, WIDTH = 120, 12
rng = np.random.default_rng(0)
COUNTS = np.exp(np.linspace(0, 6, N)).astype(np.int64)  # 1 to 403 interactions, median 20
KINDS = rng.normal(size=(8, WIDTH)) * 2
TEXT = KINDS[np.arange(N) % 8] + rng.normal(size=(N, WIDTH)) * 0.5
CROWD = KINDS[::-1][np.arange(N) // 15] + rng.normal(size=(N, WIDTH)) * 0.5
VECTORS = np.concatenate([TEXT, CROWD], axis=1).astype(np.float32)
SIGNALS = ItemSignals(WIDTH, ItemUsage(COUNTS, np.linspace(0, 1, N, dtype=np.float32), COUNTS))
SMALL = {"latent": 8, "hidden": 32, "epochs": 20, "batch_size": 60, "learning_rate": 5e-3}


def learned(num_levels: int = 4, signals: ItemSignals | None = SIGNALS, **options: Any) -> LearnedCodes:
    config = SidConfig(num_levels=num_levels, codebook_size=16, options={**SMALL, **options})
    return learn_codes("flexcode", VECTORS, config, signals)


@pytest.fixture(scope="module")
def plain() -> LearnedCodes:
    return learned()


def kinds_of(codes: ItemCodes) -> tuple[np.ndarray, np.ndarray]:
    """Collaborative and semantic tokens (n,) counted from the codes themselves."""
    books = codes.books or ()
    border = sum(size for name, size in books if name.startswith("cf"))
    return ((codes.codes >= 0) & (codes.codes < border)).sum(1), (codes.codes >= border).sum(1)


def test_sids_keep_to_their_budget_and_end_in_a_semantic_token(plain: LearnedCodes) -> None:
    codes = plain.item_codes
    assert codes.lengths.min() >= 3
    assert codes.lengths.max() <= 6
    assert abs(codes.lengths.mean() - 4) < 1
    cf, sem = kinds_of(codes)
    assert (cf + sem == codes.lengths).all()
    assert sem.min() >= 1


def test_a_trie_accepts_the_sids(plain: LearnedCodes) -> None:
    trie = Trie.from_codes(plain.item_codes.codes)  # would refuse a SID that begins another
    assert trie.leaf_item(plain.item_codes.tuple_of(7)) == 7


def test_popular_items_get_more_collaborative_tokens(plain: LearnedCodes) -> None:
    figures = plain.health["alpha_by_popularity"]
    assert figures["rank_correlation"] > 0.5
    assert figures["groups"][-1]["alpha"] > figures["groups"][0]["alpha"]


def test_health_names_every_codebook(plain: LearnedCodes) -> None:
    names = [level["name"] for level in plain.health["levels"]]
    assert names == [name for name, _ in plain.item_codes.books or ()]
    assert names[0] == "cf_0"
    assert "sem_0" in names
    assert 0 <= plain.health["collision_rate_before"] <= 1
    assert set(plain.health["training"]["revived"]) == {"cf", "sem"}


def test_two_runs_give_the_same_hash() -> None:
    first, second = (learned(epochs=2).item_codes.hash for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("codebooks", "kind"), [("collaborative", "cf"), ("semantic", "sem")])
def test_one_codebook_alone(codebooks: str, kind: str) -> None:
    codes = learned(codebooks=codebooks, epochs=2).item_codes
    assert {name.split("_")[0] for name, _ in codes.books or ()} == {kind}


def test_a_fixed_split_and_budget_give_every_item_the_same_shape() -> None:
    codes = learned(split="fixed", variable_budget=False, epochs=2).item_codes
    cf, sem = kinds_of(codes)
    assert set(cf.tolist()) == {2}
    assert set(sem.tolist()) == {2}


def test_a_fixed_budget_still_routes() -> None:
    codes = learned(variable_budget=False, epochs=100).item_codes
    assert set(codes.lengths.tolist()) == {4}
    assert len(set(kinds_of(codes)[0].tolist())) > 1


def test_every_part_gets_finite_gradients() -> None:
    tables, _ = _tables(VECTORS, SIGNALS)
    model = FlexCode(tables, 16, 4, FlexCodeConfig(**SMALL, update="gradient"))
    model.train()
    model.loss(torch.arange(N)).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
    assert all(float(w.grad.abs().sum()) > 0 for w in model.router.parameters())


def test_without_alignment_the_loss_lacks_exactly_that_term() -> None:
    tables, _ = _tables(VECTORS, SIGNALS)
    items = torch.arange(N)
    models = [FlexCode(tables, 16, 4, FlexCodeConfig(**SMALL, alignment=weight)).eval() for weight in (0.0, 1.0, 2.0)]
    none, once, twice = (model.loss(items).item() for model in models)
    assert once > none
    assert twice - once == pytest.approx(once - none, rel=1e-4)


def test_colliding_sids_move_to_the_nearest_free_code() -> None:
    # one level of 3 codes at 0, 1 and 5; three items at 0.1, 0.2 and 4: codes 0, 0, 2. The more popular of the
    # colliding two stays, the other takes code 1 (distance 0.8), not 2 (taken)
    points = np.array([[0.1], [0.2], [4.0]], np.float32)
    quantiser = RQKMeans([np.array([[0.0], [1.0], [5.0]], np.float32)])
    half = Half("sem", quantiser.encode(points), np.ones(3, np.int64), points, quantiser)
    found, counts = unique_sids(Sids(half), np.array([1, 9, 5]))
    assert found == [(1,), (0,), (2,)]
    assert counts == {"collision_rate_before": 2 / 3, "items_colliding_before": 2, "items_moved": 1}


def test_a_sid_that_begins_another_moves_too() -> None:
    # both items have code 0 at level 0, the second shows level 1 as well: (0,) begins (0, 2)
    quantiser = RQKMeans([np.array([[0.0], [9.0]], np.float32), np.array([[0.0], [1.0]], np.float32)])
    points = np.array([[0.0], [0.0]], np.float32)
    half = Half("sem", quantiser.encode(points), np.array([1, 2]), points, quantiser)
    found, counts = unique_sids(Sids(half), np.array([9, 1]))
    assert found == [(1,), (0, 2)]  # the longer one stays: a short one cannot sit below it
    assert counts["items_colliding_before"] == 2


def test_too_few_codes_are_an_error() -> None:
    quantiser = RQKMeans([np.array([[0.0], [1.0]], np.float32)])
    points = np.zeros((3, 1), np.float32)
    half = Half("sem", quantiser.encode(points), np.ones(3, np.int64), points, quantiser)
    with pytest.raises(ValueError, match="finds no free SID of 1 tokens; raise codebook_size"):
        unique_sids(Sids(half), np.zeros(3, np.int64))


def test_alpha_against_popularity_by_hand() -> None:
    figures = alpha_by_popularity(np.array([0.9, 0.1]), np.array([3, 0]), np.array([1, 4]), np.array([50, 2]), groups=2)
    assert figures["rank_correlation"] == pytest.approx(1.0)
    assert figures["groups"][0] == {
        "items": 1,
        "mean_count": 2.0,
        "alpha": 0.1,
        "collaborative_tokens": 0.0,
        "semantic_tokens": 4.0,
    }
    constant = alpha_by_popularity(np.ones(2), np.ones(2, int), np.ones(2, int), np.array([1, 2]))
    assert constant["rank_correlation"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_levels": 8}, "num_levels 8 is the mean budget"),
        ({"codebooks": "none"}, "codebooks is 'none'"),
        ({"split": "luck"}, "split is 'luck'"),
        ({"min_budget": 5, "max_budget": 4}, "2 <= min_budget <= max_budget"),
        ({"mask_temperature": 0.0}, "must be positive"),
        ({"signals": None}, "needs usage counts"),
        ({"signals": ItemSignals(2 * WIDTH, SIGNALS.usage)}, "set collaborative to true"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        learned(**options)
