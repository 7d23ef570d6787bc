"""How does a tokenizer spell an item? SID tokens, their ids, and their embedding rows."""

from genrec.sid.vocabulary.bound import BoundVocabulary
from genrec.sid.vocabulary.extend import TAGS, added_ids, extend_tokenizer
from genrec.sid.vocabulary.masking import PaddedRowsMask, mask_padded_rows, suppress_padded_rows
from genrec.sid.vocabulary.rows import Init, random_rows, resize_and_init
from genrec.sid.vocabulary.tokens import SidVocabulary

__all__ = [
    "TAGS",
    "BoundVocabulary",
    "Init",
    "PaddedRowsMask",
    "SidVocabulary",
    "added_ids",
    "extend_tokenizer",
    "mask_padded_rows",
    "random_rows",
    "resize_and_init",
    "suppress_padded_rows",
]
