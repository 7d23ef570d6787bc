"""Facts about the strict reader of generated text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.sid.vocabulary import SidVocabulary
from gream.prompts.output import TAGS, Parsed, parse_output, split_stages
from gream.prompts.text import clip_words, names_title, one_line

VOCABULARY = SidVocabulary([4, 4, 4])
LABELS = {stage: f"{stage}." for stage in range(1, 6)}
SID = "<a_1><b_2><c_3>"
GOOD = f"<think>1. saw tents\n2. outdoors</think><answer>{SID}</answer>"


def read(text, lengths=(3,)):
    return parse_output(text, VOCABULARY, labels=LABELS, lengths=lengths, endings=("<|im_end|>", "<|endoftext|>"))


def test_a_good_output_is_read_in_full():
    assert read(GOOD) == Parsed((1, 2, 3), True, "1. saw tents\n2. outdoors", {1: "saw tents", 2: "outdoors"})


@pytest.mark.parametrize("tail", ["", "<|im_end|>", "<|im_end|>\n", "<|im_end|><|endoftext|><|endoftext|>", "\n"])
def test_end_tokens_may_follow(tail):
    assert read(GOOD + tail).format_ok


@pytest.mark.parametrize(
    "bad",
    [
        "",
        SID,
        f"<answer>{SID}</answer>",
        f"<think>x</think>{SID}",
        f"<think>x<answer>{SID}</answer>",
        f"x</think><answer>{SID}</answer>",
        f"<think>x</think><answer>{SID}",
        f"<think>x</think><answer>{SID}</answer> more",
        f"so <think>x</think><answer>{SID}</answer>",
        f"<think>x</think> well <answer>{SID}</answer>",
        f"<think>x</think><think>y</think><answer>{SID}</answer>",
        f"<think>x</think><answer>{SID}</answer><answer>{SID}</answer>",
        f"<think><answer>{SID}</answer></think>",
        "<think>x</think><answer></answer>",
        "<think>x</think><answer><a_1><b_2></answer>",
        f"<think>x</think><answer>{SID}{SID}</answer>",
        f"<think>x</think><answer>{SID}<a_0></answer>",
        "<think>x</think><answer><a_9><b_2><c_3></answer>",
        "<think>x</think><answer><a_01><b_2><c_3></answer>",
        "<think>x</think><answer><b_2><a_1><c_3></answer>",
        f"<think>x</think><answer>item {SID}</answer>",
        f"<think>x</think><answer>{SID}</answer><|im_end|> hi",
        "<THINK>x</THINK><ANSWER><a_1><b_2><c_3></ANSWER>",
    ],
)
def test_anything_else_does_not_parse(bad):
    assert read(bad) == Parsed()


def test_a_sid_of_a_length_the_index_lacks_does_not_parse():
    assert read(GOOD, lengths=(4,)) == Parsed()


def test_a_sid_of_no_item_still_parses_because_rewards_judge_near_misses():
    assert read(GOOD.replace("<c_3>", "<c_0>")).codes == (1, 2, 0)


def test_a_repeated_label_keeps_its_first_text_and_other_lines_are_ignored():
    assert split_stages("1. a\nnoise\n3. c\n1. z", LABELS) == {1: "a", 3: "c"}


PIECES = st.sampled_from(
    [*TAGS, SID, "<a_1>", "<b_9>", "<c_3>", "\n", "1. ", "<|im_end|>", " ", "tent", "<", "\u0338", "\ud800"]
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=14).map("".join)))
def test_garbage_never_raises_and_is_never_half_read(text):
    parsed = read(text)
    if parsed.format_ok:
        assert all(text.count(tag) == 1 for tag in TAGS)
        assert text.index("<think>") < text.index("</think>") < text.index("<answer>") < text.index("</answer>")
        assert VOCABULARY.text_of(parsed.codes) in text[text.index("<answer>") :]
        assert len(parsed.codes) == 3
    else:
        assert parsed == Parsed()


@given(st.text(alphabet=st.characters(exclude_characters="<>")))
def test_any_chain_without_tags_is_kept(chain):
    parsed = read(f"<think>{chain}</think><answer>{SID}</answer>")
    assert parsed.chain == chain


def test_one_line_and_clip():
    assert one_line(" a\n b\t\tc ") == "a b c"
    assert clip_words("a b c", 2) == "a b"
    assert clip_words("a b c", None) == "a b c"


def test_a_shortened_title_counts_as_named():
    title = "Northfell Classic Tent, 2 Persons (Green)"
    assert names_title("the northfell classic tent: light", title)
    assert not names_title("a classic tent", title)
    assert names_title("Seven: dark", "Seven")
