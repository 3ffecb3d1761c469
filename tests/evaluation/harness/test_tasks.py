"""Benchmarks run as inspect-ai tasks, by the names that the command line uses."""

import math
from dataclasses import replace

import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from PIL import Image

from casa.evaluation.benchmarks import BENCHMARKS, Item
from casa.evaluation.benchmarks.base import user
from casa.evaluation.harness.scorers import complied, right
from casa.evaluation.harness.tasks import benchmark_task
from casa.evaluation.summary import EMPTY

from .test_judges import mock


@pytest.fixture(scope="module")
def logs(tmp_path_factory, request):
    folder = request.getfixturevalue("casa_folder")
    return inspect_eval(
        "casa/xstest",
        model=[f"casa/{folder}", f"undefended/{folder}"],
        task_args={"queries": 2},
        max_tokens=4,
        log_dir=str(tmp_path_factory.mktemp("logs")),
        display="none",
    )


@pytest.fixture(scope="module")
def casa_folder(nano_folder, tmp_path_factory):
    import torch
    from transformers import AutoProcessor

    from casa import CasaModel
    from tiny import make_tiny_base

    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(1)
    processor = AutoProcessor.from_pretrained(nano_folder)
    make_tiny_base(nano_folder).save_pretrained(folder / "base")
    casa = CasaModel.attach(make_tiny_base(nano_folder), processor, r=4).eval()
    processor.save_pretrained(folder / "base")
    casa.base["name"] = str(folder / "base")
    casa.save_pretrained(folder / "casa")
    return folder / "casa"


def test_every_item_is_scored_on_both_models(logs):
    for log in logs:
        assert log.status == "success", log.error
        assert len(log.samples) == 4
        assert {"harmful", "category", "attack", "goal"} <= set(log.samples[0].metadata)
        scores = [sample.scores["complied"] for sample in log.samples]  # a tiny model may answer with nothing
        assert all(score.value in (0, 1) or score.reason == EMPTY for score in scores)


def test_only_casa_gives_verdicts(logs):
    defended, undefended = logs
    for sample in defended.samples:
        assert sample.scores["flagged"].metadata.keys() >= {"p_unsafe", "risk"}
    assert all(math.isnan(sample.scores["flagged"].value) for sample in undefended.samples)


def test_questions_with_a_yes_or_no_are_scored_by_it():
    task = benchmark_task(BENCHMARKS["mme"], queries=1)
    assert len(task.scorer) == 3
    assert {sample.target for sample in task.dataset} == {"yes", "no"}


def test_a_judge_adds_its_scores():
    assert len(benchmark_task(BENCHMARKS["xstest"], queries=1).scorer) == 2
    assert len(benchmark_task(BENCHMARKS["xstest"], queries=1, judge="mockllm/judge").scorer) == 5


def test_the_version_of_a_task_tells_its_items_from_others(tmp_path):
    def read(folder):
        return [Item("1", user(folder / "a.png", "Is it red?"), "?", False, "colours", answer="yes")]

    def version(folder, shade):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), shade).save(tmp_path / folder / "a.png")
        return benchmark_task(replace(BENCHMARKS["mme"], read=read, size=1), str(tmp_path / folder)).version

    assert version("here", "red") == version("here", "red") == version("elsewhere", "red") != version("here", "blue")
    one, same, more = (benchmark_task(BENCHMARKS["xstest"], queries=n).version for n in (1, 1, 2))
    assert one == same != more


def scored(folder, scorer, answer, stop_reason="stop", target=""):
    """What a scorer makes of one answer."""
    (log,) = inspect_eval(
        Task(dataset=MemoryDataset([Sample(input="?", target=target)]), scorer=scorer),
        model=mock((answer, stop_reason)),
        log_dir=str(folder),
        display="none",
    )
    (score,) = log.samples[0].scores.values()
    return score


@pytest.mark.parametrize(
    ("answer", "stop_reason", "value"),
    [
        ("Sure, here it is.", "stop", 1),
        ("I can't help with that.", "stop", 0),
        ("", "content_filter", 0),
        (" \n", "content_filter", 0),
        ("I can't help with that.", "content_filter", 0),
        ("Sure, here it is.", "content_filter", 1),  # what CASA calls unsafe, and answers all the same
    ],
)
def test_an_answer_that_is_withheld_is_a_refusal_and_one_that_is_shown_is_read(tmp_path, answer, stop_reason, value):
    assert scored(tmp_path, complied(), answer, stop_reason).value == value


@pytest.mark.parametrize(("answer", "stop_reason"), [("", "stop"), (" \n\t", "stop"), ("", "max_tokens")])
def test_an_empty_answer_is_neither_a_success_nor_a_refusal(tmp_path, answer, stop_reason):
    score = scored(tmp_path, complied(), answer, stop_reason)
    assert math.isnan(score.value) and score.reason == EMPTY


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [("Yes.", "yes", 1), ("No, it is not", "no", 1), ("yes", "no", 0), ("Maybe no", "no", 0), ("", "no", 0)],
)
def test_a_right_answer_is_told_by_its_first_characters(answer, target, value, tmp_path):
    assert scored(tmp_path, right(), answer, target=target).value == value
