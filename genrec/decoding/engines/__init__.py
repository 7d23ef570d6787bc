"""How do generation engines with a scheduler of their own (vLLM) stay inside the catalogue?

protocol.py      the two things an engine must do: score some next tokens, write chains with an item behind each
beam.py          trie beam search that asks an engine for the children's log-probabilities only
answer_rows.py   one step of a chain and its answer: what is allowed, which token is drawn
vllm.py          vLLM behind the protocol, within its limits
vllm_answers.py  answer_rows as a logits processor inside vLLM

Constraints are not left to the engine: its beam search ignores them. A level of a beam names the children of the trie
nodes (`logprob_token_ids`), so the engine computes exact log-probabilities under the full softmax and nothing else.
Chains and their items are drawn inside the engine, in one request; asking for the item in rounds of scoring behind a
finished chain is exact too and was slower (benchmarks/vllm_reasoning.py holds both).
"""
