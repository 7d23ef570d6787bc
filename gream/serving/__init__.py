"""How does GREAM stand behind the gateway of genrec/serving?

engine.py    GreamEngine: direct, reasoning and mixed answers for many requests at once
beams.py     waiting beam searches share a batch
chains.py    where chains come from: the model in this process, or OpenAI-compatible servers (vLLM)
reading.py   chains as people read them
inserts.py   new items in a running server
options.py   what `gream serve` can be told
command.py   `gream serve`
"""
