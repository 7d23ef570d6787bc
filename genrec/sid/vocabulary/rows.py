"""Where do the embedding rows of new tokens start?

`semantic`: at the mean embedding of the words of the items that carry the token, plus small noise, for
input rows and, where they are untied, output rows. `codebook`: at a random projection of the codewords, so that
codes which are near in the item space start near; for a model from scratch, whose words mean nothing yet. `mean`: at
the mean of all old rows. `random`: as the model initialises.
Source: METHODS 1.1 (ours; `mean` and `random` are for ablation). `codebook` is ours; on Beauty it is worth more than
three thousandths of Recall@10 to a 2 M model over random rows (docs/experiments.md).

Shapes: weight (rows, d); per-item word ids are lists of old token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from genrec.sid.codes import ItemCodes
from genrec.sid.vocabulary.codewords import codewords, token_means
from genrec.sid.vocabulary.extend import added_ids
from genrec.sid.vocabulary.masking import suppress_padded_rows
from genrec.sid.vocabulary.tokens import SidVocabulary

if TYPE_CHECKING:
    from torch import Generator, Tensor

Init = Literal["semantic", "codebook", "mean", "random"]


def resize_and_init(
    model: Any,
    tokenizer: Any,
    vocabulary: SidVocabulary,
    item_codes: ItemCodes,
    texts: Sequence[str],
    init: Init = "semantic",
    seed: int = 0,
    noise: float = 0.1,
    vectors: Any = None,
) -> list[int]:
    """Make room for the tokens of an extended tokenizer and give their rows a start.

    The matrix only grows, never shrinks; rows of a padded matrix that now carry a token are initialised too.

    Args:
        model: a Hugging Face causal LM; changed in place.
        tokenizer: its tokenizer, after `extend_tokenizer`.
        vocabulary: the SID tokens.
        item_codes: which items carry which token.
        texts: (num_items,) text of each item; used by `semantic` only.
        init: how rows start.
        seed: of the noise.
        noise: standard deviation of the noise, as a share of that of the old rows.
        vectors: (num_items, dv) item vectors that the codes were learnt from; used by `codebook` only.

    Returns:
        Ids of all rows that were initialised: the ones that LoRA has to train.

    Raises:
        ValueError: unknown `init`, or texts or vectors that do not match the items.
    """
    import torch

    if init not in get_args(Init):
        raise ValueError(f"init={init!r} is unknown; choose one of {get_args(Init)}")
    if init == "semantic" and len(texts) != item_codes.num_items:
        raise ValueError(f"{len(texts)} texts for {item_codes.num_items} items; pass catalogue.texts()")
    if init == "codebook" and (vectors is None or len(vectors) != item_codes.num_items):
        raise ValueError(
            f"init='codebook' needs a vector for each of the {item_codes.num_items} items; pass vectors=..."
        )
    new = added_ids(tokenizer, vocabulary)
    words = _word_ids(tokenizer, texts, set(new)) if init == "semantic" else []
    _make_room(model, tokenizer)
    generator = torch.Generator().manual_seed(seed)
    tokens = vocabulary.bind(tokenizer)
    for weight in _weights(model):
        old = _old_rows(weight, min(new))
        rows = _start(old, len(new), init, noise, _initial_std(model), generator)
        if init == "semantic":
            places = {token: place for place, token in enumerate(new)}
            means, ids = token_means(_word_means(old, words), item_codes.codes, tokens.token_ids)
            rows[torch.tensor([places[i] for i in ids])] += means - old.mean(dim=0)
        if init == "codebook":
            places = {token: place for place, token in enumerate(new)}
            starts, ids = codewords(vectors, item_codes, tokens.token_ids, old.shape[1], seed)
            rows[torch.tensor([places[i] for i in ids])] += starts * old.std()
        with torch.no_grad():
            weight[torch.tensor(new)] = rows.to(weight)
    suppress_padded_rows(model, tokenizer)
    return new


def random_rows(model: Any, tokenizer: Any, new: Sequence[int], seed: int = 0) -> None:
    """Make room for tokens that are no codes of an index, and start their rows as the model initialises.

    Args:
        model: a Hugging Face causal LM; changed in place.
        tokenizer: its tokenizer, which knows the new tokens.
        new: their ids.
        seed: of the rows; the global generator is left as it was.
    """
    import torch

    _make_room(model, tokenizer)
    generator = torch.Generator().manual_seed(seed)
    for weight in _weights(model):
        rows = torch.randn(len(new), weight.shape[1], generator=generator) * _initial_std(model)
        with torch.no_grad():
            weight[torch.tensor(new)] = rows.to(weight)
    suppress_padded_rows(model, tokenizer)


def _make_room(model: Any, tokenizer: Any) -> None:
    """A row for every token; the model's own way of filling them (all at one mean) is left out."""
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)


def _weights(model: Any) -> list[Tensor]:
    """Input matrix, and the output matrix where it is another one."""
    inputs, outputs = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    return [inputs.data] if outputs.data_ptr() == inputs.data_ptr() else [inputs.data, outputs.data]


def _old_rows(weight: Tensor, first_new: int) -> Tensor:
    """Rows of tokens the model knew before, in float32 on the CPU."""
    return weight[:first_new].detach().float().cpu()


def _initial_std(model: Any) -> float:
    return float(getattr(model.config, "initializer_range", None) or 0.02)


def _start(old: Tensor, count: int, init: Init, noise: float, initial_std: float, generator: Generator) -> Tensor:
    """(count, d): the mean of the old rows plus noise, or plain random rows."""
    import torch

    normal = torch.randn(count, old.shape[1], generator=generator)
    if init == "random":
        return normal * initial_std
    return old.mean(dim=0) + normal * (noise * old.std())


def _word_ids(tokenizer: Any, texts: Sequence[str], new: set[int]) -> list[list[int]]:
    """Old token ids of each text; ids of new tokens (a text that imitates them) and specials are dropped."""
    skip = new | set(tokenizer.all_special_ids)
    rows = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return [[token for token in row if token not in skip] for row in rows]


def _word_means(old: Tensor, words: Sequence[Sequence[int]]) -> Tensor:
    """Mean word embedding of each item (num_items, d); items without words get the mean of all rows."""
    import torch
    from torch.nn.functional import embedding_bag

    offsets = torch.tensor([0, *[len(row) for row in words]]).cumsum(0)[:-1]
    flat = torch.tensor([token for row in words for token in row], dtype=torch.long)
    items = embedding_bag(flat, old, offsets, mode="mean")
    items[torch.tensor([not row for row in words])] = old.mean(dim=0)
    return items
