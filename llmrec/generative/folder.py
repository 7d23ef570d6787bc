"""How is LLMRec opened? The align stage's folder, with a writer and a parser by choice."""

from __future__ import annotations

from pathlib import Path

from genrec.data import Dataset
from genrec.data.files import read_json
from genrec.fetch import cache_folder
from genrec.llm.chat import load_chat
from genrec.llm.encoders import load_encoder
from llmrec.generative.alignment.heads import AlignmentHeads
from llmrec.generative.feedback.llm_parser import ChatParser
from llmrec.generative.recommender import GenerativeRecommender
from llmrec.generative.writing.writers import ChatWriter

MANIFEST = "llmrec.json"


def open_recommender(folder: str | Path, chat: str | None = None, pool: int = 50) -> GenerativeRecommender:
    """Open the folder of recipes/llmrec_align.py.

    Args:
        folder: `<run_dir>/align`.
        chat: a chat model that writes lists and reads feedback, see `genrec.llm.chat.load_chat`; None = rules alone.
        pool: items retrieved per list.

    Raises:
        ValueError: the folder is none of that stage.
    """
    path = Path(folder)
    if not (path / MANIFEST).is_file():
        raise ValueError(f"'{path}' holds no {MANIFEST}; run recipes/llmrec_align.py")
    manifest = read_json(path / MANIFEST)
    catalogue = Dataset.load(path / "data").catalogue
    encoder = load_encoder(manifest["encoder"], cache_folder() / "embeddings")
    made = GenerativeRecommender(AlignmentHeads.load(path), catalogue, encoder, pool=pool)
    if model := load_chat(chat):
        made.writer, made.parser = ChatWriter(model, made.records), ChatParser(model, made.records)
    return made
