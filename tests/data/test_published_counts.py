"""The shared folders give the published counts; skipped where they are not mounted beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrec.data import load_dataset

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PUBLISHED = {
    "amazon_beauty_2014": (22_363, 12_101, 198_502),
    "amazon_sports_2014": (35_598, 18_357, 296_337),
    "amazon_toys_2014": (19_412, 11_924, 167_597),
    "amazon_instruments_2018": (24_772, 9_922, 206_153),
    "amazon_games_2018": (50_546, 16_859, 452_989),
    "yelp_2019_s3rec": (30_431, 20_033, 316_354),
    "movielens_1m": (6_038, 3_307, 835_789),
    "movielens_100k": (943, 1_682, 100_000),
    "amazon_fashion_llmesr": (9_094, 4_722, 34_759),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_equal_the_published_ones(name: str) -> None:
    if not (SHARED / name).is_dir():
        pytest.skip(f"{SHARED / name} is not here")
    dataset = load_dataset(SHARED / name)
    assert (dataset.num_users, dataset.num_items, dataset.num_interactions) == PUBLISHED[name]
    assert dataset.counts[-1]["interactions"] == PUBLISHED[name][2]
    assert all(dataset.catalogue.titles)
    assert not any("&amp;" in title or "</span>" in title for title in dataset.catalogue.titles)
    split = dataset.split()
    assert len(split.test) == len(split.valid) == dataset.num_users
    assert split.popularity(dataset.num_items).sum() == dataset.num_interactions - 2 * dataset.num_users
