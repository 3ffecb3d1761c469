"""Runs benchmarks on models by inspect-ai: resumes what was interrupted, and leaves its logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from casa.errors import CasaError, MissingDependencyError
from casa.evaluation.benchmarks import BENCHMARKS
from casa.evaluation.logs import read_log
from casa.evaluation.sources import checksums, read_source, refused_media

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample
    from inspect_ai.log import EvalLog
    from inspect_ai.model import ChatMessage, Model

MEDIA = ("image", "audio")
_OWN_PROVIDERS = ("casa/", "defence/", "undefended/")


@dataclass(frozen=True)
class Planned:
    """One benchmark of a run.

    Attributes:
        benchmark: its name.
        items: how many are asked of each model.
        skipped: why it is left out, or None.
        harmful: how many of them are harmful.
        characters: of text in all of them.
    """

    benchmark: str
    items: int
    skipped: str | None = None
    harmful: int = 0
    characters: int = 0


@dataclass(frozen=True)
class Suite:
    """What is run.

    Attributes:
        models: as inspect-ai names them, such as "casa/casa-nano" and "undefended/casa-nano".
        benchmarks: their names.
        data: a folder in the official layout, or "hub", by benchmark; the mini set where there is none.
        queries: mini sets are made of at most so many held-out queries of each kind.
        limit: most items of a benchmark.
        max_tokens: longest answer.
        batch_size: conversations at once.
        judge: inspect-ai's name of a model that judges the answers too.
        refused: media that the models do not take; benchmarks with them are skipped.
        addresses: where models are served, by name; others run in this process, or where inspect-ai finds them.
        local: whether models at addresses lie here too, so that logs can tell them from others of the same name.
    """

    models: tuple[str, ...]
    benchmarks: tuple[str, ...]
    data: dict[str, str]
    queries: int | None
    limit: int | None
    max_tokens: int
    batch_size: int
    judge: str | None = None
    refused: frozenset[str] = frozenset()
    addresses: Mapping[str, str] = field(default_factory=dict)
    local: bool = True

    def plan(self) -> list[Planned]:
        """What each benchmark will ask.

        Raises:
            DataError: the data of a benchmark are not there.
        """
        return [
            Planned(name, 0, task) if isinstance(task, str) else _planned(name, list(task.dataset)[: self.limit])
            for name, task in self._tasks.items()
        ]

    @cached_property
    def _tasks(self) -> dict[str, Task | str]:
        """The task of each benchmark, made once as its items may be drawn or spoken; or why it is skipped."""
        return {name: self._task(name) for name in self.benchmarks}

    def _task(self, name: str) -> Task | str:
        from casa.evaluation.harness.tasks import TASKS

        if refused := [kind for kind in MEDIA if kind in BENCHMARKS[name].modality and kind in self.refused]:
            return f"the model takes no {' or '.join(refused)} yet"
        try:
            task: Task = TASKS[name](data=self.data.get(name), queries=self.queries, judge=self.judge)
        except MissingDependencyError as error:
            return str(error)
        return task

    def _model(self, name: str) -> Model:
        from inspect_ai.model import get_model

        if not name.startswith(_OWN_PROVIDERS):
            return _foreign(name, get_model)
        known: dict[str, Any] = {"checksums": checksums(name)} if self.local or name not in self.addresses else {}
        return get_model(name, base_url=self.addresses.get(name), batch_size=self.batch_size, **known)

    def run(self, folder: Path, display: Any = None) -> list[EvalLog]:
        """Runs every planned benchmark on every model; the same call again goes on where it stopped.

        Items that a log of the same weights holds are not asked again; those of other weights under the same name are.

        Args:
            folder: of the logs; those of other suites may lie there too.
            display: inspect-ai's, such as "plain" or "none".

        Returns:
            This suite's logs, model by model, in the order of its benchmarks.

        Raises:
            CasaError: an item could not be asked, or inspect-ai does not begin: a model is unknown, a key or a package missing.
            DataError: a log in the folder is broken.
        """
        from inspect_ai import eval_set
        from inspect_ai.log import list_eval_logs, read_eval_log

        from casa.evaluation.harness.judges import judge_model

        chosen = [task for task in self._tasks.values() if not isinstance(task, str)]
        if not chosen:
            raise CasaError("there is nothing to run: every benchmark was skipped")
        for info in list_eval_logs(str(folder)):
            read_log(
                info.name, header_only=True
            )  # inspect-ai reads all that lie there, and does not name one that is broken
        with _told_refusals():
            if self.judge:
                _foreign(self.judge, judge_model)  # rather now than after the first answers
            models = [self._model(name) for name in self.models]
            with self._time_left():
                done, headers = eval_set(
                    chosen,
                    log_dir=str(folder),
                    log_dir_allow_dirty=True,
                    model=models,
                    limit=self.limit,
                    max_tokens=self.max_tokens,
                    max_connections=2 * self.batch_size,
                    retry_attempts=1,
                    max_tasks=1,
                    display=display,
                    log_level="warning",
                )
        logs = [read_eval_log(header.location) for header in headers]
        if not done:
            failed = next((log for log in logs if log.status != "success"), None)
            reason = failed.error.message if failed and failed.error else "see its logs"
            raise CasaError(f"the run did not finish: {reason}. The same command goes on where it stopped.")
        places = {name: place for place, name in enumerate((*self.models, *self.benchmarks))}
        return sorted(logs, key=lambda log: (places[log.eval.model], places[(log.eval.metadata or {})["benchmark"]]))

    def _time_left(self) -> AbstractContextManager[None]:
        """Shows how long the run still takes; an item counts by the tokens that it reads and may write."""
        from casa.evaluation.costs import CHARACTERS_A_TOKEN
        from casa.evaluation.harness.time_left import Work, time_left

        work = {
            one.benchmark: Work(one.items, one.characters / one.items / CHARACTERS_A_TOKEN + self.max_tokens)
            for one in self.plan()
            if one.items
        }
        return time_left(work, self.batch_size)


def _foreign(name: str, get: Callable[[str], Model]) -> Model:
    """A model by its inspect-ai name."""
    try:
        return get(name)
    except ValueError as error:
        raise CasaError(f"inspect-ai knows no model {name!r}; names are such as openai/gpt-4o. {error}") from error


@contextmanager
def _told_refusals() -> Iterator[None]:
    """What inspect-ai refuses to begin with, as an error that says what to do."""
    from inspect_ai._util.error import PrerequisiteError

    try:
        yield
    except PrerequisiteError as error:
        message = Text.from_markup(str(error.message)).plain.removeprefix("ERROR: ")
        raise CasaError(f"inspect-ai does not begin: {message}") from error


def _planned(name: str, samples: Sequence[Sample]) -> Planned:
    harmful = sum(sample.metadata["harmful"] for sample in samples if sample.metadata)
    return Planned(name, len(samples), None, harmful, sum(_characters(sample.input) for sample in samples))


def _characters(messages: str | list[ChatMessage]) -> int:
    return len(messages) if isinstance(messages, str) else sum(len(message.text) for message in messages)


def suite_of(
    source: str,
    others: Sequence[str],
    benchmarks: Sequence[str],
    casa: bool = True,
    undefended: bool = True,
    addresses: Mapping[str, str] | None = None,
    **settings: Any,
) -> Suite:
    """A suite on a defended model, on its base model, and on other models.

    Args:
        source: a CASA model, the folder of another method, or a base model, which is asked alone; or the name of a served model.
        others: by their inspect-ai names.
        benchmarks: all if there are none.
        casa: whether the defended model is asked.
        undefended: whether its base model is.
        addresses: where models are served, by name; of a served model nothing is read here.
        settings: other fields of `Suite`.

    Raises:
        CasaError: no model is asked, or the source is no model.
    """
    local = not addresses
    found = read_source(source) if (casa or undefended) and local else None
    own = ((found.provider if found else "casa", casa), ("undefended", undefended))
    models = tuple(dict.fromkeys((*(f"{provider}/{source}" for provider, asked in own if provider and asked), *others)))
    if not models:
        raise CasaError("no model is asked: give --casa, --base or --other; a base model alone is asked by --base")
    refused = refused_media(found) if found else frozenset[str]()
    chosen = tuple(benchmarks or BENCHMARKS)
    return Suite(models, chosen, refused=refused, addresses=addresses or {}, local=local, **settings)
