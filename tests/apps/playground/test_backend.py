"""Behind the page stand the same answers that the models give by themselves."""

import copy

import pytest

from casa import CasaConfig
from casa.apps.playground.backend import in_this_process
from casa.baselines.pretrained import Undefended
from casa.errors import CasaError
from tiny import make_tiny_base, user


@pytest.fixture
def base(nano_folder, _processor):
    return Undefended.around(make_tiny_base(nano_folder), copy.deepcopy(_processor), CasaConfig())


def test_answers_verdict_and_attention_are_the_models_own(tiny_casa, base):
    alone, undefended = tiny_casa.respond(user("Hello"), 6), base.respond(user("Hello"), 6)
    shares = tiny_casa.explain(user("Hello"))
    with in_this_process("tiny", tiny_casa, base, 6) as backend:
        *_, casa = backend.casa(user("Hello"))
        *_, plain = backend.base(user("Hello"))
        explained = backend.explain(user("Hello"))
    assert (casa.text, casa.finish_reason) == (alone.text, alone.finish_reason)
    assert casa.verdict.p_unsafe == pytest.approx(alone.verdict.p_unsafe, abs=1e-5)
    assert (plain.text, plain.verdict) == (undefended, None)
    assert [a.weight for a in explained] == pytest.approx([a.weight for a in shares], abs=1e-5)


def test_what_a_model_does_not_take_is_an_error_of_every_part(tiny_casa, base):
    broken = [{"role": "user", "content": [{"type": "image", "image": "data:image/png;base64,AAAA"}]}]
    with in_this_process("tiny", tiny_casa, base, 6) as backend:
        for ask in (backend.casa, backend.base, backend.explain):
            with pytest.raises(CasaError, match="image"):
                list(ask(broken))
        assert list(backend.base(user("Hello"))), "an error stops nothing that comes later"
