"""Logs are read as runs, without the answers in them, and what is no log of ours is told."""

import pytest
from inspect_ai.log import EvalDataset

from casa.errors import CasaError
from casa.evaluation.logs import one_line
from casa.evaluation.report.runs import read_runs, run_of

from .logs import ANSWER, NANO, Asked, log, write


def test_a_folder_of_logs_is_read_without_the_answers(tmp_path):
    folder = write(tmp_path, log(NANO, "xstest", [Asked("a", p_unsafe=0.9), Asked("b", harmful=False, p_unsafe=0.1)]))
    (run,) = read_runs([folder])
    assert (run.model, run.label, run.measures, run.planned) == (NANO, "xstest (mini)", "over-refusal", 2)
    assert [one.benchmark for one in run.answered] == ["xstest (mini)"] * 2
    assert run.tokens == ((40, 10), (40, 10)) and len(run.seconds) == 2
    assert ANSWER not in repr(run)


def test_a_single_log_and_its_folder_count_once(tmp_path):
    folder = write(tmp_path, log(NANO, "xstest", [Asked("a")]))
    (file,) = folder.glob("*.eval")
    assert len(read_runs([file, folder])) == 1


@pytest.mark.parametrize("place", ["empty", "missing"])
def test_a_place_without_logs_says_what_writes_them(tmp_path, place):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CasaError, match="casa eval --out"):
        read_runs([tmp_path / place])


def test_a_broken_log_and_a_foreign_one_are_told_by_name(tmp_path):
    (tmp_path / "2026-01-02T03-04-05_broken.eval").write_bytes(b"nonsense")
    with pytest.raises(CasaError, match=r"broken\.eval is no log"):
        read_runs([tmp_path])
    with pytest.raises(CasaError, match="none of casa's benchmarks"):
        run_of(log(NANO, "xstest", [], metadata={}), "x.eval")


def test_arguments_that_change_the_model_are_in_its_name():
    run = run_of(log(NANO, "xstest", [Asked("a")], model_args={"batch_size": 4, "safety_prompt": True}), "x")
    assert run.model == "casa/casa-nano [safety_prompt=True]"
    assert run.undefended == "undefended/casa-nano"


def test_checksums_are_no_setting_of_the_model():
    run = run_of(log(NANO, "xstest", [Asked("a")], model_args={"batch_size": 4, "checksums": {"base": "b"}}), "x")
    assert (run.model, run.checksums) == (NANO, {"base": "b"})


def test_items_that_were_planned_are_counted_from_the_data_set():
    run = run_of(log(NANO, "xstest", [Asked("a")], dataset=EvalDataset(sample_ids=["a", "b"], samples=9)), "x")
    assert run.planned == 2


def test_names_lose_control_characters_and_broken_ones():
    assert one_line("a\n\x1b[31m\x00b\ud800") == "a [31m b?"
