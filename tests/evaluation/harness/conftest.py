"""Whatever these tests import, inspect-ai's output stays what it is in use."""

from inspect_ai.model import get_model

get_model("mockllm/model")  # hooks that are there before the first model are announced on stdout
