"""How does GREAM stand behind the gateway of genrec/serving?

engine.py         GreamEngine: direct, reasoning and mixed answers for many requests at once
beams.py          waiting beam searches share a batch
chains.py         what a source of chains is, and the model in this process as one
server_chains.py  the same from OpenAI-compatible servers (vLLM)
reading.py        chains as people read them
inserts.py        new items in a running server
options.py        what `gream serve` can be told
command.py        `gream serve`
"""
