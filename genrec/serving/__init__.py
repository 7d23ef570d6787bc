"""How does a trained recommender answer over HTTP? A gateway that any system can stand behind.

door.py         what a system must offer (Engine) and how it adds routes of its own
config.py       every limit and switch of the gateway
gateway.py      the parts of a running gateway, and the FastAPI application around them
growth.py       new items in a running gateway
schemas.py      requests and answers, with examples
routes/         recommendations, items, feedback and audits, health and metrics, OpenAI pass-through, pages
request.py      from a request body to a checked Question
errors.py       the one shape of an error, and which statuses there are
guard.py        request ids, body limit, API keys, drain: what stands before every route
admission.py    how many requests may be under way; the rest is told when to come back
batching.py     waiting requests share one forward pass
items.py        the catalogue as people and filters ask for it
diversity.py    more variety at request time
audit.py        stored answers with a retention time
feedback.py     durable feedback, experiment arms, click rate
metrics.py      what Prometheus reads
upstream/       OpenAI-compatible servers (vLLM): started, watched, chosen by load
html.py         how a page is sent: its content policy
static/         the playground and the page of the API, without external assets
run.py          uvicorn with a drain on SIGTERM
"""
