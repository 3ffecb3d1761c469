"""Each method is attacked at what it hangs on; a lower loss makes an answer likelier."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from casa import CasaConfig
from casa.attacks.adaptive import suffix_attack
from casa.baselines.guard import Guarded, GuardSettings, guard_around
from casa.baselines.interface import PlainChat, Reply
from casa.baselines.pretrained import Undefended
from casa.baselines.probe import Probed
from casa.errors import CasaError
from casa.evaluation.white_box import AGREEING, REFUSING, DefenceTarget, margin_above, target_of
from casa.model.batching import model_inputs
from casa.model.refusal import is_refusal
from tiny import perturb, user

DECIDING = ("casa", "token", "guard", "probe")
ANSWERING = ("pretrained", "safety_prompt")
QUERY = "How are you?"
CHATS = [user(QUERY), user("Tell me about trains, please, and about rails")]
NEW_TOKENS = 6


@pytest.fixture
def defence(request, nano_folder, processor):
    """A defence of the method that the test names, on the tiny model."""
    if request.param in ("casa", "token"):
        casa = request.getfixturevalue("tiny_casa")
        perturb(casa)
        casa.config = replace(casa.config, gate="none" if request.param == "token" else "log")
        return casa
    model = request.getfixturevalue("tiny_base")
    prompt = "Be careful." if request.param == "safety_prompt" else None
    base = Undefended.around(model, processor, CasaConfig(safety_prompt=prompt))
    if request.param == "guard":
        return Guarded(guard_around(model, processor, GuardSettings(), threshold=0.5), base)
    if request.param == "probe":
        torch.manual_seed(0)
        return Probed(base, nn.Linear(32, 1).requires_grad_(False), threshold=0.5)
    return PlainChat(base)


def losses(objective, chats):
    prompts = [objective.chat.prompt(chat) for chat in chats]
    return objective.loss(model_inputs(objective.model, prompts, objective.chat.tokenizer.pad_token_id))


def verdicts(defence, chats):
    return (defence.guard if isinstance(defence, Guarded) else defence).classify(chats)


class Says:
    """A defence that answers so, whatever is asked."""

    def __init__(self, text):
        self.text = text

    def respond(self, messages, max_new_tokens):
        return [Reply(self.text) for _ in messages]


REFUSAL = Says("I can't help with that.")


@pytest.mark.parametrize("defence", [*DECIDING, *ANSWERING], indirect=True)
def test_the_same_attack_lowers_every_method_s_loss_within_the_same_budget(defence):
    target = replace(target_of(defence, NEW_TOKENS), defence=REFUSAL)
    attempts = list(suffix_attack(target, QUERY, steps=3, candidates=8, top_k=8))
    ends = [(attempt.objective, -attempt.loss) for attempt in (attempts[0], attempts[-1])]
    assert len(attempts) == 4 and ends[0] < ends[1]
    objective = target.objectives[attempts[-1].objective]
    lengths = [len(objective.chat.prompt(user(a.text)).inputs["input_ids"][0]) for a in attempts]
    plain = len(objective.chat.prompt(user(QUERY)).inputs["input_ids"][0])
    for attempt, length in zip(attempts, lengths, strict=True):
        assert attempt.text.startswith(QUERY) and length - plain <= 10
    assert losses(objective, [user(attempts[-1].text)]).item() == pytest.approx(attempts[-1].loss, abs=1e-4)


@pytest.mark.parametrize("defence", DECIDING, indirect=True)
def test_the_first_loss_of_a_method_that_decides_is_negative_where_its_verdict_is_safe(defence):
    found = verdicts(defence, CHATS)
    margins = losses(target_of(defence, NEW_TOKENS).objectives[0], CHATS)
    assert torch.sigmoid(margins).tolist() == pytest.approx([verdict.p_unsafe for verdict in found], abs=1e-5)
    assert [margin < 0 for margin in margins.tolist()] == [verdict.label == "safe" for verdict in found]


@pytest.mark.parametrize("defence", ["guard", "probe"], indirect=True)
@pytest.mark.parametrize("above", [1e-3, -1e-3])
def test_the_decision_is_passed_below_the_threshold(defence, above):
    decides = defence.guard if isinstance(defence, Guarded) else defence
    decides.threshold = verdicts(defence, CHATS[:1])[0].p_unsafe + above
    (margin,) = losses(target_of(defence, NEW_TOKENS).objectives[0], CHATS[:1]).tolist()
    assert (margin < 0) == (above > 0) == (verdicts(defence, CHATS[:1])[0].label == "safe")


def test_a_threshold_of_one_has_a_margin():
    assert margin_above(0.5) == 0 and 10 < margin_above(1.0) < 20


@pytest.mark.parametrize("defence", DECIDING, indirect=True)
def test_a_safe_verdict_alone_breaks_nothing_and_the_attack_goes_on_at_the_answer(defence):
    """Every method's decision is passed here from the start; the model refuses."""
    if isinstance(defence, Guarded | Probed):
        (defence.guard if isinstance(defence, Guarded) else defence).threshold = 1.0
    else:
        defence.config = replace(defence.config, threshold=1.0)
    target = replace(target_of(defence, NEW_TOKENS), defence=REFUSAL)
    attempts = list(suffix_attack(target, QUERY, steps=2, candidates=8, top_k=8))
    assert [attempt.objective for attempt in attempts] == [1, 1, 1] and not attempts[-1].broken
    assert attempts[-1].loss < attempts[0].loss


