from pathlib import Path

import numpy as np
import pytest

from genrec.sid.kmeans import cluster_means, nearest, squared_distances
from genrec.sid.rq_kmeans import RQKMeans, fit_rq_kmeans, level_sizes, reconstruction_error

BOOKS = [
    np.array([[0.0, 0.0], [10.0, 0.0]], np.float32),
    np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32),
]


def clusters(n: int = 120, d: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (4 * rng.normal(size=(8, d))[rng.integers(8, size=n)] + rng.normal(size=(n, d))).astype(np.float32)


def test_codes_are_nearest_codewords_of_the_residual_by_hand() -> None:
    quantiser = RQKMeans(BOOKS)
    # (10.2, 0.9): nearest of level 0 is (10, 0); residual (0.2, 0.9): nearest of level 1 is (0, 1).
    assert quantiser.encode([[10.2, 0.9], [0.8, 0.1]]).tolist() == [[1, 1], [0, 2]]


def test_reconstruction_is_the_sum_of_codewords_and_skips_padding() -> None:
    quantiser = RQKMeans(BOOKS)
    assert quantiser.reconstruct([[1, 1], [1, -1]]).tolist() == [[10.0, 1.0], [10.0, 0.0]]
    assert quantiser.reconstruct([[1, 1, 3]]).tolist() == [[10.0, 1.0]]


def test_residual_before_a_level_subtracts_only_the_levels_before() -> None:
    quantiser = RQKMeans(BOOKS)
    assert quantiser.residual([[12.0, 3.0]], [[1, 1]], 0).tolist() == [[12.0, 3.0]]
    assert quantiser.residual([[12.0, 3.0]], [[1, 1]], 1).tolist() == [[2.0, 3.0]]
    assert quantiser.residual([[12.0, 3.0]], [[1, 1]], 2).tolist() == [[2.0, 2.0]]


def test_reconstruction_error_is_the_mean_squared_distance() -> None:
    assert reconstruction_error([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]) == 12.5


def test_squared_distances_by_hand() -> None:
    points, centroids = np.array([[3.0, 4.0]], np.float32), np.array([[0.0, 0.0], [3.0, 3.0]], np.float32)
    assert squared_distances(points, centroids).tolist() == [[25.0, 1.0]]
    assert nearest(points, centroids).tolist() == [1]


def test_nearest_does_not_depend_on_the_block() -> None:
    points = clusters()
    assert (nearest(points, points[:9], block=7) == nearest(points, points[:9])).all()


def test_an_empty_cluster_keeps_its_centroid() -> None:
    points = np.array([[1.0], [3.0], [10.0]], np.float32)
    centroids = np.array([[0.0], [77.0], [5.0]], np.float32)
    assert cluster_means(points, np.array([0, 0, 2]), centroids).tolist() == [[2.0], [77.0], [10.0]]


def test_equal_seeds_give_equal_codebooks_and_other_seeds_other_ones() -> None:
    first, second, other = (fit_rq_kmeans(clusters(), 2, 8, seed=seed) for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(first.codebooks, second.codebooks, strict=True))
    assert not (first.codebooks[0] == other.codebooks[0]).all()


def test_refinement_lowers_the_error_and_stays_greedy() -> None:
    vectors = clusters(400)
    plain, refined = (fit_rq_kmeans(vectors, 3, 8, refine_rounds=rounds) for rounds in (0, 6))
    errors = [reconstruction_error(vectors, q.reconstruct(q.fitted_codes)) for q in (plain, refined)]
    assert errors[1] < errors[0]
    assert (refined.encode(vectors) == refined.fitted_codes).all()


def test_error_is_within_five_per_cent_of_the_residual_quantiser_of_faiss() -> None:
    import faiss

    vectors = clusters(600, 16)
    ours = fit_rq_kmeans(vectors, 3, 16)
    peer = faiss.ResidualQuantizer(16, 3, 4)
    peer.cp.min_points_per_centroid = 1
    peer.train(vectors)
    theirs = reconstruction_error(vectors, peer.decode(peer.compute_codes(vectors)))
    assert reconstruction_error(vectors, ours.reconstruct(ours.fitted_codes)) <= 1.05 * theirs


def test_levels_may_have_different_sizes() -> None:
    quantiser = fit_rq_kmeans(clusters(), 3, [8, 4, 2])
    assert quantiser.codebook_sizes == (8, 4, 2)
    assert quantiser.fitted_codes.max(axis=0).tolist() == [7, 3, 1]


def test_balanced_clusters_differ_by_one_item_at_every_level() -> None:
    quantiser = fit_rq_kmeans(clusters(50), 2, 8, balanced=True)
    for codes in quantiser.fitted_codes.T:
        counts = np.bincount(codes, minlength=8)
        assert sorted(counts.tolist()) == [6] * 6 + [7] * 2  # 50 = 6 * 6 + 2 * 7


def test_a_saved_quantiser_encodes_the_same(tmp_path: Path) -> None:
    quantiser = fit_rq_kmeans(clusters(), 2, 8)
    loaded = RQKMeans.load(quantiser.save(tmp_path / "quantiser.npz"))
    assert (loaded.encode(clusters(seed=1)) == quantiser.encode(clusters(seed=1))).all()
    assert (loaded.fitted_codes == quantiser.fitted_codes).all()


def test_a_truncated_quantiser_file_is_a_clear_error(tmp_path: Path) -> None:
    path = fit_rq_kmeans(clusters(), 2, 8).save(tmp_path / "quantiser.npz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"quantiser\.npz is not a quantiser file.*rerun"):
        RQKMeans.load(path)


def test_a_missing_quantiser_file_stays_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RQKMeans.load(tmp_path / "none.npz")


def test_fewer_items_than_codes_is_an_error_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="codebook_size 256 needs at least as many items, there are 120"):
        fit_rq_kmeans(clusters(), 2, 256)


def test_a_vector_that_is_not_finite_is_named() -> None:
    vectors = clusters()
    vectors[17, 2] = np.nan
    with pytest.raises(ValueError, match="embedding of item 17 is not finite"):
        fit_rq_kmeans(vectors, 2, 8)


def test_a_flat_array_is_no_matrix_of_embeddings() -> None:
    with pytest.raises(ValueError, match=r"expected \(num_items, dimension\)"):
        fit_rq_kmeans(np.zeros(5), 1, 2)


def test_level_sizes_need_one_number_per_level() -> None:
    assert level_sizes(3, 256) == (256, 256, 256)
    with pytest.raises(ValueError, match="does not give 3 levels"):
        level_sizes(3, [4, 4])
