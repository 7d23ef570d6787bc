"""Where does each code stand among the items? Means of the items that carry it, as starts of embedding rows.

Shapes: vectors (num_items, dv), rows (tokens, d).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genrec.sid.codes import PAD, ItemCodes

if TYPE_CHECKING:
    from torch import Tensor

Ints = NDArray[np.int64]


def token_means(items: Tensor, codes: Any, token_ids: Sequence[Any]) -> tuple[Tensor, list[int]]:
    """Mean over a cluster's items of their vectors (num_items, d).

    Args:
        items: one vector per item.
        codes: (num_items, levels), -1 where an item carries no token.
        token_ids: per level, the token of each code.

    Returns:
        Means (used tokens, d) and the ids of these tokens; tokens that no item carries are left out.
    """
    import torch

    slots = {token: slot for slot, token in enumerate(dict.fromkeys(np.concatenate(token_ids).tolist()))}
    sums, counts = torch.zeros(len(slots), items.shape[1]), torch.zeros(len(slots))
    for level, level_ids in enumerate(token_ids):  # a codebook that several positions share gathers from all of them
        column = torch.from_numpy(codes[:, level])
        carried = column >= 0
        at = torch.tensor([slots[token] for token in level_ids.tolist()])[column[carried]]
        sums.index_add_(0, at, items[carried])
        counts.index_add_(0, at, torch.ones(len(at)))
    used = counts > 0
    return sums[used] / counts[used, None], [token for token, slot in slots.items() if used[slot]]


def codewords(
    vectors: Any, item_codes: ItemCodes, token_ids: Sequence[Ints], width: int, seed: int
) -> tuple[Tensor, list[int]]:
    """Mean residual of each code's items, codebook by codebook, projected with unit deviation.

    A token means the same at every position (FlexCode's `<sem_0_17>` stands first for some items and third for others),
    so its start is the mean over all its items. Collaborative and semantic codebooks see their own columns only.

    Args:
        vectors: what the codes were learnt from.
        item_codes: which items carry which code.
        token_ids: per position, the token of each code.
        width: d.
        seed: of the projection.

    Returns:
        Rows (used tokens, d) and the ids of these tokens.
    """
    import torch

    table = torch.tensor(np.asarray(vectors, dtype=np.float32))
    table = table - table.mean(dim=0)
    projection = torch.randn(table.shape[1], width, generator=torch.Generator().manual_seed(seed))
    residuals: dict[str, Tensor] = {}
    rows, found = [], []
    for kind, column, ids in _codebooks(item_codes, token_ids):
        residual = residuals.setdefault(kind, _own_columns(table, kind, item_codes))
        means, used = token_means(residual, column[:, None], [ids])
        projected = means @ projection
        rows.append(projected / projected.std().clamp_min(1e-9))
        found += used
        places = {token: place for place, token in enumerate(used)}
        carried = column != PAD
        residual[torch.from_numpy(carried)] -= means[[places[int(ids[code])] for code in column[carried]]]
    return torch.cat(rows), found


def _codebooks(item_codes: ItemCodes, token_ids: Sequence[Ints]) -> Iterator[tuple[str, Ints, Ints]]:
    """Kind, code of each item within the codebook (`PAD` where it has none) and token of each code.

    Without shared codebooks every position is one.
    """
    if item_codes.books is None:
        yield from (("", item_codes.codes[:, level], ids) for level, ids in enumerate(token_ids))
        return
    start = 0
    for name, size in item_codes.books:
        inside = (item_codes.codes >= start) & (item_codes.codes < start + size)
        column = np.where(inside, item_codes.codes - start, PAD).max(axis=1)
        yield name.split("_")[0], column, token_ids[0][start : start + size]
        start += size


def _own_columns(table: Tensor, kind: str, item_codes: ItemCodes) -> Tensor:
    """A copy of the vectors with the columns that a kind of codes was not learnt from at zero."""
    own, text = table.clone(), item_codes.config.get("text_dim")
    if text is not None and kind == "cf":
        own[:, : int(text)] = 0
    if text is not None and kind == "sem":
        own[:, int(text) :] = 0
    return own
