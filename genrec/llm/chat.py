"""How is a chat model asked? One call, messages in and text out: a local model or any server of OpenAI's kind."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Message = Mapping[str, str]
KEY = "OPENAI_API_KEY"


class ChatError(Exception):
    """The model gave no answer; the message holds no credential."""


class ChatModel(Protocol):
    """Anything that answers chat messages.

    Attributes:
        name: identity for reports.
        added_tokens: contents of its tokenizer's added tokens, for escaping; () when it is unknown.
    """

    name: str
    added_tokens: Sequence[str]

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None) -> str:
        """Answer messages; with a JSON schema where the model takes one.

        Raises:
            ChatError: no answer.
        """
        ...


class LocalChat:
    """A causal language model in this process; greedy, so that equal questions get equal answers.

    Args:
        model: causal language model.
        tokenizer: its tokenizer, with a chat template.
        max_new_tokens: longest answer.
        name: identity.
    """

    def __init__(self, model: Any, tokenizer: Any, max_new_tokens: int = 512, name: str = "local") -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise ValueError(f"the tokenizer of '{name}' has no chat template; use an instruct model")
        self.model, self.tokenizer, self.max_new_tokens, self.name = model, tokenizer, max_new_tokens, name
        self.added_tokens: Sequence[str] = tuple(tokenizer.get_added_vocab())

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None) -> str:
        """See `ChatModel`; a schema is not enforced here."""
        import torch

        text = self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        batch = self.tokenizer(text, return_tensors="pt", add_special_tokens=False).to(self.model.device)
        with torch.inference_mode():
            out = self.model.generate(
                **batch,
                max_new_tokens=self.max_new_tokens,
                do_sample=False,
                pad_token_id=self.tokenizer.pad_token_id,
                eos_token_id=self.tokenizer.eos_token_id,
            )
        return str(self.tokenizer.decode(out[0, batch["input_ids"].shape[1] :], skip_special_tokens=True))


class ServerChat:
    """A server with OpenAI's interface (vLLM, Ollama, hosts); the key comes from the environment only.

    Args:
        base_url: address, such as http://localhost:8000/v1.
        model: name the server knows.
        timeout: seconds for one answer.
        max_tokens: longest answer.
    """

    def __init__(self, base_url: str, model: str, timeout: float = 60.0, max_tokens: int = 1024) -> None:
        from openai import OpenAI

        self._key = os.environ.get(KEY, "")
        self._client = OpenAI(api_key=self._key or "none", base_url=base_url, timeout=timeout, max_retries=1)
        self.model, self.max_tokens = model, max_tokens
        self.name = model
        self.added_tokens: Sequence[str] = ()

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None) -> str:
        """See `ChatModel`."""
        import openai

        extra: dict[str, Any] = {}
        if schema is not None:
            named = {"name": "answer", "schema": dict(schema), "strict": True}
            extra["response_format"] = {"type": "json_schema", "json_schema": named}
        failure = ""
        try:
            made = self._client.chat.completions.create(
                model=self.model,
                messages=list(messages),  # type: ignore[arg-type]
                temperature=0.0,
                max_tokens=self.max_tokens,
                **extra,  # type: ignore[arg-type]
            )
        except openai.OpenAIError as error:
            failure = self._shown(f"{type(error).__name__}: {error}")
        if failure:  # outside the handler, so that no traceback chains to a request with its headers
            raise ChatError(failure)
        if not made.choices or not made.choices[0].message.content:
            raise ChatError("the server sent an empty answer")
        return str(made.choices[0].message.content)

    def _shown(self, text: str) -> str:
        return (text.replace(self._key, "***") if self._key else text)[:300]


def load_chat(spec: str | None, max_new_tokens: int = 512) -> ChatModel | None:
    """A chat model by name.

    Args:
        spec: None or "none"; `smollm2`, or the id or folder of a Hugging Face model; or `http://host:port/v1#model`.
        max_new_tokens: longest answer of a local model.

    Returns:
        The model; None for none.

    Raises:
        ValueError: a server without a model name.
    """
    if spec in (None, "", "none"):
        return None
    assert spec is not None
    if spec.startswith(("http://", "https://")):
        address, mark, model = spec.partition("#")
        if not (mark and model):
            raise ValueError(f"chat {spec!r} names no model; write http://host:port/v1#model")
        return ServerChat(address, model, max_tokens=max_new_tokens)
    from genrec.llm.backbones import load_backbone

    model, tokenizer = load_backbone(spec)
    return LocalChat(model.eval(), tokenizer, max_new_tokens, spec)
