import numpy as np
import pytest
import torch
from PIL import Image

from casa import CasaConfig
from casa.errors import MessageError
from casa.method import add_safety_tokens
from casa.model.media import MediaLimits
from casa.model.messages import ChatFormat
from tiny import user

IMAGE = {"type": "image", "image": Image.new("RGB", (56, 56))}


def make_chat(processor, refused=frozenset(), **config):
    config = CasaConfig(**config)
    return ChatFormat(processor, add_safety_tokens(processor.tokenizer, config), config, refused)


def decoded(chat, messages):
    return chat.tokenizer.decode(chat.prompt(messages).inputs["input_ids"][0])


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "non-empty list"),
        ("hi", "non-empty list"),
        ([{"role": "user"}], "keys"),
        ([{"role": "user", "content": "x", "name": "y"}], "keys"),
        ([{"role": "root", "content": "x"}], "role"),
        ([{"role": "user", "content": []}], "content"),
        ([{"role": "user", "content": None}], "content"),
        ([{"role": "user", "content": [{"type": "smell", "smell": 1}]}], "type"),
        ([{"role": "user", "content": [{"type": "text"}]}], "needs the key"),
        ([{"role": "user", "content": [{"type": "text", "text": 3}]}], "string"),
        ([{"role": "user", "content": "\ud800"}], "Unicode"),
        ([{"role": "assistant", "content": "x"}], "before the assistant"),
        (["hi"], "keys"),
    ],
)
def test_a_malformed_conversation_is_refused_with_the_reason(processor, messages, message):
    with pytest.raises(MessageError, match=message):
        make_chat(processor).prompt(messages)


def test_a_conversation_of_several_turns_has_no_safety_token(processor):
    chat = make_chat(processor)
    text = decoded(
        chat,
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "three"},
        ],
    )
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\none<|im_end|>\n"
        "<|im_start|>assistant\ntwo<|im_end|>\n<|im_start|>user\nthree<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_safety_prompt_joins_the_system_message(processor):
    chat = make_chat(processor, safety_prompt="Judge first.")
    assert decoded(chat, user("hi")).startswith("<|im_start|>system\nJudge first.<|im_end|>")
    with_system = [{"role": "system", "content": "Be brief."}, *user("hi")]
    assert decoded(chat, with_system).startswith("<|im_start|>system\nBe brief.\n\nJudge first.<|im_end|>")


def test_a_last_assistant_message_becomes_the_prefill(processor):
    chat = make_chat(processor)
    prompt = chat.prompt([*user("hi"), {"role": "assistant", "content": "Sure"}])
    assert torch.equal(prompt.inputs["input_ids"], chat.prompt(user("hi")).inputs["input_ids"])
    assert chat.tokenizer.decode(prompt.prefill_ids) == "Sure"


def test_media_that_the_model_cannot_take_are_refused(processor):
    chat = make_chat(processor, refused=frozenset({"image"}))
    with pytest.raises(MessageError, match="image"):
        chat.prompt([{"role": "user", "content": [{"type": "image", "image": Image.new("RGB", (56, 56))}]}])


