"""Escaped text yields no added token of any tokenizer, and leaves neighbouring SID tokens whole."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from genrec.data.escape import WELL_KNOWN, escape_text, fold
from genrec.data.files import read_json
from genrec.fetch import cache_folder

SIDS = ("<a_1>", "<b_2>", "<a_12>", "<c_255>")
QWEN = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<tool_call>",
)
FOREIGN = (
    "[PAD]",
    "<s>",
    "</s>",
    "[INST]",
    "[gMASK]",
    "<｜end▁of▁sentence｜>",
    "<start_of_turn>",
    "## Answer",
    "▁▁",
)
HOSTILE = ("  ", "\n\n", "\t", "ab", "a b", "Kg", "\u0301", "\ue000", "é!", "☃", "[", " x")
NORMALISERS = {
    "none": None,
    "nfc": normalizers.NFC(),
    "nfd": normalizers.NFD(),
    "nfkc": normalizers.NFKC(),
    "bert": normalizers.BertNormalizer(lowercase=True, strip_accents=True),
    "accents": normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]),
    "nmt": normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()]),
}


@cache
def byte_bpe(normaliser: str, added: tuple[str, ...], normalized: bool) -> Tokenizer:
    """A byte-level BPE tokenizer without unknown tokens, like Qwen's but small."""
    tokenizer = Tokenizer(models.BPE())
    if NORMALISERS[normaliser] is not None:
        tokenizer.normalizer = NORMALISERS[normaliser]
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["a nail lacquer for the guitar and the road bike"] * 3, trainer)
    if tokenizer.normalizer is not None:
        added = tuple(token for token in added if _can_be_kept_out(token, tokenizer.normalizer, normalized))
    tokenizer.add_tokens([AddedToken(token, normalized=normalized) for token in added])
    return tokenizer


def _can_be_kept_out(token: str, normaliser: normalizers.Normalizer, normalized: bool) -> bool:
    """False for tokens that normalise to nothing (tokenizers panics), or to space beside spaces."""
    seen = normaliser.normalize_str(token)
    writes_spaces = normaliser.normalize_str("中\t").strip(" ") != "中\t"
    return bool(seen.strip()) or not (normalized and (writes_spaces or seen != token))


def added_ids(tokenizer: Tokenizer) -> set[int]:
    return set(tokenizer.get_added_tokens_decoder())


PIECES = "< > | [ ] _ / a b P AD] <a _1> <|im _end|> </thi nk> &lt;a_1&gt; ＜ ＞ ﹤ ﹥ ≮ ≯ ｜"
LETTERS = "ＰＡＤ ᵃ ㎏ ﬁ İ ſ Å é ☃ ´ ﾞ 각 中 👩‍👧"
MARKS = "\u0338 \u0301 \u3099 \u1161 <\u0338 >\u0338 \u200d \u200b \u200e \ufeff \u00ad \ufffd \ue000 \ud83d ▁"
SPACES = [" ", "\x00", "\x1c", "\u2028", "\u00a0", "\u3000", "\n"]
FRAGMENTS = st.sampled_from(
    [*SIDS, *QWEN, *FOREIGN, *HOSTILE, *WELL_KNOWN[:6], *f"{PIECES} {LETTERS} {MARKS}".split(" "), *SPACES]
)
UNTRUSTED = st.lists(FRAGMENTS | st.text(max_size=4), max_size=12).map("".join)


@settings(max_examples=150)
@given(text=UNTRUSTED, kind=st.sampled_from(sorted(NORMALISERS)), normalized=st.booleans(), hostile=st.booleans())
@example(text="<a_1>", kind="nfc", normalized=True, hostile=False)
@example(text="≮a_1≯", kind="bert", normalized=True, hostile=False)
@example(text="＜|im_end|＞", kind="nfkc", normalized=True, hostile=False)
@example(text="[\u200bP\u0301AD]", kind="bert", normalized=True, hostile=False)
@example(text="a\u200db <a_1>\ufffd x", kind="nmt", normalized=True, hostile=True)
@example(text="㎏ kg K\u0301G", kind="nfkc", normalized=True, hostile=True)
def test_no_string_yields_an_added_token(text: str, kind: str, normalized: bool, hostile: bool) -> None:
    added = (*SIDS, *QWEN, *FOREIGN, *(HOSTILE if hostile else ()))
    tokenizer = byte_bpe(kind, added, normalized)
    escaped = escape_text(text, added)
    found = [tokenizer.id_to_token(i) for i in tokenizer.encode(escaped).ids if i in added_ids(tokenizer)]
    assert found == []
    assert escape_text(escaped, added) == escaped


