"""Measures a CASA model under attacks on held-out queries: every attack on malicious queries, and the same on benign ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import track

from casa.attacks.dilution import dilute
from casa.attacks.prefill import prefilled
from casa.attacks.turns import after_small_talk, split_over_turns
from casa.baselines.pretrained import Undefended
from casa.data.reading import SEED_DATA, Example, Split, hand_rewrites, neutral_paragraphs, read_examples
from casa.evaluation.answers import Conversation, as_conversations, casa_answers, undefended_answers
from casa.evaluation.metrics import Estimate, auroc_with_interval
from casa.evaluation.text import complement, flagged_rate, refusal_rate
from casa.model.casa_model import CasaModel
from casa.model.outputs import Verdict

_TOKENS_AT_ONCE = 4096
PREFILLS = (2, 4, 9, 12)  # tokens, as in the paper
Attack = Callable[[str], Conversation]


def conversation_attacks(tokenizer: Any, split: Split, seed: int) -> dict[str, Attack]:
    """Attacks on a query by name; "none" leaves it alone."""
    attacks: dict[str, Attack] = {"none": lambda query: [{"role": "user", "content": query}]}
    attacks |= turn_attacks(split, seed)

    def prefill(tokens: int) -> Attack:
        return lambda query: prefilled(query, tokens, tokenizer, seed)

    return attacks | {f"prefill {tokens}": prefill(tokens) for tokens in PREFILLS}


def turn_attacks(split: Split, seed: int) -> dict[str, Attack]:
    """Attacks over several turns by name."""
    exchanges = [
        (e.text, e.answer)
        for e in read_examples([SEED_DATA])
        if e.split == split and e.kind == "plain" and not e.malicious and e.answer
    ]
    return {
        "third turn": lambda query: after_small_talk(query, exchanges, seed),
        "split over turns": split_over_turns,
    }


def rewrites(split: Split) -> dict[str, list[Example]]:
    """Hand-written rewrites of held-out queries, by kind ("past_tense", "paraphrase"); there are none outside the test split."""
    found: dict[str, list[Example]] = {}
    for example in hand_rewrites():
        if example.split == split:
            found.setdefault(example.kind, []).append(example)
    return found


def measure_attack(
    casa: CasaModel,
    base: Undefended,
    conversations: dict[bool, list[Conversation]],
    max_new_tokens: int,
    batch_size: int,
) -> dict[str, Any]:
    """Verdicts and answers under one attack, malicious (True) and benign (False) queries apart, and how well they separate."""
    judged, refused = {}, {}
    for malicious, found in conversations.items():
        before = undefended_answers(base, found, max_new_tokens, batch_size)
        after, verdicts = casa_answers(casa, found, max_new_tokens, batch_size)
        judged[malicious] = verdicts
        refused[malicious] = {"before": refusal_rate(before), "after": refusal_rate(after)}
    return {
        "flagged_unsafe": {
            name: asdict(flagged_rate(judged[malicious]))
            for malicious, name in ((True, "malicious"), (False, "benign"))
        },
        "auroc": {name: asdict(_separation(judged, name)) for name in ("p_unsafe", "risk")},
        "attack_success": {when: asdict(complement(rate)) for when, rate in refused[True].items()},
        "refused_benign": {when: asdict(rate) for when, rate in refused[False].items()},
    }


def _separation(judged: dict[bool, list[Verdict]], score: str) -> Estimate:
    malicious, benign = ([getattr(v, score) for v in judged[label]] for label in (True, False))
    return auroc_with_interval(malicious, benign)


def measure_dilution(
    casa: CasaModel, queries: dict[bool, list[str]], lengths: dict[int, int], seed: int
) -> dict[str, Any]:
    """Verdicts on queries buried in harmless text, by its length in tokens.

    Args:
        casa: the model.
        queries: malicious (True) and benign (False) ones.
        lengths: how many queries of each class are tried at each length; long prompts cost most.
        seed: of the texts round them.
    """
    paragraphs = neutral_paragraphs("test")

    def count(text: str) -> int:
        return len(casa.chat.tokenizer(text)["input_ids"])

    figures: dict[str, Any] = {}
    for tokens, n in lengths.items():
        point: dict[str, Any] = {}
        for malicious, name in ((True, "malicious"), (False, "benign")):
            texts = [dilute(query, paragraphs, tokens, count, seed) for query in queries[malicious][:n]]
            verdicts = _classified(casa, texts, max(1, _TOKENS_AT_ONCE // max(tokens, 64)), f"{name}, {tokens} tokens")
            point[name] = {
                "flagged_unsafe": asdict(flagged_rate(verdicts)),
                "mean_v_s": sum(v.risk for v in verdicts) / len(verdicts),
            }
        figures[str(tokens)] = point
    return figures


def _classified(casa: CasaModel, texts: Sequence[str], batch_size: int, description: str) -> list[Verdict]:
    starts = range(0, len(texts), batch_size)
    batches = [as_conversations(texts[start : start + batch_size]) for start in starts]
    console = Console(stderr=True)
    return [verdict for batch in track(batches, description, console=console) for verdict in casa.classify(batch)]
