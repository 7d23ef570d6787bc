"""What does a recommender folder hold, and do its parts belong together?

config.json, *.safetensors, tokenizer files   as transformers writes them
index.json            item <-> semantic ID (`ItemCodes`)
catalogue.jsonl.gz    item ids, titles, texts
prompts.json          wordings and history length (`PromptConfig`)
gream.json            hash of the index the weights were trained with, and where the folder comes from
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.data.catalogue import Catalogue
from genrec.data.files import read_json, write_json
from genrec.sid.codes import ItemCodes

if TYPE_CHECKING:
    from gream.prompts import PromptConfig

logger = logging.getLogger(__name__)

INDEX = "index.json"
CATALOGUE = "catalogue.jsonl.gz"
PROMPTS = "prompts.json"
MANIFEST = "gream.json"
FORMAT = 1


@dataclass
class Parts:
    """Everything a folder holds, loaded.

    Attributes:
        model: Causal language model in evaluation mode.
        tokenizer: Its tokenizer with the SID tokens.
        item_codes: The index.
        catalogue: The items, in the order of the index.
        prompt_config: Wordings and history length.
        manifest: Content of gream.json.
    """

    model: Any
    tokenizer: Any
    item_codes: ItemCodes
    catalogue: Catalogue
    prompt_config: PromptConfig
    manifest: dict[str, Any]


def save_recommender(
    folder: str | Path,
    model: Any,
    tokenizer: Any,
    item_codes: ItemCodes,
    catalogue: Catalogue,
    prompt_config: PromptConfig,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write a folder that `GreamRecommender.from_pretrained` can open.

    Args:
        folder: Where to write; made when missing.
        model: A plain causal language model (adapters merged).
        tokenizer: Tokenizer with the SID tokens.
        item_codes: Index the model was trained with; its hash goes into gream.json.
        catalogue: Items in the order of the index.
        prompt_config: Wordings the model was trained with.
        extra: Further facts for gream.json (stage, seed, provenance ...).

    Returns:
        The folder.

    Raises:
        ValueError: The model still carries an adapter, or catalogue and index differ in size.
    """
    if hasattr(model, "peft_config"):
        raise ValueError(
            "the model still carries a LoRA adapter; merge it first (genrec.posttrain.lora.merge_adapter) "
            "so that the folder holds plain weights"
        )
    _check_sizes(item_codes, catalogue, "the arguments of save_recommender")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    item_codes.save(folder / INDEX)
    catalogue.save(folder / CATALOGUE)
    prompt_config.save(folder / PROMPTS)
    # gream.json last: a folder that was cut off while being written has none and is refused
    write_json(folder / MANIFEST, {**dict(extra or {}), "format": FORMAT, "index_hash": item_codes.hash})
    return folder


def load_parts(
    folder: str | Path,
    *,
    index: str | Path | ItemCodes | None = None,
    dtype: str = "auto",
    device: str | None = None,
) -> Parts:
    """Read a recommender folder and check that its parts belong together.

    Args:
        folder: A folder that `save_recommender` wrote, or the id of one on the Hugging Face hub.
        index: Use this index instead of the folder's own; it must have the same hash.
        dtype: Weight type for transformers ("auto", "float32", "bfloat16").
        device: Torch device; None takes a GPU where there is one.

    Returns:
        The parts, model in evaluation mode on its device.

    Raises:
        ValueError: A file is missing, or index, catalogue, tokenizer and weights do not belong together.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from gream.prompts import PromptConfig

    path = _local(folder)
    manifest = _read_manifest(path)
    item_codes = index if isinstance(index, ItemCodes) else ItemCodes.load(Path(index or path / INDEX))
    check_index(item_codes, manifest, path)
    catalogue = Catalogue.load(path / CATALOGUE)
    _check_sizes(item_codes, catalogue, str(path))
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device).eval()
    return Parts(model, tokenizer, item_codes, catalogue, PromptConfig.load(path / PROMPTS), manifest)


def check_index(item_codes: ItemCodes, manifest: Mapping[str, Any], folder: Path) -> None:
    """Refuse an index that the weights were not trained with.

    Args:
        item_codes: The index about to be used.
        manifest: Content of gream.json.
        folder: Named in the message.

    Raises:
        ValueError: The hashes differ; the message holds both and the remedy.
    """
    expected = manifest.get("index_hash")
    if item_codes.hash != expected:
        raise ValueError(
            f"the index has the hash {item_codes.hash}, but the weights in '{folder}' were trained with "
            f"the index {expected}: its semantic IDs would name other items. Put the index.json of the "
            "training run back, or train again from the alignment stage with the new index"
        )


def _local(folder: str | Path) -> Path:
    path = Path(folder)
    if path.is_dir():
        return path
    text = str(folder)
    if path.is_absolute() or text.startswith(".") or text.count("/") != 1:
        raise ValueError(
            f"model folder '{folder}' does not exist; pass a folder with {MANIFEST}, e.g. runs/<name>/srpo"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(text))
    except Exception as error:
        raise ValueError(f"'{folder}' is neither a folder nor a model that the hub would give: {error}") from error


def _read_manifest(path: Path) -> dict[str, Any]:
    missing = [name for name in (MANIFEST, INDEX, CATALOGUE, PROMPTS, "config.json") if not (path / name).is_file()]
    if missing:
        raise ValueError(
            f"'{path}' is not a GREAM recommender folder: it lacks {', '.join(missing)}; "
            "the stages of recipes/gream_*.py write such folders, and save_recommender does"
        )
    manifest = dict(read_json(path / MANIFEST))
    if manifest.get("format") != FORMAT:
        raise ValueError(
            f"'{path / MANIFEST}' has format {manifest.get('format')}, this version reads {FORMAT}; "
            "install the gream version that wrote it, or save the recommender again"
        )
    return manifest


def _check_sizes(item_codes: ItemCodes, catalogue: Catalogue, where: str) -> None:
    if len(item_codes.codes) != len(catalogue):
        raise ValueError(
            f"{where}: the index holds {len(item_codes.codes)} items and the catalogue {len(catalogue)}; "
            "both must come from the same run of the index stage"
        )
