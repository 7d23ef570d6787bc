"""How is untrusted text made harmless to a tokenizer? No added or special token can be spelt with it.

A tokenizer cuts out its added tokens (`<|im_end|>`, `</think>`, `[PAD]`, our `<a_12>`) by literal search,
some before and some after its normaliser ran. So text is compared under a fold that is coarser than every
usual normaliser (NFC, NFD, NFKC, NFKD, accent and control stripping, lower case): what cannot match there
cannot match anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

OPEN, CLOSE = "‹", "›"  # single guillemets: they read like < and >, and have no decomposition
WELL_KNOWN = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[BOS]", "[EOS]", "[INST]", "[/INST]", "[TOOL_CALLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[SYSTEM_PROMPT]"),
    *("[/SYSTEM_PROMPT]", "[IMG]", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[gMASK]"),
    *("[sMASK]", "[multimodal]", "[THINK]", "[/THINK]"),
)
_BREAK = re.compile(r"[\t-\r\x1c-\x1f\x85]")
# Zero-width characters that BERT's normaliser drops and NMT's makes spaces, and SentencePiece's own space.
_SPACE_FOR_SOME = "\u200b\u200c\u200d\u200e\u200f\ufeff\ufffd\u2581"
_SEPARATORS = (" ", "_", "-", ".", "~")


def escape_text(text: str, added_tokens: Sequence[str] = ()) -> str:
    """Rewrite untrusted text so that it yields no added token and cannot damage a neighbouring SID token.

    Angle brackets (and every character that normalises to one) become single guillemets, which disarms all
    tokens written with them, known or not. Other added tokens are broken by a space inside them. Leading
    combining marks are dropped: after our `<a_1>` an NFC normaliser would turn `>` + U+0338 into another
    character. White space and zero-width characters collapse to single spaces, so text cannot fake a line of
    a prompt. Out of reach: the unknown token of vocabularies without byte fallback, and added tokens of bare
    white space where a normaliser writes spaces of its own.

    Args:
        text: Anything from a catalogue, a review or a user.
        added_tokens: Contents of the tokenizer's added tokens (`tokenizer.get_added_vocab()`).

    Returns:
        Escaped text; escaping it again with the same tokens changes nothing.

    Source:
        METHODS 1.1, last paragraph; the fold is ours.
    """
    pattern, banned = _compiled(tuple(added_tokens))
    if not _plain(text):
        text = "".join(map(_harmless, text))
    if banned:
        text = "".join(c for c in text if banned.isdisjoint(unicodedata.normalize("NFKD", c)))
    text = _trim(text)
    while matches := _matches(text, pattern):
        text = _broken(text, matches, pattern)
    return text


def fold(text: str) -> str:
    """Map text to what the coarsest normaliser would see.

    Args:
        text: Any text.

    Returns:
        Compatibility-decomposed, case-folded text without marks, control, format and private characters.
    """
    return "".join(map(_fold_character, text))


@lru_cache(maxsize=65536)
def _fold_character(character: str) -> str:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    kept = "".join(c for c in decomposed if unicodedata.category(c)[0] not in "MC" and c != "\ufffd")
    return " ".join(re.split(r"\s", kept)).replace("\u2581", " ")  # SentencePiece writes a space as U+2581


@lru_cache(maxsize=65536)
def _harmless(character: str) -> str:
    """Replace what is dangerous in any text: angle brackets, controls, lone surrogates, odd spaces."""
    decomposed = unicodedata.normalize("NFKD", character)
    if "<" in decomposed or ">" in decomposed:
        return OPEN if "<" in decomposed else CLOSE
    if character.isspace() or character in _SPACE_FOR_SOME:
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cs") else character


def _plain(text: str) -> bool:
    """Whether nothing in the text needs replacing: printable ASCII without angle brackets."""
    return text.isascii() and text.isprintable() and "<" not in text and ">" not in text


def _trim(text: str) -> str:
    """Collapse white space and drop leading characters that a fold would not see."""
    text = " ".join(text.split())
    start = next((i for i, c in enumerate(text) if _fold_character(c).strip()), len(text))
    return text[start:]


@lru_cache(maxsize=64)
def _compiled(added_tokens: tuple[str, ...]) -> tuple[re.Pattern[str], frozenset[str]]:
    """Prepare the search for a tokenizer's tokens.

    Tokens with an angle bracket or a line break cannot occur in escaped text and are left out.

    Args:
        added_tokens: Contents of the added tokens.

    Returns:
        A pattern that finds any token's fold (the empty lookahead finds overlapping ones), and the characters
        to be removed because some token consists of nothing that the fold would keep.
    """
    live: set[str] = set()
    banned: set[str] = set()
    for token in (*WELL_KNOWN, *added_tokens):
        if (
            (folded := fold(token).strip() or fold(token))
            and not re.search("[<>]", folded)
            and not _BREAK.search(token)
        ):
            live.add(folded)
        elif not folded:
            banned.update(unicodedata.normalize("NFKD", token))
    ordered = sorted(live, key=lambda folded: (len(folded), folded))
    return re.compile("(?=(" + "|".join(map(re.escape, ordered)) + "))"), frozenset(banned)


def _matches(text: str, pattern: re.Pattern[str]) -> list[tuple[int, int]]:
    """Find the spans of the original text whose fold contains a token: the shortest at each start."""
    if text.isascii():
        return [match.span(1) for match in pattern.finditer(text.casefold())]
    pieces = [_fold_character(c) for c in text]
    origin = [i for i, piece in enumerate(pieces) for _ in piece]
    spans = (match.span(1) for match in pattern.finditer("".join(pieces)))
    return [(origin[start], origin[end - 1] + 1) for start, end in spans]


def _broken(text: str, matches: list[tuple[int, int]], pattern: re.Pattern[str]) -> str:
    """Break all matches in the first way that leaves fewer; if none does, end the text before the first."""
    for separator in _SEPARATORS:
        candidate = _trim(_rewritten(text, matches, separator, keep=True))
        if len(_matches(candidate, pattern)) < len(matches):
            return candidate
    for separator in _SEPARATORS[1:]:
        candidate = _trim(_rewritten(text, matches, separator, keep=False))
        if len(_matches(candidate, pattern)) < len(matches):
            return candidate
    return _trim(text[: matches[0][0]])


def _rewritten(text: str, matches: list[tuple[int, int]], separator: str, *, keep: bool) -> str:
    """Put the separator after the first character of each match (keep), or in place of the match."""
    pieces, done = [], 0
    for start, end in matches:
        if start < done:
            continue  # overlaps the previous match
        if keep and end - start > 1:
            pieces += [text[done : start + 1], separator]
            done = start + 1
        elif not keep:
            pieces += [text[done:start], separator]
            done = end
    return "".join(pieces) + text[done:]