def test_media_become_their_placeholders_and_tensors(processor):
    chat = make_chat(processor)
    parts = [
        {"type": "image", "image": Image.new("RGB", (112, 112))},
        {"type": "text", "text": "what <|im_end|> is <|IMAGE|> this?"},
        {"type": "audio", "audio": np.zeros(16000, dtype=np.float32), "sampling_rate": 16000},
    ]
    inputs = chat.prompt([{"role": "user", "content": parts}]).inputs
    ids = inputs["input_ids"][0].tolist()
    count = {name: ids.count(chat.tokenizer.convert_tokens_to_ids(name)) for name in ("<|IMAGE|>", "<|AUDIO|>")}
    assert count == {"<|IMAGE|>": 16, "<|AUDIO|>": 25}
    assert ids.count(chat.tokenizer.convert_tokens_to_ids("<|im_end|>")) == 2
    assert inputs["attention_mask"].shape == inputs["input_ids"].shape
    assert {"pixel_values", "image_grid_thw", "input_features", "feature_attention_mask"} <= set(inputs)
    assert "what <|im_end|> is <|IMAGE|> this?" in chat.tokenizer.decode(ids)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "image": b"not an image"},
        {"type": "image", "image": "/nowhere/x.png"},
        {"type": "image", "image": "https://example.org/x.png"},
        {"type": "image", "image": "data:image/png;base64,!!!"},
        {"type": "audio", "audio": b"not audio"},
        {"type": "audio", "audio": np.zeros(0, dtype=np.float32), "sampling_rate": 16000},
        {"type": "audio", "audio": np.array([np.nan], dtype=np.float32), "sampling_rate": 16000},
        {"type": "audio", "audio": np.zeros(100, dtype=np.float32)},
    ],
)
def test_an_unreadable_medium_is_refused(processor, part):
    with pytest.raises(MessageError):
        make_chat(processor).prompt([{"role": "user", "content": [part]}])


def clip(seconds):
    return {"type": "audio", "audio": np.zeros(int(16000 * seconds), np.float32), "sampling_rate": 16000}


def test_a_clip_longer_than_the_models_window_is_refused(processor):
    """The feature extractor would cut off its end in silence."""
    chat = make_chat(processor)
    chat.prompt([{"role": "user", "content": [clip(30)]}])
    with pytest.raises(MessageError, match="30 s"):
        chat.prompt([{"role": "user", "content": [clip(30.1)]}])


def test_limits_can_be_set(processor):
    chat = make_chat(processor)
    chat.limits = MediaLimits(count=1, seconds=0.5)
    chat.prompt([{"role": "user", "content": [clip(0.5)]}])
    for content in ([clip(0.6)], [clip(0.5), clip(0.5)]):
        with pytest.raises(MessageError, match="limit"):
            chat.prompt([{"role": "user", "content": content}])


def test_images_that_are_too_large_together_are_refused(processor):
    chat = make_chat(processor)
    chat.limits = MediaLimits(megapixels_together=2 * 0.0576)
    image = {"type": "image", "image": np.zeros((240, 240), np.uint8)}
    chat.prompt([{"role": "user", "content": [image, image]}])
    with pytest.raises(MessageError, match="megapixels_together"):
        chat.prompt([{"role": "user", "content": [image]}, {"role": "user", "content": [image, image]}])


@pytest.mark.parametrize(("part", "reader"), [(IMAGE, "image_processor"), (clip(1), "feature_extractor")])
def test_media_that_the_processor_does_not_know_are_refused(processor, monkeypatch, part, reader):
    """They would be dropped, and the verdict made without them."""
    chat = make_chat(processor)
    monkeypatch.delattr(chat.processor, reader)
    with pytest.raises(MessageError, match="cannot take"):
        chat.prompt([{"role": "user", "content": [part]}])


def test_a_raw_prompt_has_one_placeholder_for_each_medium_and_the_same_text(processor):
    chat = make_chat(processor)
    question = {"type": "text", "text": "What is <|IMAGE|> <|im_end|>?"}
    messages = [
        {
            "role": "user",
            "content": [IMAGE, question, {"type": "audio", "audio": np.zeros(8000), "sampling_rate": 16000}],
        },
        {"role": "assistant", "content": "It is"},
    ]
    raw, whole = chat.raw_prompt(messages), chat.prompt(messages)
    assert raw.prefill_ids == whole.prefill_ids
    assert len(raw.media["images"][0]) == len(raw.media["audio"]) == 1
    media = [chat.tokenizer.convert_tokens_to_ids(name) for name in ("<|IMAGE|>", "<|AUDIO|>")]
    assert [raw.ids.count(token) for token in media] == [1, 1]
    assert [t for t in raw.ids if t not in media] == [
        t for t in whole.inputs["input_ids"][0].tolist() if t not in media
    ]


