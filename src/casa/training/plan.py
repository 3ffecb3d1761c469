"""The dry run of a recipe: everything is checked and counted, nothing is loaded, trained or written."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from casa.data.held_out import held_out_queries
from casa.data.reading import Example
from casa.errors import CasaError, DataError
from casa.method.config import CasaConfig
from casa.method.tokens import SafetyTokens
from casa.model.attach import add_token_rows
from casa.model.bases import empty_base, load_processor
from casa.model.checkpoint import read_config, resolve
from casa.model.embedded import adapter_folder
from casa.model.families import tokenizer_of, untrained_media
from casa.model.messages import ChatFormat
from casa.model.quantization import Quantization
from casa.training.architecture import Architecture, read_architecture
from casa.training.arguments import CasaTrainingArguments
from casa.training.batches import fitting
from casa.training.cost import GPUS, UTILISATION, Work, other_hours, step_memory, training_flops, training_hours
from casa.training.mix import apart_by_answer
from casa.training.recipe import Recipe, read_recipe, training_examples
from casa.training.run_folder import claim_of, require_free
from casa.training.workload import rows_of, work_of

Setting = tuple[Quantization, bool]  # whether with gradient checkpointing
SETTINGS: tuple[Setting, ...] = (("none", False), ("none", True), ("4bit", False), ("4bit", True))
NO_GPU_NEEDED = ["--use_cpu", "true"]  # transformers refuses bfloat16 where there is no GPU


@dataclass
class Plan:
    """What a recipe would do.

    Attributes:
        recipe: of the data, the base model and the adapter's shape.
        config: the method's choices.
        training: of the Trainer.
        problems: what keeps it from being run; without any, all that follows is there.
        notes: what should be known before it is run.
        shape: the base model with its adapters.
        tokens: the safety tokens.
        examples: that are trained on, by class, and those left out, by reason.
        work: what is read and written.
    """

    recipe: Recipe
    config: CasaConfig
    training: CasaTrainingArguments
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shape: Architecture | None = None
    tokens: SafetyTokens | None = None
    examples: dict[str, int] = field(default_factory=dict)
    work: Work | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it, with estimates of memory for every setting and of hours for every GPU."""
        return {
            "base_model": self.recipe.base_model,
            "problems": self.problems,
            "notes": self.notes,
            "examples": self.examples,
            "safety_tokens": self.tokens._asdict() if self.tokens else None,
            "model": {**asdict(self.shape), "trainable": self.shape.trainable} if self.shape else None,
            "work": asdict(self.work) if self.work else None,
            **(self._estimates(self.shape, self.work) if self.shape and self.work else {}),
        }

    def _estimates(self, shape: Architecture, work: Work) -> dict[str, Any]:
        chosen: Setting = (self.recipe.quantization, self.training.gradient_checkpointing)
        memory = {setting: step_memory(shape, work, setting[1], setting[0]) for setting in SETTINGS}
        return {
            "setting": described(*chosen),
            "memory_bytes": {described(*s): {**asdict(part), "total": part.total} for s, part in memory.items()},
            "flops": training_flops(shape, work, chosen[1]),
            "assumed_utilisation": UTILISATION[chosen[0]],
            "gpus": {
                gpu.name: {
                    "fits": memory[chosen].fits(gpu),
                    "fits_with": next((described(*s) for s in SETTINGS if memory[s].fits(gpu)), None),
                    "training_hours": training_hours(shape, work, gpu, chosen[1], chosen[0]),
                    "other_hours": other_hours(shape, work, gpu, chosen[0]),
                }
                for gpu in GPUS
            },
        }


def described(quantization: Quantization, checkpointing: bool) -> str:
    """A setting in words."""
    return f"{'unquantised' if quantization == 'none' else '4 bits'}, {'with' if checkpointing else 'no'} checkpointing"


