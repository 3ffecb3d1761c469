"""Asks a server with OpenAI's API, and hands over the answer as it grows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import httpx2 as httpx

from casa.apps.playground.conversation import Said, to_openai
from casa.errors import CasaError
from casa.model.messages import Message
from casa.model.outputs import Label, Verdict

_CONNECT_S, _SILENCE_S = 10.0, 600.0


class ServerError(CasaError, RuntimeError):
    """A server is not there, refuses a request, or breaks off."""


class Client:
    """One server; asked directly, without proxies.

    Args:
        url: with its "/v1".
        max_new_tokens: longest answer.
        key: that the server asks for.
        decides: whether answers must begin with a verdict; without one no text is handed over.
    """

    def __init__(self, url: str, max_new_tokens: int, key: str | None = None, decides: bool = True) -> None:
        self.url = url.rstrip("/")
        self._length, self._decides = max_new_tokens, decides
        headers = {"authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(_CONNECT_S, read=_SILENCE_S)
        self._http = httpx.Client(headers=headers, timeout=timeout, trust_env=False)

    @cached_property
    def model(self) -> str:
        """The first model that the server names.

        Raises:
            ServerError: it names none.
        """
        try:
            response = self._http.get(f"{self.url}/models")
            self._require_success(response)
            return str(response.json()["data"][0]["id"])
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ServerError(f"{self.url} names no model: is it the address of a server with OpenAI's API?") from error
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def answers(self, messages: Sequence[Message]) -> Iterator[Said]:
        """The answer to a conversation, again and again as it grows; the first one has the verdict.

        Raises:
            ServerError: nothing is answered, or the answer broke off; what the server says of it is told.
        """
        body = {
            **{"model": self.model, "messages": to_openai(messages), "stream": True},
            **{"max_tokens": self._length, "temperature": 0},
        }
        said = Said()
        try:
            with self._http.stream("POST", f"{self.url}/chat/completions", json=body) as response:
                self._require_success(response)
                for line in response.iter_lines():
                    if line.startswith("data: ") and line != "data: [DONE]":
                        said = self._grown(said, json.loads(line.removeprefix("data: ")))
                        yield said
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise ServerError(f"what {self.url} sends is no stream of OpenAI's API") from error
        if said.finish_reason is None:
            raise ServerError("the answer broke off")

    def _grown(self, said: Said, chunk: dict[str, Any]) -> Said:
        if error := chunk.get("error"):
            raise ServerError(error["message"])
        if self._decides and "casa" in chunk:
            said = replace(said, verdict=verdict_of(chunk["casa"]))
        if self._decides and said.verdict is None:
            raise ServerError(f"{self.url} tells no verdict, so nothing is shown: it is no server of `casa serve`")
        for choice in chunk.get("choices", ())[:1]:
            text = said.text + (choice["delta"].get("content") or "")
            said = replace(said, text=text, finish_reason=choice.get("finish_reason") or said.finish_reason)
        return said

    def _require_success(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        response.read()
        try:
            told = str(response.json()["error"]["message"])
        except (ValueError, KeyError, TypeError):
            told = f"{self.url} answers with status {response.status_code}"
        raise ServerError(told)

    def _unreachable(self, error: Exception) -> ServerError:
        return ServerError(f"{self.url} cannot be reached ({type(error).__name__}); `casa serve` starts a server")


def verdict_of(fields: dict[str, Any]) -> Verdict:
    """From the field `casa` of a response; null stands for a number that could not be computed."""
    p, risk = (math.nan if fields[name] is None else float(fields[name]) for name in ("p_unsafe", "risk"))
    failed = math.isnan(p) or math.isnan(risk)
    label: Label = "safe" if fields["label"] == "safe" and not failed else "unsafe"
    return Verdict(label, p, risk, float(fields["threshold"]), failed)
