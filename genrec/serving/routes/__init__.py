"""Which routes does every gateway have?

recommend.py  POST /v1/recommendations, whole or as server-sent events
events.py     those events
catalogue.py  GET and POST /v1/items, GET /v1/items/{item_id}
records.py    POST /v1/feedback, GET /v1/audits/{request_id}
status.py     GET /health, /ready, /metrics, /v1/settings
openai.py     /v1/models, /v1/completions, /v1/chat/completions passed through
pages.py      the playground at /, the API at /docs
"""

from genrec.serving.routes import catalogue, openai, pages, recommend, records, status

ROUTERS = tuple(module.router for module in (recommend, catalogue, records, status, openai, pages))

__all__ = ["ROUTERS"]
