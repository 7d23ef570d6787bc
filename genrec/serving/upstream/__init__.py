"""How are OpenAI-compatible servers (vLLM) started, watched and chosen?

pool.py     several replicas: health, least load, one more try elsewhere
process.py  `vllm serve` as a child process, restarted when it dies
"""
