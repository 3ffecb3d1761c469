"""`python -m casa.evaluation.nano_recheck`: what it buys and costs to look at v_s again while an answer is written.

Held-out queries are answered in prefilled and multi-turn attacks, malicious ones and, to find false stops, benign ones and
look-alikes in the very same forms. v_s of prompt and answer is read at each token of an answer that began as safe, its given
beginning included; the answer stops where v_s reaches a threshold. `casa serve --engine vllm --casa-recheck` does the same
with the same v_s. Writes results/nano_recheck.json.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from casa.attacks.prefill import query_in_prefill
from casa.data.held_out import held_out_queries
from casa.evaluation.answers import Conversation, in_batches
from casa.evaluation.attacked import conversation_attacks
from casa.evaluation.measurement import measuring_parser, write_result
from casa.evaluation.metrics import Rate
from casa.model.batching import by_answer, until_stop
from casa.model.casa_model import CasaModel
from casa.model.decoding import on_hidden_states
from casa.model.messages import Prompt
from casa.model.outputs import Verdict
from casa.model.refusal import is_refusal

THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
KINDS = ("malicious", "benign", "lookalike")


class Written(NamedTuple):
    """An answer and what v_s was while it was written.

    Attributes:
        verdict: on the prompt.
        text: without the given beginning.
        given: tokens of the given beginning, which come first.
        risks: v_s of everything before each token of the answer, given ones included; empty behind an unsafe verdict.
    """

    verdict: Verdict
    text: str
    given: int
    risks: list[float]

    def stop(self, threshold: float) -> int | None:
        """The number of the first token at which v_s has reached the threshold or is no number; None if there is none."""
        return next((at for at, risk in enumerate(self.risks) if not risk < threshold), None)


def written_answers(casa: CasaModel, conversations: Sequence[Conversation], max_new_tokens: int) -> list[Written]:
    """Greedy answers to conversations, in their order; those that end in the same given beginning share batches."""
    prompts = [casa.chat.prompt(conversation) for conversation in conversations]
    found: dict[int, Written] = {}
    for group in by_answer(casa.base_model, prompts):
        found |= zip(group, _written(casa, [prompts[i] for i in group], max_new_tokens), strict=True)
    return [found[i] for i in range(len(prompts))]


def recheck_figures(answers: Sequence[Written]) -> dict[str, Any]:
    """How many answers began as safe, and of those how many each threshold stops; "answered" are neither stopped nor refusals."""
    safe = [answer for answer in answers if answer.verdict.label == "safe"]
    return {
        "judged_safe": asdict(Rate.of(len(safe), len(answers))),
        "answered": asdict(_answered(answers, None)),
        "thresholds": {str(threshold): _at(threshold, safe, answers) for threshold in THRESHOLDS},
    }


def main() -> None:
    """Entry; see `--help`."""
    options = measuring_parser(__doc__, "results/nano_recheck.json").parse_args()
    casa = CasaModel.from_pretrained(options.model)
    queries = held_out_queries(options.split, options.seed, options.limit)
    attacks = {
        **conversation_attacks(casa.chat.tokenizer, options.split, options.seed),
        "query in the prefill": lambda query: query_in_prefill(query, options.seed),
    }
    figures: dict[str, Any] = {}
    for name, attack in attacks.items():
        print(name, flush=True)
        figures[name] = {
            kind: recheck_figures(
                in_batches(
                    [attack(example.text) for example in queries[kind]],
                    options.batch_size,
                    lambda batch: written_answers(casa, batch, options.max_new_tokens),
                    kind,
                )
            )
            for kind in KINDS
        }
    write_result(options, casa.device, {"max_new_tokens": options.max_new_tokens, "attacks": figures})


@torch.inference_mode()
def _written(casa: CasaModel, prompts: list[Prompt], max_new_tokens: int) -> list[Written]:
    """Of prompts with the same given beginning; safety attention reads the very forward passes that write the answers."""
    inputs, prefill_ids = casa.collate(prompts), prompts[0].prefill_ids
    verdicts: list[Verdict] = []
    scores: list[Tensor] = []
    hook = on_hidden_states(
        casa.base_model, casa.config.hidden_state, lambda hidden: scores.append(casa.safety_attention.scores(hidden))
    )
    try:
        output = casa.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=1 + len(prefill_ids) + max_new_tokens,
            prefill_ids=prefill_ids,
            on_verdicts=verdicts.extend,
        )
    finally:
        hook.remove()
    risks = _risks_behind(casa, torch.cat(scores, dim=-1), inputs["attention_mask"])
    rows = output[:, inputs["input_ids"].shape[1] + 1 :].tolist()
    return [
        _answer(casa, verdict, until_stop(row, casa.stop_ids()), prefill_ids, of_row)
        for verdict, row, of_row in zip(verdicts, rows, risks.tolist(), strict=True)
    ]


def _risks_behind(casa: CasaModel, scores: Tensor, mask: Tensor) -> Tensor:
    """v_s over the prompt and each number of tokens behind it, shape (rows, tokens behind it)."""
    prompt, read = mask.shape[1], scores.shape[-1]
    whole = F.pad(mask, (0, read - prompt), value=1)
    ends = range(prompt + 1, read + 1)
    return torch.stack([casa.safety_attention.pool(scores[..., :end], whole[:, :end]).risk for end in ends], dim=1)


def _answer(casa: CasaModel, verdict: Verdict, ids: list[int], prefill_ids: list[int], risks: list[float]) -> Written:
    if verdict.label != "safe":
        return Written(verdict, casa.chat.tokenizer.decode(ids, skip_special_tokens=True), 0, [])
    text = casa.chat.tokenizer.decode(ids[len(prefill_ids) :], skip_special_tokens=True)
    return Written(verdict, text, len(prefill_ids), risks[: len(ids)])


def _at(threshold: float, safe: Sequence[Written], answers: Sequence[Written]) -> dict[str, Any]:
    """`shown_tokens` is how much of a stopped answer a stream has sent before."""
    shown = [max(0, at - answer.given) for answer in safe if (at := answer.stop(threshold)) is not None]
    return {
        "stopped": asdict(Rate.of(len(shown), len(safe))) if safe else None,
        "shown_tokens": statistics.median(shown) if shown else None,
        "answered": asdict(_answered(answers, threshold)),
    }


def _answered(answers: Sequence[Written], threshold: float | None) -> Rate:
    """Answers that are no refusals, and are not stopped if there is a threshold."""
    whole = [answer for answer in answers if threshold is None or answer.stop(threshold) is None]
    return Rate.of(sum(not is_refusal(answer.text) for answer in whole), len(answers))


if __name__ == "__main__":
    main()
