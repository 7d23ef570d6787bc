"""What the TIGER-type learner leaves behind."""

import numpy as np
import pytest
import torch

from genrec.sid.learners import SidConfig, learn_codes
from genrec.sid.rqvae.learner import standardised
from genrec.sid.rqvae.model import RQVAE, RQVAEConfig

rng = np.random.default_rng(0)
CENTRES = rng.normal(size=(6, 8)) * 4
VECTORS = (CENTRES[np.arange(90) % 6] + rng.normal(size=(90, 8))).astype(np.float32)
SMALL = {"latent": 8, "hidden": 32, "epochs": 30, "batch_size": 32, "learning_rate": 5e-3}


def settings(**options: object) -> SidConfig:
    return SidConfig(num_levels=3, codebook_size=8, options={**SMALL, **options})


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_training_lowers_the_reconstruction_error(update: str) -> None:
    long = learn_codes("rq_vae", VECTORS, settings(update=update)).health["training"]
    short = learn_codes("rq_vae", VECTORS, settings(update=update, epochs=1)).health["training"]
    assert long["decoder_share_of_variance"] < 0.6 * short["decoder_share_of_variance"]
    assert long["decoder_share_of_variance"] < 0.5


def test_codes_are_unique_and_reported() -> None:
    learned = learn_codes("rq_vae", VECTORS, settings())
    assert learned.item_codes.num_items == 90
    assert learned.item_codes.codebook_sizes == (8, 8, 8)
    assert learned.health["levels"][0]["used"] >= 6
    assert 0 <= learned.health["collision_rate_before"] <= 1
    assert learned.item_codes.config["options"]["latent"] == 8


def test_two_runs_give_the_same_codes() -> None:
    first, second = (learn_codes("rq_vae", VECTORS, settings(epochs=3)).item_codes for _ in range(2))
    assert first.hash == second.hash


def test_items_of_a_cluster_share_their_first_code() -> None:
    first = learn_codes("rq_vae", VECTORS, settings()).item_codes.codes[:, 0]
    alike = (np.arange(90)[:, None] - np.arange(90)[None, :]) % 6 == 0
    same = first[:, None] == first[None, :]
    assert same[alike].mean() > 3 * same[~alike].mean()


def test_standardised_rows_have_mean_squared_length_one() -> None:
    # rows (0, 0) and (2, 0): centred (-1, 0) and (1, 0), whose mean squared length is 1 already
    assert standardised(np.array([[0.0, 0.0], [4.0, 0.0]], np.float32)).tolist() == [[-1.0, 0.0], [1.0, 0.0]]


def test_gradients_are_finite_and_reach_encoder_and_decoder() -> None:
    model = RQVAE(8, [4, 4], RQVAEConfig(latent=4, hidden=8, update="gradient"))
    inputs = torch.from_numpy(VECTORS)
    model.start_codebooks(inputs, 0)
    model.train()
    model.loss(inputs).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"magic": 1}, "options of rq_vae hold magic"),
        ({"update": "hope"}, "choose 'ema' or 'gradient'"),
        ({"decay": 1.0}, r"must lie in \[0, 1\)"),
        ({"epochs": 0}, "must be at least 1"),
    ],
)
def test_bad_options_are_refused(options: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match=message):
        learn_codes("rq_vae", VECTORS, settings(**options))


def test_a_codebook_larger_than_the_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="choose codebook_size <= 90"):
        learn_codes("rq_vae", VECTORS, SidConfig(num_levels=2, codebook_size=128, options=SMALL))
