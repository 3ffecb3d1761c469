"""A training run of a method other than CASA, with CASA's data, batches and number of steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from transformers import TrainerCallback, set_seed

from casa.baselines.adapters import AdapterTask, AdapterTrainer, with_lora
from casa.baselines.folder import Saved, save_adapter
from casa.data.held_out import held_out_queries
from casa.data.reading import Example
from casa.method.config import CasaConfig
from casa.model.attach import describe
from casa.model.messages import ChatFormat
from casa.provenance import provenance
from casa.training.arguments import CasaTrainingArguments
from casa.training.batches import BalancedBatches, ConditionalCollator, ConditionalDataset, fitting
from casa.training.dev import Classifier, verdict_metrics
from casa.training.recipe import Recipe, loaded_base, training_examples, with_answers


class _Loaded(NamedTuple):
    model: Any
    processor: Any
    chat: ChatFormat
    described: dict[str, str]  # the base model, before anything changes it


@dataclass
class Run:
    """What a method is trained with; the base model is loaded when it is first asked for.

    Attributes:
        method: its name.
        recipe: of the data, the base model and the adapter's shape.
        config: its safety prompt, threshold and beta count here too.
        training: of the Trainer.
        settings: of the method, a dataclass.
        output: the run's folder.
    """

    method: str
    recipe: Recipe
    config: CasaConfig
    training: CasaTrainingArguments
    settings: Any
    output: Path

    @property
    def base(self) -> Any:
        """The base model."""
        return self._loaded.model

    @property
    def processor(self) -> Any:
        """Its processor, the safety tokens added."""
        return self._loaded.processor

    @property
    def chat(self) -> ChatFormat:
        """Its chat format, with the recipe's safety prompt if there is one."""
        return self._loaded.chat

    @property
    def saved(self) -> Saved:
        """What the folder says."""
        prompt, threshold = self.config.safety_prompt, self.config.threshold
        return Saved(self.method, self._loaded.described, prompt, threshold, asdict(self.settings))

    @cached_property
    def _loaded(self) -> _Loaded:
        model, processor, chat = loaded_base(self.recipe, self.config)
        return _Loaded(model, processor, chat, describe(model))

    @cached_property
    def casa_examples(self) -> list[Example]:
        """The very examples that CASA is trained on by the same recipe."""
        return self._examples(self.recipe)

    def answered_examples(self, **changes: Any) -> list[Example]:
        """The same queries, each with its answer, for a method that has no verdict to learn from them.

        Args:
            changes: further fields of the recipe that the method needs otherwise.
        """
        return self._examples(replace(self.recipe, response_share=1.0, **changes))

    def _examples(self, recipe: Recipe) -> list[Example]:
        short = fitting(training_examples(recipe, self.training.seed), self.chat, recipe.max_prompt_tokens)
        return with_answers(short, self.base, self.chat, recipe, self.training.seed, self.output)

    def adapted(self, layers: int | None = None) -> Any:
        """A PEFT model around the base model, which is changed in place; see `with_lora`."""
        _ = self.steps_an_epoch  # needs the base model's own answers, so before it changes
        set_seed(self.training.seed)  # the Trainer would only seed after the adapter has got its first weights
        return with_lora(self.base, self.recipe, layers)

    @cached_property
    def steps_an_epoch(self) -> int:
        """As many as CASA takes by the same recipe, so that every method takes as many steps."""
        labels = [example.malicious for example in self.casa_examples]
        return BalancedBatches(labels, labels, self.training.step_batch_size, 1, self.training.seed).batches_an_epoch

    def train(
        self,
        task: AdapterTask,
        examples: Sequence[Example],
        chat: ChatFormat | None = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> dict[str, Any]:
        """Trains an adapter, from the newest checkpoint if there is one, and saves it; returns steps and throughput.

        Args:
            task: the method's objective.
            examples: what it is trained on.
            chat: the format of the prompts; None for the recipe's.
            callbacks: of the Trainer.
        """
        chat = chat or self.chat
        dataset = ConditionalDataset(examples, chat, self.recipe.max_response_tokens)
        collate = ConditionalCollator(chat, with_token=False)
        self.training.eval_strategy = "no"
        trainer = AdapterTrainer(task, dataset, collate, self.training, self.steps_an_epoch, self.saved, callbacks)
        figures = trainer.run()
        task.eval()
        save_adapter(self.output, task.model, self.saved)
        return figures

    def dev_figures(self, classifier: Classifier) -> dict[str, float]:
        """How a trained method's verdicts do on the dev split."""
        queries = held_out_queries("dev", seed=0, limit=self.recipe.dev_limit, sources=self.recipe.train_files)
        size = 2 * self.training.per_device_train_batch_size
        return verdict_metrics(classifier, queries, size, scores=("p_unsafe",))[0]

    def summary(self, examples: Sequence[Example], figures: dict[str, Any]) -> dict[str, Any]:
        """What a run's `summary.json` holds.

        Args:
            examples: that were trained on.
            figures: of the run and of the trained method.
        """
        device = self.base.get_input_embeddings().weight.device
        counts = Counter("malicious" if example.malicious else "benign" for example in examples)
        return {
            **provenance(device, self.training.seed),
            "method": self.method,
            "model": self.output.name,
            "examples": dict(counts),
            **figures,
        }
