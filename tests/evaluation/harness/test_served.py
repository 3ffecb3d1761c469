"""A model on a server is asked as one in this process is, and its verdict comes along."""

import anyio
import pytest
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ContentImage, ContentText, GenerateConfig, get_model

from casa import CasaModel
from casa.evaluation.drawings import as_data_url
from casa.evaluation.harness.conversion import VERDICT
from casa.serving.transformers import TransformersEngine
from serving.running import MODEL, Running
from tiny import user


@pytest.fixture(scope="module")
def served(nano_folder):
    """A server of a tiny model, and the model."""
    import torch
    from transformers import AutoProcessor

    from tiny import make_tiny_base

    torch.manual_seed(1)
    casa = CasaModel.attach(make_tiny_base(nano_folder), AutoProcessor.from_pretrained(nano_folder), r=4).eval()
    running = Running(TransformersEngine(casa, 4))
    yield running, casa
    running.end()


def ask(running, *messages):
    async def asked():
        async with get_model(f"casa/{MODEL}", base_url=f"{running.url}/v1") as model:
            return await model.generate(list(messages), config=GenerateConfig(max_tokens=4))

    return anyio.run(asked)


def test_answer_and_verdict_are_those_of_the_model(served):
    running, casa = served
    output, alone = ask(running, ChatMessageUser(content="How are you?")), casa.respond(user("How are you?"), 4)
    assert output.completion == alone.text
    assert output.metadata[VERDICT]["p_unsafe"] == pytest.approx(alone.verdict.p_unsafe, abs=1e-4)
    assert output.metadata[VERDICT]["risk"] == pytest.approx(alone.verdict.risk, abs=1e-4)
    assert output.stop_reason == ("content_filter" if alone.verdict.label == "unsafe" else "max_tokens")
    assert output.usage.output_tokens == alone.usage.completion_tokens


def test_a_given_beginning_and_images_reach_the_model(served):
    from PIL import Image

    running, casa = served
    chat = [*user("Bread?"), {"role": "assistant", "content": "Sure, here"}]
    output = ask(running, ChatMessageUser(content="Bread?"), ChatMessageAssistant(content="Sure, here"))
    # where the beginning is left out, after an unsafe token, the two give its length to the answer or not
    assert casa.respond(chat, 4).text.startswith(output.completion) and output.completion
    picture = Image.effect_noise((56, 56), 50).convert("RGB")
    parts = [ContentImage(image=as_data_url(picture)), ContentText(text="What is this?")]
    seen = ask(running, ChatMessageUser(content=parts))
    messages = [
        {"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": "What is this?"}]}
    ]
    assert seen.metadata[VERDICT]["p_unsafe"] == pytest.approx(casa.classify(messages).p_unsafe, abs=1e-4)
