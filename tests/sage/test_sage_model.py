"""The untrained recommender: seeds reach the weights and not the split, new rows differ from each other."""

from __future__ import annotations

import pytest
import torch
from sage_runs import sft_arguments

from sage.items.vocabularies import VOCABULARIES
from sage.stages.data import RunData
from sage.stages.model import new_recommender


def new_rows(data: RunData, kind: str, seed: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """All weights, and the rows (new tokens, d) of added tokens."""
    made = new_recommender(data, sft_arguments(vocabulary=kind, time_index=False), seed)
    table = made.model.get_input_embeddings().weight.detach()
    assert len(table) == len(made.tokenizer)
    return made.model.state_dict(), table[len(made.tokenizer) - int(data.facts["new_tokens"]) :]


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_each_seed_starts_from_weights_of_its_own_and_equal_seeds_from_equal_ones(data: RunData, kind: str) -> None:
    (first, rows), (again, _) = new_rows(data, kind, 0), new_rows(data, kind, 0)
    other, other_rows = new_rows(data, kind, 1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first if "layers" in name)
    assert not len(rows) or not torch.equal(rows[: len(other_rows)], other_rows[: len(rows)])


@pytest.mark.parametrize("kind", ["rq_index", "atomic"])
def test_rows_of_new_tokens_differ_from_each_other(data: RunData, kind: str) -> None:
    weights, rows = new_rows(data, kind, 0)
    old = weights["model.embed_tokens.weight"][: -len(rows)]
    # equal rows would have no deviation over tokens; these are spread as widely as the old ones
    assert rows.std(dim=0).mean() > 0.3 * old.std(dim=0).mean()


def test_codes_of_an_index_start_at_their_codewords(data: RunData) -> None:
    """Rows of one level lie in a space of few dimensions: the codewords' own. Rows at random would fill theirs."""
    made = new_recommender(data, sft_arguments(vocabulary="rq_index", time_index=False, num_levels=3), 0)
    ids = made.tokenizer.convert_tokens_to_ids([f"<a_{code}>" for code in range(8)])
    rows = made.model.get_input_embeddings().weight.detach()[ids]
    known = data.vectors[data.known] - data.vectors[data.known].mean(0)
    firsts = [made.names.token_ids[item][0] for item in data.known.nonzero()[0]]
    means = torch.stack([torch.from_numpy(known[[f == token for f in firsts]]).mean(0) for token in ids])
    far, there = torch.pdist(means), torch.pdist(rows)
    assert torch.corrcoef(torch.stack([far, there]))[0, 1] > 0.4  # a projection to 32 numbers keeps distances roughly
