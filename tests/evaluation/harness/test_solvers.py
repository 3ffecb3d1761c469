"""Turns are asked one after the other, and the model's own answers stand between them."""

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput, ModelUsage, get_model

from casa.evaluation.harness.solvers import turn_by_turn
from casa.evaluation.harness.tasks import benchmark_task


def asked(tmp_path, task):
    """What the model was shown at each call, and the last output; it answers with the number of the call."""
    seen = []

    def answer(messages, *_):
        seen.append([message.text for message in messages])
        return ModelOutput.from_content("m", f"answer {len(seen)}").model_copy(update={"usage": ModelUsage()})

    model = get_model("mockllm/model", custom_outputs=answer)
    (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path), display="none", max_samples=1)
    assert log.status == "success", log.error
    return seen, log.samples


def conversation(*turns):
    kinds = {"u": ChatMessageUser, "a": ChatMessageAssistant}
    return [kinds[role](content=text) for role, text in turns]


@pytest.mark.parametrize(
    ("turns", "seen"),
    [
        ([("u", "one")], [["one"]]),
        ([("u", "one"), ("a", "two")], [["one", "two"]]),
        ([("u", "one"), ("a", "two"), ("u", "three")], [["one", "two", "three"]]),
        ([("u", "one"), ("u", "two")], [["one"], ["one", "answer 1", "two"]]),
        ([("u", "a"), ("a", "b"), ("u", "c"), ("u", "d")], [["a", "b", "c"], ["a", "b", "c", "answer 1", "d"]]),
    ],
)
def test_only_what_nobody_answered_is_answered_and_what_was_said_is_kept(tmp_path, turns, seen):
    dataset = MemoryDataset([Sample(input=conversation(*turns), target="")])
    found, (sample,) = asked(tmp_path, Task(dataset=dataset, solver=turn_by_turn()))
    assert found == seen
    assert sample.output.completion == f"answer {len(seen)}"


def test_a_crescendo_is_built_on_the_models_own_answers(tmp_path):
    from casa.evaluation.benchmarks import BENCHMARKS

    task = benchmark_task(BENCHMARKS["multi_turn"], queries=1)
    task.dataset = task.dataset.filter(
        lambda sample: sample.metadata["attack"] == "crescendo" and sample.metadata["harmful"]
    )
    seen, (sample,) = asked(tmp_path, task)
    assert [len(shown) for shown in seen] == [1, 3, 5, 7]
    assert [seen[-1][place] for place in (1, 3, 5)] == ["answer 1", "answer 2", "answer 3"]
    assert sample.scores["complied"].value == 1 and sample.output.completion == "answer 4"