def plan_recipe(path: Path, overrides: list[str]) -> Plan:
    """Checks a recipe, its base model's config and its data, and estimates what it takes.

    Of a base model on the hub only config, tokenizer and processor are fetched.

    Raises:
        CasaError: the recipe itself cannot be read; all other problems are in the plan.
    """
    plan = Plan(*read_recipe(path, [*overrides, *NO_GPU_NEEDED]))
    recipe, problems = plan.recipe, plan.problems
    chat = None
    with _noted(problems, "base model"):
        processor = load_processor(recipe.base_model, **recipe.base_options)
        base = empty_base(recipe.base_model, recipe.weight_dtype, **recipe.base_options)
        with _noted(problems, "safety tokens"):
            plan.tokens = add_token_rows(base, processor, plan.config)
            _require_words(tokenizer_of(processor), plan.config)
            chat = ChatFormat(processor, plan.tokens, plan.config, untrained_media(base))
            chat.end_of_turn_id()
        if plan.tokens:
            with _noted(problems, "LoRA"):
                plan.shape = read_architecture(base, plan.tokens, plan.config, recipe.lora)
    with _noted(problems, "data"):
        _require_dev(recipe)
        examples = training_examples(recipe, plan.training.seed)
        if chat is not None:
            _count(plan, examples, chat)
    with _noted(problems, "init_from"):
        _require_start(recipe.init_from)
    with _noted(problems, "output_dir"):
        require_free(Path(str(plan.training.output_dir)), claim_of(recipe, plan.config, plan.training))
    plan.notes += _notes(plan)
    return plan


@contextmanager
def _noted(problems: list[str], where: str) -> Iterator[None]:
    """Turns an error into a problem, so that the rest is checked too.

    Transformers and the hub raise errors of many types on a base model that is not there or not known.
    """
    try:
        yield
    except Exception as error:
        told = str(error) if isinstance(error, CasaError) else f"{type(error).__name__}: {error}"
        problems.append(f"{where}: {told}".strip())


def _require_words(tokenizer: Any, config: CasaConfig) -> None:
    for word in (config.safe_word, config.unsafe_word):
        if not tokenizer(word, add_special_tokens=False)["input_ids"]:
            raise CasaError(f"the tokenizer knows no piece of {word!r}, from which a safety token's row is to start")


def _require_start(source: str | None) -> None:
    """Checks the CASA model that training goes on from, if it is on this machine; one on the hub is not fetched."""
    if source is not None and (adapter_folder(source) or Path(source).is_dir()):
        read_config(resolve(source))


def _require_dev(recipe: Recipe) -> None:
    dev = held_out_queries("dev", seed=0, limit=1, sources=recipe.train_files)
    if lacking := [kind for kind in ("malicious", "benign") if not dev[kind]]:
        raise DataError(f"the dev split of {', '.join(recipe.train_files)} has no {' and no '.join(lacking)} queries")


def _count(plan: Plan, examples: Sequence[Example], chat: ChatFormat) -> None:
    """Fills in examples and work; answers of the base model, which are not known yet, count as of the longest length."""
    recipe = plan.recipe
    short = fitting(examples, chat, recipe.max_prompt_tokens)
    answered, verdict_only = apart_by_answer(short, recipe.response_share, plan.training.seed)
    from_base = recipe.benign_answers == "base"
    own = [e for e in answered if from_base and not e.malicious]
    taught = [e for e in answered if e.answer is not None and (e.malicious or not from_base)]
    rows = [*rows_of([*verdict_only, *taught], chat, recipe), *rows_of(own, chat, recipe, recipe.max_response_tokens)]
    plan.examples = {
        **Counter("malicious" if row.malicious else "benign" for row in rows),
        "left out, prompt too long": len(examples) - len(short),
        "left out, no answer": len(short) - len(rows),
    }
    plan.work = work_of(rows, len(own), recipe, plan.training)


def _notes(plan: Plan) -> Iterator[str]:
    shape, work, four_bit = plan.shape, plan.work, plan.recipe.quantization == "4bit"
    if four_bit and importlib.util.find_spec("bitsandbytes") is None:
        yield "bitsandbytes is not installed here; training needs it: pip install 'casa-mllm[quantized]'"
    if four_bit and shape and shape.routed:
        yield "this model stacks its experts into one tensor, which is not quantised: 4 bits save little"
    if shape and shape.routed:
        yield "experts are left alone: LoRA adapts the linear layers only"
    if work and work.own_answers:
        yield f"the base model's own answers count as {work.own_answer_tokens} tokens each"
    if (
        shape
        and work
        and not any(step_memory(shape, work, on, bits).fits(gpu) for bits, on in SETTINGS for gpu in GPUS)
    ):
        yield "no GPU above is large enough: lower per_device_train_batch_size or max_prompt_tokens"
