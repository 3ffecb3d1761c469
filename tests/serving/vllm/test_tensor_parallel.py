"""Two ranks, each with half of the key/value heads and all of safety attention, decide and answer as one does."""

import pytest

pytest.importorskip("vllm")

from casa.serving.vllm.export import export

from .engines import checked, engine, query, sampling

pytestmark = pytest.mark.slow


def test_verdict_and_text_of_two_ranks_are_those_of_one(casa, tmp_path, monkeypatch):
    folder = export(casa, tmp_path / "served")
    conversations = [query(i, words) for i, words in enumerate([3, 60, 200, 10])]
    answers = {}
    for ranks, threads in ((1, "nobind"), (2, "0|1")):
        monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", threads)
        options = {"tensor_parallel_size": ranks, "max_num_batched_tokens": 64, "max_num_seqs": 4}
        with engine(folder, **options) as llm:
            outputs = llm.chat(conversations, sampling(casa.tokens, 12))
        found = [checked(output, casa, asked) for asked, output in zip(conversations, outputs, strict=True)]
        answers[ranks] = [(list(one.token_ids), one.text) for one in found]
    assert answers[2] == answers[1]
