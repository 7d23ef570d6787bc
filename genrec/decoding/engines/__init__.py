"""How do generation engines with a scheduler of their own (vLLM) stay inside the catalogue?

protocol.py  the two things an engine must do: score some next tokens, draw chains
beam.py      trie beam search that asks an engine for the children's log-probabilities only
answers.py   items drawn behind finished chains, level by level
vllm.py      vLLM behind the protocol, within its limits

Constraints are not left to the engine: its beam search ignores them. Every step names the children of the trie nodes
(`logprob_token_ids`), so the engine computes exact log-probabilities under the full softmax and nothing else, and the
prefix cache keeps what it has read.
"""
