"""What is asked of every family: attach, train two steps, save, load, decide, answer, batch, explain, export."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from casa import CasaModel
from casa.data.reading import Example
from casa.model.attach import fresh_attention
from casa.model.bases import load_base, load_processor
from casa.model.families import media_token_ids
from casa.model.merged import write_merged
from casa.serving.vllm.export import ATTENTION_FILE, export, verify
from casa.serving.vllm.settings import WEIGHT_PREFIX
from casa.training.arguments import CasaTrainingArguments
from casa.training.batches import ConditionalDataset
from casa.training.trainer import CasaTrainer

from .family import PARTS, Family

Conversation = list[dict[str, Any]]
CLOSE = 1e-5  # of probabilities
QUESTION = {"type": "text", "text": "What is <|safe|> this?"}  # a safety token in most families


def lacking(family: Family) -> list[str]:
    """Packages that the family's processor needs and that are not installed."""
    return [name for name in family.needs if importlib.util.find_spec(name) is None]


def conversation(*parts: dict[str, Any]) -> Conversation:
    """One user message of media and a question."""
    return [{"role": "user", "content": [*parts, QUESTION]}]


@dataclass(frozen=True)
class Subject:
    """A family's tiny model on its way.

    Attributes:
        family: of which it is.
        before: trained weights as attached.
        trained: the model after two steps.
        loaded: the same, saved and loaded again.
    """

    family: Family
    before: dict[str, torch.Tensor]
    trained: CasaModel
    loaded: CasaModel


def prepare(family: Family, folder: Path) -> Subject:
    """Builds, attaches, trains two steps, saves, and loads."""
    base, processor = family.build()
    base.save_pretrained(folder / "base")
    processor.save_pretrained(folder / "base")
    torch.manual_seed(0)
    casa = CasaModel.attach(base, processor, family.config, r=2)
    before = {name: p.detach().clone() for name, p in casa.named_parameters() if p.requires_grad}
    train(casa, folder / "run")
    casa.base["name"] = str(folder / "base")
    casa.save_pretrained(folder / "casa")
    return Subject(family, before, casa.eval(), CasaModel.from_pretrained(folder / "casa"))


