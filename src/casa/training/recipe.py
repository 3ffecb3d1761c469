"""Recipes: one YAML a model, read into dataclasses; any field can be overridden on the command line."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from casa.data.reading import (
    SEED_DATA,
    Example,
    agreeing_openings,
    jailbreak_templates,
    neutral_paragraphs,
    neutral_wrappers,
    read_examples,
    shipped_refusals,
)
from casa.provenance import provenance
from casa.training import ranks
from casa.training.mix import (
    after_small_talk,
    apart_by_answer,
    bury,
    with_agreeing_openings,
    with_refusals,
    wrap,
)
from casa.training.run_folder import claim_folder
from casa.training.yaml_fields import parse_recipe

if TYPE_CHECKING:
    from casa.method.config import CasaConfig
    from casa.model.messages import ChatFormat
    from casa.training.arguments import CasaTrainingArguments

BASE_ANSWERS_FILE, SUMMARY_FILE = "base_answers.jsonl", "summary.json"


@dataclass
class Recipe:
    """What is trained, on what.

    Attributes:
        base_model: hub id, folder, or "casa-nano".
        base_revision: branch, tag or commit of a hub id; None for its main branch. The model records the commit.
        init_from: CASA model to go on from ("casa-nano", a folder, or a hub id), trained on this base model or a fine-tuned variant
            of it; None starts afresh.
        dtype: type of the base model's weights; adapters are always float32.
        quantization: "4bit" loads the decoder's linear layers in 4 bits (QLoRA; needs bitsandbytes).
        train_files: data files; "seed" is the data set that is shipped.
        template_files: further jailbreak framings for training, beside the shipped ones.
        jailbreak_share: share of either class that is wrapped in a jailbreak framing, in [0, 1].
        neutral_share: share of either class that is wrapped in a harmless framing, in [0, 1].
        buried_share: share of either class that stands among paragraphs of harmless text, in [0, 1].
        buried_paragraphs: at most so many, at least one; a paragraph has about 90 tokens.
        small_talk_share: share of either class that follows one or two harmless exchanges, in [0, 1].
        prefill_share: share of the refusals that follow the beginning of an agreeing answer, in [0, 1].
        benign_answers: "base" has the undefended model answer benign queries itself (keeps its utility), "data" takes the data's.
        response_share: share of the examples whose answer is taught too, in (0, 1]; the verdict is taught on all. Answers cost a
            third of a step or more, and are learned long before the verdict.
        refusal_variety: how many different refusals are taught; None for all in the data.
        max_train_examples: at most so many examples, drawn at random; None for all.
        max_prompt_tokens: examples with a longer prompt are left out (and counted).
        attention_prompt_tokens: the same, where safety attention alone is trained at the end.
        max_response_tokens: answers are cut there.
        lora_r: rank of the LoRA adapters.
        lora_alpha: their scale is lora_alpha / lora_r.
        lora_dropout: dropout on their input, in [0, 1).
        attention_epochs: epochs of safety attention alone, at the end and from a fresh start, on cached hidden states of the
            trained model (minutes); what trained beside LoRA has followed states that moved. 0 leaves it at that.
        attention_examples: on so many of the training examples, drawn at random.
        attention_fit_learning_rate: its learning rate then.
        dev_limit: examples of each kind in the evaluations while training.
    """

    base_model: str = field(metadata={"help": "hub id, folder, or casa-nano"})
    base_revision: str | None = None
    init_from: str | None = None
    dtype: Literal["float32", "bfloat16", "auto"] = "auto"
    quantization: Literal["none", "4bit"] = "none"
    train_files: list[str] = field(default_factory=lambda: [SEED_DATA])
    template_files: list[str] = field(default_factory=list)
    jailbreak_share: float = 0.3
    neutral_share: float = 0.1
    buried_share: float = 0.0
    buried_paragraphs: int = 24
    small_talk_share: float = 0.1
    prefill_share: float = 0.15
    benign_answers: Literal["base", "data"] = "base"
    response_share: float = 1.0
    refusal_variety: int | None = None
    max_train_examples: int | None = None
    max_prompt_tokens: int = 512
    attention_prompt_tokens: int = 1024
    max_response_tokens: int = 64
    lora_r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    attention_epochs: int = 30
    attention_examples: int = 2000
    attention_fit_learning_rate: float = 1e-3
    dev_limit: int = 64

    def __post_init__(self) -> None:
        """Checks every field and reports all errors at once.

        Raises:
            ValueError: a field is out of its range.
        """
        shares = ("jailbreak_share", "neutral_share", "buried_share", "small_talk_share", "prefill_share")
        counts = (
            "buried_paragraphs",
            "refusal_variety",
            "max_train_examples",
            "max_prompt_tokens",
            "max_response_tokens",
            "attention_prompt_tokens",
            "attention_examples",
            "lora_r",
            "lora_alpha",
            "dev_limit",
        )
        checks = {
            **{f"{name} must be in [0, 1]": 0 <= getattr(self, name) <= 1 for name in shares},
            **{f"{name} must be >= 1": getattr(self, name) is None or getattr(self, name) >= 1 for name in counts},
            "jailbreak_share and neutral_share together must be at most 1": self.jailbreak_share + self.neutral_share
            <= 1,
            "response_share must be in (0, 1]": 0 < self.response_share <= 1,
            "lora_dropout must be in [0, 1)": 0 <= self.lora_dropout < 1,
            "attention_epochs must be >= 0": self.attention_epochs >= 0,
            "attention_fit_learning_rate must be > 0": self.attention_fit_learning_rate > 0,
            "train_files must name a file": bool(self.train_files),
        }
        if errors := [message for message, holds in checks.items() if not holds]:
            raise ValueError("; ".join(errors))

    @property
    def lora(self) -> dict[str, Any]:
        """The adapters' shape, as arguments of `peft.LoraConfig`."""
        return {"r": self.lora_r, "lora_alpha": self.lora_alpha, "lora_dropout": self.lora_dropout}

    @property
    def base_options(self) -> dict[str, str]:
        """Which of the base model's files to load, as arguments of `load_base`."""
        return {"revision": self.base_revision} if self.base_revision else {}

    @property
    def weight_dtype(self) -> Any:
        """`dtype` as torch's, or "auto"."""
        import torch

        return "auto" if self.dtype == "auto" else getattr(torch, self.dtype)