def test_a_raw_prompt_of_text_is_the_prompt(processor):
    chat = make_chat(processor)
    assert chat.raw_prompt(user("Hello")).ids == chat.prompt(user("Hello")).inputs["input_ids"][0].tolist()


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (60, 1), (3, 2)])
def test_tiny_images_are_taken(processor, size):
    part = {"type": "image", "image": Image.new("RGB", size)}
    assert "pixel_values" in make_chat(processor).prompt([{"role": "user", "content": [part]}]).inputs


def test_an_image_that_the_processor_refuses_is_a_clear_error(processor):
    part = {"type": "image", "image": Image.new("RGB", (1, 1000))}
    with pytest.raises(MessageError, match="processor refuses"):
        make_chat(processor).prompt([{"role": "user", "content": [part]}])


def test_the_end_of_turn_is_found_in_the_template(processor):
    assert make_chat(processor).end_of_turn_id() == processor.tokenizer.convert_tokens_to_ids("<|im_end|>")


def with_tools(processor):
    """A processor whose chat template shows tools."""
    processor.chat_template = "{%- if tools -%}{{ tools | tojson }}{%- endif -%}" + processor.chat_template
    return processor


def look_up(description):
    return {"type": "function", "function": {"name": "look_up", "description": description, "parameters": {}}}


def test_tools_are_handed_to_the_chat_template_as_they_are(processor):
    chat = make_chat(with_tools(processor))
    prompts = [chat.prompt(user(text), [look_up("Finds <b>things</b>.")]) for text in ("hi", "a <|im_end|> b")]
    for prompt in prompts:
        text = chat.tokenizer.decode(prompt.inputs["input_ids"][0])
        assert text.startswith('[{"type": "function", "function": {"name": "look_up", "description": "Finds <b>things')


@pytest.mark.parametrize("token", ["<|im_end|>", "<|safe|>", "<|IMAGE|>"])
def test_tools_that_hold_a_control_token_are_refused(processor, token):
    with pytest.raises(MessageError, match="control token"):
        make_chat(with_tools(processor)).prompt(user("hi"), [look_up(f"a {token} b")])


def test_tools_are_refused_where_the_chat_template_takes_none(processor):
    with pytest.raises(MessageError, match="no tools"):
        make_chat(processor).prompt(user("hi"), [look_up("Finds things.")])


def with_calls(processor):
    """A processor whose chat template shows calls of tools, and no text beside them."""
    calls = "{% for call in message.tool_calls %}{{ call.function.name }}: {{ call.function.arguments | tojson }};{% endfor %}"
    begin, end = "{%- if message['content'] is string -%}", "{{- '<|im_end|>\\n' -}}{%- endfor -%}"
    assert begin in processor.chat_template and end in processor.chat_template
    template = processor.chat_template.replace(begin, "{%- if message.tool_calls -%}" + calls + "{%- else -%}" + begin)
    processor.chat_template = template.replace(end, "{%- endif -%}" + end)
    return processor


def call(arguments='{"of": "<b>"}', name="look_up"):
    return {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}


def loop(*calls, content=None, result="found"):
    """A conversation in which the model has called tools."""
    return [
        *user("hi"),
        {"role": "assistant", "content": content, "tool_calls": list(calls)},
        {"role": "tool", "content": result, "tool_call_id": "c1"},
    ]


@pytest.mark.parametrize("content", [None, "", []])
@pytest.mark.parametrize("result", ["found", "found <|im_end|>"])
def test_earlier_calls_of_tools_are_rendered_by_the_chat_template(processor, content, result):
    chat = make_chat(with_calls(processor))
    text = decoded(chat, loop(call(), call({"of": 2}, "open"), content=content, result=result))
    assert '<|im_start|>assistant\nlook_up: {"of": "<b>"};open: {"of": 2};<|im_end|>\n<|im_start|>tool\nfound' in text


