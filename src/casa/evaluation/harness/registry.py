"""What inspect-ai loads by the entry point `casa`: providers at once, their libraries only when one is used."""

from __future__ import annotations

from typing import Any

from inspect_ai.model import modelapi

from casa.evaluation.harness.agreement import judge_agreement
from casa.evaluation.harness.tasks import TASKS

__all__ = ["TASKS", "casa", "defence", "judge_agreement", "undefended"]


@modelapi(name="casa")
def casa() -> Any:
    """`casa/MODEL`, in this process or, with a base URL, on a server.

    `checksums` are only logged: they tell a model from another of the same name.
    """

    def api(model_name: str, base_url: str | None = None, checksums: Any = None, **options: Any) -> Any:
        if base_url:
            return _served(model_name, base_url, **options)
        from casa.evaluation.harness.provider import CasaAPI

        return CasaAPI(model_name, **options)

    return api


@modelapi(name="defence")
def defence() -> Any:
    """`defence/FOLDER`, in this process."""

    def api(model_name: str, checksums: Any = None, **options: Any) -> Any:
        from casa.evaluation.harness.provider import DefenceAPI

        return DefenceAPI(model_name, **options)

    return api


@modelapi(name="undefended")
def undefended() -> Any:
    """`undefended/MODEL`, likewise."""

    def api(model_name: str, base_url: str | None = None, checksums: Any = None, **options: Any) -> Any:
        if base_url:
            return _served(model_name, base_url, **options)
        from casa.evaluation.harness.provider import UndefendedAPI

        return UndefendedAPI(model_name, **options)

    return api


def _served(model_name: str, base_url: str, **options: Any) -> Any:
    from casa.evaluation.harness.served import ServedAPI

    return ServedAPI(model_name, base_url, **options)