def read_recipe(path: Path, overrides: list[str]) -> tuple[Recipe, CasaConfig, CasaTrainingArguments]:
    """A recipe's dataclasses from YAML and `--field value` overrides.

    Raises:
        CasaError: the file cannot be read, a field is unknown, or a value does not fit.
    """
    from casa.method.config import CasaConfig
    from casa.training.arguments import CasaTrainingArguments

    recipe, config, training = parse_recipe(path, overrides, (Recipe, CasaConfig, CasaTrainingArguments))
    return recipe, config, training


def training_examples(recipe: Recipe, seed: int) -> list[Example]:
    """The training split, refusals filled in, both classes wrapped alike."""
    train = [example for example in read_examples(recipe.train_files) if example.split == "train"]
    others = () if any(example.malicious and example.answer for example in train) else shipped_refusals()
    train = with_refusals(train, seed, recipe.refusal_variety, others)
    if recipe.max_train_examples is not None:
        train = random.Random(seed).sample(train, min(recipe.max_train_examples, len(train)))
    jailbreaks = jailbreak_templates("train", recipe.template_files)
    train = with_agreeing_openings(train, recipe.prefill_share, agreeing_openings(), seed)
    mixed = after_small_talk(train, recipe.small_talk_share, seed)
    mixed = wrap(mixed, jailbreaks, neutral_wrappers("train"), recipe.jailbreak_share, recipe.neutral_share, seed)
    return bury(mixed, recipe.buried_share, neutral_paragraphs("train"), recipe.buried_paragraphs, seed)


