"""How does a dataset become an index and an untrained model? The work of recipes/gream_index.py, in order.

1. dataset -> data/, split.json   2. CE-SASRec on the training split -> sasrec/
3. texts (and SASRec's item vectors) -> codes: index.json, health.json, ...
4. tokenizer with SID tokens, embedding rows -> base/ (a recommender folder with an untrained model)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from genrec.data import Dataset, load_dataset
from genrec.data.files import write_json
from genrec.data.split import SplitKind
from genrec.data.texts import read_descriptions
from genrec.fetch import cache_folder
from genrec.llm.backbones import TinyConfig, load_backbone
from genrec.run.estimate import estimate
from genrec.sid.flexcode.usage import item_usage
from genrec.sid.vocabulary import Init, SidVocabulary, extend_tokenizer, resize_and_init
from gream.baselines import fit_sasrec
from gream.encoder_cost import IndexEstimate, encoder_cost
from gream.indexing import IndexConfig, ItemIndex, build_index
from gream.prompts import PromptConfig
from gream.prompts.wordings import prompt_corpus
from gream.recommend import save_recommender
from gream.settings import IndexArguments, read_columns
from gream.workspace import SPLIT_FILE


def load_data(arguments: IndexArguments) -> Dataset:
    """The dataset of a run; reviews enter item texts from the training part of the run's own split only."""
    dataset = load_dataset(
        arguments.dataset,
        k_core=arguments.k_core,
        min_rating=arguments.min_rating,
        on_error=arguments.on_error,  # type: ignore[arg-type]  # checked there, with the choices
        columns=read_columns(arguments.columns),
        items=arguments.items,
        evidence_split=arguments.split,
    )
    if not arguments.descriptions:
        return dataset
    found = read_descriptions(arguments.descriptions)
    return replace(dataset, catalogue=dataset.catalogue.with_descriptions(found))


def build(
    dataset: Dataset, arguments: IndexArguments, folder: Path, corpus: Sequence[str] = (), is_main: bool = True
) -> dict[str, Any]:
    """Build everything the later stages read.

    Args:
        dataset: the dataset.
        arguments: settings of the index stage.
        folder: the stage's folder.
        corpus: texts of chains, so that a compact tokenizer spells their words in few tokens.
        is_main: False on a process that only helps to train the baseline; it writes nothing.

    Returns:
        Facts for stage.json: counts, index health, model size; {} where `is_main` is False.
    """
    index = learn_index(dataset, arguments, folder, is_main)
    if index is None:
        return {}
    parameters = save_base_model(dataset, index, arguments, folder / "base", corpus)
    return {"counts": dataset.counts, "health": index.health, "parameters": parameters}


def learn_index(dataset: Dataset, arguments: IndexArguments, folder: Path, is_main: bool = True) -> ItemIndex | None:
    """Train CE-SASRec and learn the codes: data/, split.json, sasrec/ and the index files.

    Args:
        dataset: the dataset.
        arguments: settings of the index stage.
        folder: the stage's folder.
        is_main: False on a process that only helps to train the baseline; it writes nothing.

    Returns:
        The index; None where `is_main` is False.
    """
    split = dataset.split(cast(SplitKind, arguments.split))
    if is_main:
        dataset.save(folder / "data")
        write_json(folder / SPLIT_FILE, {"kind": arguments.split})
    sasrec = fit_sasrec(split, dataset.num_items, arguments, folder / "sasrec")
    if not is_main:
        return None
    vectors = sasrec.item_vectors() if arguments.collaborative else None
    wants_usage = arguments.method == "flexcode"
    return build_index(
        dataset,
        arguments.encoder,
        index_config(arguments),
        vectors,
        folder=folder,
        train_items=split.train_items(),
        cache_dir=cache_folder() / "embeddings",
        usage=item_usage(split.train, dataset.num_items, dataset.timestamps) if wants_usage else None,
        train=split.train,
    )


def index_config(arguments: IndexArguments) -> IndexConfig:
    """How the codes are learnt."""
    return IndexConfig(
        method=arguments.method,
        num_levels=arguments.num_levels,
        codebook_size=arguments.codebook_size,
        balanced=arguments.balanced,
        collisions=arguments.collisions,  # type: ignore[arg-type]  # checked there, with the choices
        collaborative_weight=arguments.collaborative_weight,
        options=dict(arguments.code_options or {}),  # type: ignore[arg-type]  # a mapping since __post_init__
        seed=arguments.seed,
    )


def save_base_model(
    dataset: Dataset, index: ItemIndex, arguments: IndexArguments, folder: Path, corpus: Sequence[str] = ()
) -> int:
    """Load the backbone, teach its tokenizer the SIDs, start the new rows, save.

    Args:
        dataset: for the catalogue's texts.
        index: the item index.
        arguments: settings of the index stage.
        folder: recommender folder to write.
        corpus: more texts for the compact tokenizer.

    Returns:
        Number of parameters.
    """
    a, texts, codes = arguments, dataset.catalogue.texts(), index.item_codes
    tiny = TinyConfig(a.hidden_size, a.num_layers, a.num_heads, a.num_kv_heads, a.intermediate_size, a.vocab_size)
    spelling = [*texts, *prompt_corpus(), *corpus]
    model, tokenizer = load_backbone(a.backbone, texts=spelling, tiny=tiny, seed=a.seed)
    vocabulary = SidVocabulary.for_codes(codes)
    extend_tokenizer(tokenizer, vocabulary)
    init: Init = a.init  # type: ignore[assignment]  # checked there, with the choices
    resize_and_init(model, tokenizer, vocabulary, codes, texts, init, a.seed, vectors=index.embeddings)
    prompts = PromptConfig(a.max_history, tuple(int(digit) for digit in a.think_stages), a.style)  # type: ignore[arg-type]
    extra = {"stage": "index", "dataset": dataset.name, "backbone": a.backbone, "seed": a.seed}
    save_recommender(folder, model, tokenizer, codes, dataset.catalogue, prompts, extra)
    return int(sum(p.numel() for p in model.parameters()))


def estimate_index(dataset: Dataset, arguments: IndexArguments) -> IndexEstimate:
    """Cost of the index stage: the SASRec baseline and one pass of the text encoder over the catalogue.

    Args:
        dataset: the dataset.
        arguments: settings of the index stage.
    """
    a, events = arguments, sum(len(h) for h in dataset.histories)
    parameters = dataset.num_items * a.sasrec_hidden + 24 * a.sasrec_hidden**2
    memory = 0.8 + 4 * dataset.num_items * (a.sasrec_hidden * 4 + 3 * 2048) / 2**30
    baseline = estimate(parameters, a.sasrec_epochs * events, 0, memory)
    return IndexEstimate(**vars(baseline), encoder=encoder_cost(a.encoder, dataset.catalogue.texts()))