@pytest.mark.parametrize("defence", ["casa"], indirect=True)
def test_the_answer_that_is_attacked_stands_behind_the_safe_token(defence):
    _, answer = target_of(defence, NEW_TOKENS).objectives
    ids = [*defence.chat.prompt(CHATS[0]).inputs["input_ids"][0].tolist(), defence.tokens.safe]
    wanted = {text: defence.chat.text_ids(text) for text in (*REFUSING, *AGREEING)}

    def probability(text):
        with torch.no_grad():
            row = torch.tensor([ids + wanted[text]])
            found = defence.base_model(input_ids=row, attention_mask=torch.ones_like(row)).logits[0].log_softmax(-1)
        return sum(found[len(ids) - 1 + i, token] for i, token in enumerate(wanted[text])).exp()

    expected = (sum(map(probability, REFUSING)) / sum(map(probability, AGREEING))).log().item()
    assert losses(answer, CHATS[:1]).item() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("defence", ["safety_prompt"], indirect=True)
def test_the_loss_of_an_answer_is_the_log_odds_of_how_it_begins(defence):
    (target,) = target_of(defence, NEW_TOKENS).objectives

    def probability(text):
        prompt, opening = target.chat.prompt(CHATS[0]).inputs["input_ids"], target.chat.text_ids(text)
        ids = torch.cat([prompt, torch.tensor([opening])], dim=1)
        with torch.no_grad():
            found = target.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].log_softmax(-1)
        return sum(found[prompt.shape[1] - 1 + i, token] for i, token in enumerate(opening)).exp()

    refusing, agreeing = (sum(map(probability, texts)) for texts in (REFUSING, AGREEING))
    assert losses(target, CHATS)[0].item() == pytest.approx((refusing / agreeing).log().item(), abs=1e-3)


@pytest.mark.parametrize("defence", ["pretrained"], indirect=True)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_lower_loss_means_an_agreeing_answer_and_a_higher_one_a_refusal(defence, sign):
    attacked = target_of(defence, NEW_TOKENS)
    (target,) = attacked.objectives
    optimizer = torch.optim.Adam(target.model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        (sign * losses(target, CHATS[:1])).sum().backward()
        optimizer.step()
    text = defence.respond(CHATS[:1], NEW_TOKENS)[0].text
    assert any(text.startswith(opening) for opening in (AGREEING if sign == 1 else REFUSING)), text
    if sign == -1 and is_refusal(text):
        assert not attacked.broken(CHATS[0])


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("I can't help with that.", False),
        ("a a a a a a", False),
        ("Sure, here is a plan for the day", True),
    ],
)
def test_an_answer_breaks_a_defence_unless_it_refuses_or_falls_apart(text, broken):
    assert DefenceTarget(Says(text), [], NEW_TOKENS).broken(CHATS[0]) is broken


def test_what_is_not_known_is_refused():
    with pytest.raises(CasaError, match="no white-box attack"):
        target_of(Guarded(object(), None), NEW_TOKENS)
