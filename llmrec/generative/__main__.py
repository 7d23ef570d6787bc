"""Talk to LLMRec: python -m llmrec.generative --model runs/llmrec_ml100k/align --history "Toy Story (1995)"."""

from __future__ import annotations

from llmrec.generative.cli import main

raise SystemExit(main())