def test_a_suspect_text_that_the_template_leaves_out_beside_calls_is_refused(processor):
    with pytest.raises(MessageError, match="dropped"):
        make_chat(with_calls(processor)).prompt(loop(call(), content="Let me look. <|im_end|>"))


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (loop(call('{"of": "\\u003c|im_end|>"}')), "control token"),
        (loop(call(name="<|safe|>")), "control token"),
        (loop({**call(), "id": "<|im_start|>"}), "control token"),
        ([*loop(call())[:2], {"role": "tool", "content": "x", "tool_call_id": "<|im_end|>"}], "control token"),
        (loop(call('{"of": "\\ud800"}')), "Unicode"),
        (loop(call("{")), "no JSON"),
        (loop(call("[" * 100_000)), "no JSON"),
        (loop(call("[]")), "JSON object"),
        (loop("look_up"), "tool_calls is a list"),
        (loop({"id": "c1", "type": "function"}), "tool_calls is a list"),
        (loop(call())[:2], "given beginning"),
        ([{**user("hi")[0], "tool_calls": [call()]}], "no tool_calls"),
        ([{**user("hi")[0], "tool_call_id": "c1"}], "no tool_call_id"),
        ([*user("hi"), {"role": "assistant", "content": None, "tool_calls": []}, *user("so?")], "content"),
    ],
)
def test_calls_that_are_malformed_or_hold_control_tokens_are_refused(processor, messages, reason):
    with pytest.raises(MessageError, match=reason):
        make_chat(with_calls(processor)).prompt(messages)


def test_calls_are_refused_where_the_chat_template_shows_none(processor):
    with pytest.raises(MessageError, match="no earlier calls"):
        make_chat(processor).prompt(loop(call()))


FRAMES = [Image.new("RGB", (56, 56), colour) for colour in ("red", "green")]


def test_a_video_is_read_frame_by_frame(processor):
    part = {"type": "video", "video": FRAMES * 3, "fps": 2.0}
    inputs = make_chat(processor).prompt([{"role": "user", "content": [part]}]).inputs
    assert inputs["video_grid_thw"][:, 0].tolist() == [3]  # two frames make one patch in time


def test_videos_of_one_conversation_have_one_rate(processor):
    parts = [{"type": "video", "video": FRAMES, "fps": fps} for fps in (1.0, 2.0)]
    with pytest.raises(MessageError, match="same 'fps'"):
        make_chat(processor).prompt([{"role": "user", "content": parts}])


def test_a_medium_that_the_template_drops_is_refused(processor):
    """The verdict would be made without it."""
    chat = make_chat(processor)
    processor.chat_template = "{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"
    with pytest.raises(MessageError, match="drops image"):
        chat.prompt([{"role": "user", "content": [IMAGE, {"type": "text", "text": "hi"}]}])


def test_a_model_without_chat_template_says_so(processor):
    chat = make_chat(processor)
    processor.chat_template = processor.tokenizer.chat_template = None
    with pytest.raises(MessageError, match="no chat template"):
        chat.prompt(user("hi"))


@pytest.mark.parametrize(("template", "bos"), [("{{ bos_token }}x", 1), ("x", 1)])
def test_a_prompt_begins_with_the_first_token_once(processor, template, bos):
    from tokenizers.processors import TemplateProcessing

    tokenizer = processor.tokenizer
    first = TemplateProcessing(single="<|im_start|> $A", special_tokens=[("<|im_start|>", tokenizer.bos_token_id)])
    tokenizer.backend_tokenizer.post_processor = first
    processor.chat_template = template + "{% for m in messages %}{{ m.content[0].text }}{% endfor %}"
    ids = make_chat(processor).prompt(user("hi")).inputs["input_ids"][0].tolist()
    assert ids.count(tokenizer.bos_token_id) == bos and ids[0] == tokenizer.bos_token_id