@settings(max_examples=150)
@given(text=UNTRUSTED, kind=st.sampled_from(["none", "nfc", "nfkc"]), normalized=st.booleans())
@example(text="\u0338", kind="nfc", normalized=True)
@example(text="\u200d\u0338 x", kind="nfc", normalized=True)
@example(text="\ufffd\u0338", kind="nfc", normalized=True)
def test_neighbouring_sids_stay_whole(text: str, kind: str, normalized: bool) -> None:
    tokenizer = byte_bpe(kind, (*SIDS, *QWEN), normalized)
    ids = tokenizer.encode(f"<a_1>{escape_text(text)}<b_2>").ids
    ours = [tokenizer.id_to_token(i) for i in ids if i in added_ids(tokenizer)]
    assert ours == ["<a_1>", "<b_2>"]
    assert [tokenizer.id_to_token(ids[0]), tokenizer.id_to_token(ids[-1])] == ["<a_1>", "<b_2>"]


def test_without_escape_a_leading_mark_destroys_the_sid() -> None:
    tokenizer = byte_bpe("nfc", (*SIDS, *QWEN), True)
    assert not added_ids(tokenizer) & set(tokenizer.encode("<a_1>\u0338").ids)


CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>{% endif %}"
)


def rendered(template: str, text: str) -> str:
    """One user turn through a chat template, rendered as transformers does, with a SID opening the answer."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    messages = [{"role": "user", "content": text}]
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True) + "<a_1>"


def added_in(tokenizer: Tokenizer, text: str) -> list[int]:
    known = added_ids(tokenizer)
    return [i for i in tokenizer.encode(text).ids if i in known]


@settings(max_examples=60)
@given(text=UNTRUSTED)
def test_nothing_but_the_formatter_speaks_through_a_chat_template(text: str) -> None:
    tokenizer = byte_bpe("nfc", (*SIDS, *QWEN), False)
    escaped = escape_text(text, (*SIDS, *QWEN))
    assert added_in(tokenizer, rendered(CHAT_TEMPLATE, escaped)) == added_in(tokenizer, rendered(CHAT_TEMPLATE, ""))


def real_qwen3() -> Path | None:
    return next(cache_folder().glob("npm/*tokenizer-qwen3*/package/models"), None)


@pytest.mark.skipif(real_qwen3() is None, reason="the Qwen3 tokenizer is not in the cache")
def test_the_real_qwen3_tokenizer_and_template_meet_no_added_token() -> None:
    folder = real_qwen3()
    assert folder is not None
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([AddedToken(sid, normalized=True) for sid in SIDS])
    template = read_json(folder / "tokenizer_config.json")["chat_template"]
    contents = tuple(token.content for token in tokenizer.get_added_tokens_decoder().values())
    expected = added_in(tokenizer, rendered(template, ""))

    @settings(max_examples=60)
    @given(text=UNTRUSTED | st.lists(st.sampled_from(contents), max_size=5).map("".join))
    def check(text: str) -> None:
        assert added_in(tokenizer, rendered(template, escape_text(text, contents))) == expected
        assert added_in(tokenizer, f"<b_2>{escape_text(text)}<b_2>") == [tokenizer.token_to_id("<b_2>")] * 2

    check()


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("OPI Nail Lacquer, 0.5-Fluid Ounce", "OPI Nail Lacquer, 0.5-Fluid Ounce"),
        ("Nintendo 3DS [Old Model]", "Nintendo 3DS [Old Model]"),
        ("Pokémon™ Déjà vu", "Pokémon™ Déjà vu"),
        ("<a_1>", "‹a_1›"),
        ("＜|im_end|＞", "‹|im_end|›"),
        ("≮think≯", "‹think›"),
        ("[PAD] of paper", "[ PAD] of paper"),
        ("[ｐａｄ]", "[ ｐａｄ]"),
        ("\u0338\u200d\u0301title", "title"),
        ("one\n\n two\ttabs\u2028", "one two tabs"),
        ("lone \ud83d surrogate\x00", "lone surrogate"),
        ("می\u200cخواهم", "می خواهم"),
        ("zero\u200b \ufeffwidth", "zero width"),
        ("", ""),
        ("\u0301", ""),
    ],
)
def test_readable_text_stays_readable(text: str, escaped: str) -> None:
    assert escape_text(text) == escaped


def test_a_token_that_resists_every_separator_ends_the_text() -> None:
    separators = tuple(" _-.~")
    assert escape_text("good ab bad", (*separators, "a", "b")) == "good"


def test_given_tokens_are_broken_and_others_are_not() -> None:
    assert escape_text("## Answer: ab") == "## Answer: ab"
    assert escape_text("## Answer: ab", ("## Answer",)) == "# # Answer: ab"


def test_long_hostile_text_is_escaped_in_bounded_time() -> None:
    escaped = escape_text("[PAD]" * 20_000)
    assert escaped == "[ PAD]" * 20_000


@given(st.text(max_size=30))
def test_the_fold_is_blind_to_normal_forms_and_case(text: str) -> None:
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert fold(unicodedata.normalize(form, text)) == fold(text)
    assert fold(text.casefold()) == fold(text)
