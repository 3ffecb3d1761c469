"""Bodies of requests in OpenAI's form, checked strictly: what is not known is an error, not ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from casa.serving.errors import APIError
from casa.serving.unsupported import UNSUPPORTED, require_supported

_INT64 = 2**63


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class TextPart(_Strict):
    """Text."""

    type: Literal["text"]
    text: str


class ImageURL(_Strict):
    """Where an image is; `detail` is accepted, images are always taken whole."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(_Strict):
    """An image, as a data URL or, where the server allows it, an https address."""

    type: Literal["image_url"]
    image_url: ImageURL


class Audio(_Strict):
    """A clip in base64."""

    data: str
    format: Literal["wav", "mp3", "flac", "ogg"]


class AudioPart(_Strict):
    """A clip."""

    type: Literal["input_audio"]
    input_audio: Audio


Part = Annotated[TextPart | ImagePart | AudioPart, Field(discriminator="type")]


class CalledFunction(_Strict):
    """What was called, with its arguments as JSON."""

    name: str
    arguments: str


class ToolCall(_Strict):
    """An earlier call of a tool."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class ChatMessage(_Strict):
    """One message; the last fields are accepted as clients echo them, empty."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Annotated[list[Part], Field(min_length=1)] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    name: None = None
    refusal: None = None
    audio: None = None
    function_call: None = None
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None

    @model_validator(mode="after")
    def _require_content(self) -> Self:
        if self.content is None and not self.tool_calls:
            raise ValueError("content is missing; it may be null beside tool_calls only")
        if (self.tool_calls and self.role != "assistant") or (self.tool_call_id is not None and self.role != "tool"):
            raise ValueError("tool_calls belong to the assistant, a tool_call_id to a tool")
        return self


class StreamOptions(_Strict):
    """What a stream tells beside its text."""

    include_usage: bool = False
    include_obfuscation: bool = False


class ChatRequest(_Strict):
    """Body of `POST /v1/chat/completions`; the last fields are accepted and change nothing."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-_INT64, lt=_INT64)] | None = None
    stop: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=4)]
        | None
    ) = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
    user: Any = None
    metadata: Any = None
    store: Any = None
    service_tier: Any = None
    safety_identifier: Any = None
    prompt_cache_key: Any = None
    parallel_tool_calls: Any = None

    def stops(self) -> list[str]:
        """Stop strings as a list."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

    def offered_tools(self) -> list[dict[str, Any]]:
        """Tools for the chat template; none where the request chooses "none".

        Raises:
            APIError: 400, a choice forces a call.
        """
        if self.tool_choice not in (None, "auto", "none"):
            raise APIError(
                400,
                'tool_choice is "auto" or "none": a forced call would leave no room for a refusal',
                "unsupported_parameter",
                "tool_choice",
            )
        return self.tools or [] if self.tool_choice != "none" else []

    def require_clear_prefill(self, allowed: bool) -> None:
        """Checks that a last assistant message is meant as the beginning of the answer, and that nothing else is.

        Args:
            allowed: whether the server takes one.

        Raises:
            APIError: 400.
        """
        prefilled = self.messages[-1].role == "assistant"
        if prefilled and not allowed:
            raise APIError(
                400, "this server begins its answers by itself; end with another message", "prefill_refused", "messages"
            )
        if self.continue_final_message is not None and self.continue_final_message != prefilled:
            wish = "needs a last message from the assistant" if not prefilled else "cannot be false with one"
            raise APIError(400, f"continue_final_message {wish}", "invalid_value", "continue_final_message")
        if self.add_generation_prompt is not None and self.add_generation_prompt == prefilled:
            wish = "false needs" if not prefilled else "true excludes"
            raise APIError(
                400,
                f"add_generation_prompt {wish} a last message from the assistant",
                "invalid_value",
                "add_generation_prompt",
            )


class ModerationRequest(_Strict):
    """Body of `POST /v1/moderations`."""

    input: str | Annotated[list[str], Field(min_length=1)] | Annotated[list[Part], Field(min_length=1)]
    model: str | None = None


Body = TypeVar("Body", bound=BaseModel)


def parsed(body: bytes, form: type[Body]) -> Body:
    """A body of that form.

    Raises:
        APIError: 400, naming the field.
    """
    try:
        fields = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise APIError(400, "the body is not JSON in UTF-8", "invalid_json") from None
    if not isinstance(fields, dict):
        raise APIError(400, "the body is not a JSON object", "invalid_json")
    require_supported(fields)
    try:
        return form.model_validate({name: value for name, value in fields.items() if name not in UNSUPPORTED})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise APIError(400, f"{where}: {first['msg']}", "invalid_value", where) from None