def run_recipe(path: Path, overrides: list[str]) -> dict[str, Any]:
    """Trains by a recipe and saves the model into `output_dir`; resumes if a checkpoint is there.

    Returns:
        A summary: where the model is, examples by class, final dev metrics, throughput. That of the finished run if the same
        recipe was run before.

    Raises:
        CasaError: the recipe or its data are malformed, or the folder belongs to another run.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    recipe, config, training = read_recipe(path, overrides)
    output = Path(str(training.output_dir))
    claim_folder(output, recipe, config, training)
    return finished_run(output, lambda: _trained(recipe, config, training, output))


def finished_run(output: Path, train: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The summary of the run that is finished in this folder, or else of the one that `train` does."""
    if (path := output / SUMMARY_FILE).is_file():
        earlier: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return earlier
    summary = train()
    if ranks.is_main():
        path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _trained(recipe: Recipe, config: CasaConfig, training: CasaTrainingArguments, output: Path) -> dict[str, Any]:
    from transformers import set_seed

    from casa.data.held_out import held_out_queries
    from casa.model.attach import fresh_attention
    from casa.model.casa_model import CasaModel
    from casa.model.checkpoint import load_trained_weights, resolve
    from casa.training.batches import ConditionalDataset, fitting
    from casa.training.cached import Decision, cache_states, fit
    from casa.training.sharding import readable
    from casa.training.trainer import CasaTrainer

    base, processor, chat = loaded_base(recipe, config)
    examples = training_examples(recipe, training.seed)
    short = fitting(examples, chat, recipe.max_prompt_tokens)
    answered = with_answers(short, base, chat, recipe, training.seed, output)
    set_seed(training.seed)  # the Trainer would only seed after the adapter has got its first weights
    casa = CasaModel.attach(base, processor, config, **recipe.lora)
    if recipe.init_from is not None:
        load_trained_weights(casa, resolve(recipe.init_from), variants=True)
    dataset = ConditionalDataset(answered, casa.chat, recipe.max_response_tokens)
    dev = held_out_queries("dev", seed=0, limit=recipe.dev_limit, sources=recipe.train_files)
    trainer = CasaTrainer(casa, dataset, dev, training)
    run = trainer.run()
    casa.eval()
    if recipe.attention_epochs:
        read = fitting(examples, casa.chat, recipe.attention_prompt_tokens)
        drawn = random.Random(training.seed).sample(read, min(recipe.attention_examples, len(read)))
        with trainer.accelerator.autocast(), readable(trainer.model):
            states = cache_states(casa, drawn, 2 * training.per_device_train_batch_size)
        rates = (recipe.attention_fit_learning_rate, training.attention_weight_decay)
        afresh = fresh_attention(casa.base_model, config)  # every rank fits the same
        afresh.query_embedding.copy_(casa.safety_attention.query_embedding)
        fit(Decision(afresh, config), states, recipe.attention_epochs, *rates, seed=training.seed)
        casa.safety_attention = afresh.eval()
    metrics = trainer.evaluate()
    trainer.save_model(str(output))
    return {
        **provenance(casa.device, training.seed),
        "model": output.name,
        "examples": dict(Counter("malicious" if item.malicious else "benign" for item in dataset.items)),
        "left_out": {"prompt_too_long": len(examples) - len(short), "no_answer": len(short) - len(answered)},
        "dev": metrics,
        **run,
    }


def loaded_base(recipe: Recipe, config: CasaConfig) -> tuple[Any, Any, ChatFormat]:
    """The recipe's base model, its processor (with the safety tokens) and its chat format."""
    from casa.method.tokens import add_safety_tokens
    from casa.model.bases import load_base, load_processor
    from casa.model.families import tokenizer_of
    from casa.model.messages import ChatFormat
    from casa.model.quantization import four_bit

    options: dict[str, Any] = {**recipe.base_options}
    if recipe.quantization == "4bit":
        options["quantization_config"] = four_bit(recipe.base_model, **recipe.base_options)
    processor = load_processor(recipe.base_model, **options)
    base = load_base(recipe.base_model, recipe.weight_dtype, **options)
    return base, processor, ChatFormat(processor, add_safety_tokens(tokenizer_of(processor), config), config)


def with_answers(
    examples: list[Example], base: Any, chat: ChatFormat, recipe: Recipe, seed: int, output: Path
) -> list[Example]:
    """Examples with the answers that training teaches; those that should have one and have none are left out."""
    answered, verdict_only = apart_by_answer(examples, recipe.response_share, seed)
    if recipe.benign_answers == "data":
        return verdict_only + [example for example in answered if example.answer is not None]
    from casa.training.distill import base_answers, with_base_answers

    benign = [example for example in answered if not example.malicious]
    answers = base_answers(base, chat, benign, recipe.max_response_tokens, 64, output / BASE_ANSWERS_FILE)
    return verdict_only + with_base_answers(answered, answers, chat)
