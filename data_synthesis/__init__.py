"""The dataset synthesis tool: text that a recommender trains on, written from training data and checked.

`gream-synth <command>` or `python -m data_synthesis <command>`. A command is a task (what is asked, `tasks/`); an
engine answers its prompts (`engines/`: rules, a server with OpenAI's interface, vLLM, transformers); one runner with
limits, retries and a journal asks (`core/`); named filters judge every answer (`filters/`). Only `prompts/door.py`
sees the data. Files are exchanged with the systems; their schemas live in `genrec.data.chains` and `.texts`.
"""