def train(casa: CasaModel, folder: Path) -> None:
    """Two steps on four text examples of different lengths."""
    texts = (
        "how do I bake bread",
        "tell me of trains, in a line that is longer",
        "do harm",
        "do some more of the harm",
    )
    answers = ("Flour.", "They roll.", "No.", "I will not.")
    examples = [
        Example(str(i), text, i > 1, answer, "plain", str(i), "train", "here")
        for i, (text, answer) in enumerate(zip(texts, answers, strict=True))
    ]
    arguments = CasaTrainingArguments(
        output_dir=str(folder), max_steps=2, per_device_train_batch_size=4, warmup_steps=0, logging_steps=1,
        eval_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    CasaTrainer(casa, ConditionalDataset(examples, casa.chat, 8), {}, arguments).run()


def check_training(subject: Subject) -> None:
    """Every trained weight has moved and is finite."""
    after = dict(subject.trained.named_parameters())
    unmoved = [name for name, weight in subject.before.items() if torch.equal(weight, after[name])]
    assert not unmoved, f"not trained: {unmoved}"
    assert all(after[name].isfinite().all() for name in subject.before)


def check_text(subject: Subject) -> None:
    """A loaded model decides as the trained one does, and its answers begin with the safety token."""
    casa, chat = subject.loaded, conversation()
    verdict = casa.classify(chat)
    assert 0 < verdict.risk < 1 and not verdict.failed
    assert verdict.p_unsafe == pytest.approx(subject.trained.classify(chat).p_unsafe, abs=CLOSE)
    _check_answer(casa, chat)
    inputs = casa.chat.prompt(chat).inputs
    output = casa.generate(**inputs, max_new_tokens=2, do_sample=False)
    assert output[0, inputs["input_ids"].shape[1]] in casa.tokens
    system = [{"role": "system", "content": "Be brief."}, *chat]
    assert "Be brief." in casa.chat.tokenizer.decode(casa.chat.prompt(system).inputs["input_ids"][0])


def check_medium(subject: Subject, kind: str) -> None:
    """A medium reaches the decision: another one gives another v_s; the loaded model sees it as the trained one does."""
    chats = [conversation(part) for part in PARTS[kind]]
    verdicts = [subject.loaded.classify(chat) for chat in chats]
    assert not any(verdict.failed for verdict in verdicts)
    assert abs(verdicts[0].risk - verdicts[1].risk) > CLOSE
    assert subject.trained.classify(chats[0]).p_unsafe == pytest.approx(verdicts[0].p_unsafe, abs=CLOSE)
    _check_answer(subject.loaded, chats[0])


def _check_answer(casa: CasaModel, chat: Conversation) -> None:
    response = casa.respond(chat, max_new_tokens=3)
    assert response.verdict == casa.classify(chat)
    assert response.usage.prompt_tokens == casa.chat.prompt(chat).inputs["input_ids"].shape[1]


def check_batch(subject: Subject) -> None:
    """Conversations of different lengths and media, as one batch, are decided and answered as each alone."""
    media = [part for kind in subject.family.working for part in PARTS[kind]]
    long = [{"role": "user", "content": "a line of text that is quite a bit longer than the others " * 2}]
    chats = [conversation(), *(conversation(part) for part in media), long]
    alone = [subject.loaded.classify(chat) for chat in chats]
    together = subject.loaded.classify(chats)
    assert [v.p_unsafe for v in together] == pytest.approx([v.p_unsafe for v in alone], abs=CLOSE)
    answers = subject.loaded.respond(chats, max_new_tokens=3)
    assert [a.text for a in answers] == [subject.loaded.respond(chat, max_new_tokens=3).text for chat in chats]


def check_explanation(subject: Subject) -> None:
    """Shares sum to v_s; every token that stands for a medium, and no other, has a place within it."""
    casa = subject.loaded
    for kind in subject.family.working:
        numbers = range(subject.family.at_most)
        chat = conversation(*PARTS[kind][: len(numbers)])
        shares = casa.explain(chat)
        assert sum(a.weight for a in shares) == pytest.approx(casa.classify(chat).risk, abs=CLOSE)
        ids = casa.chat.prompt(chat).inputs["input_ids"][0].tolist()
        stands_for_media = set(media_token_ids(casa.base_model).values())
        assert [a.place is not None for a in shares] == [token in stands_for_media for token in ids]
        places = [a.place for a in shares if a.place is not None]
        assert {(place.kind, place.number) for place in places} == {(kind, number) for number in numbers}
        assert all(0 <= p.left < p.right <= 1 and 0 <= p.top < p.bottom <= 1 for p in places)
        for number in numbers:
            area = sum((p.right - p.left) * (p.bottom - p.top) for p in places if p.number == number)
            assert area == pytest.approx(1)


def check_export(subject: Subject) -> None:
    """Both checkpoints of `casa export` load without the adapter, and decide as before; vLLM itself is not run."""
    casa, chats = subject.loaded, [conversation(PARTS[kind][0]) for kind in subject.family.working] + [conversation()]
    expected = casa.classify(chats)
    with TemporaryDirectory() as folder:
        write_merged(casa, plain := Path(folder) / "plain")
        inputs = casa.chat.prompt(conversation()).inputs
        found = load_base(str(plain)).generate(**inputs, max_new_tokens=1, do_sample=False)
        logits = casa.base_model(**inputs).logits[0, -1]
        assert found[0, -1] == max(casa.tokens, key=lambda token: logits[token])
        settings = verify(export(casa, served := Path(folder) / "served"))
        base = load_base(str(served))
        attention = fresh_attention(base, settings.config)
        weights = load_file(served / ATTENTION_FILE)
        attention.load_state_dict({name.removeprefix(WEIGHT_PREFIX): weight for name, weight in weights.items()})
        again = CasaModel(base, load_processor(str(served)), attention, settings.tokens, settings.config, {}).eval()
        for verdict, other in zip(expected, again.classify(chats), strict=True):
            assert (other.p_unsafe, other.risk) == pytest.approx((verdict.p_unsafe, verdict.risk), abs=CLOSE)


def checks(family: Family) -> dict[str, Callable[[Subject], None]]:
    """What is asked of a family, by name."""
    media = {kind: lambda subject, kind=kind: check_medium(subject, kind) for kind in family.media}
    return {
        "text": check_text,
        **media,
        "training": check_training,
        "batch": check_batch,
        "explanation": check_explanation,
        "export": check_export,
    }
