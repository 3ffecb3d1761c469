"""Everything is counted once: the newest logs, shared items, pairs of models."""

from dataclasses import replace

import pytest

from casa.evaluation.metrics import Rate
from casa.evaluation.report.evidence import MINI_SETS, OFFICIAL_SETS, OVER_REFUSAL, UNDER_ATTACK, gather, refused
from casa.evaluation.report.measured import Measured
from casa.evaluation.report.problems import problems
from casa.evaluation.report.runs import run_of

from .logs import NANO, PLAIN, Asked, log


def gathered(*logs):
    return gather([run_of(one, f"{i}.eval") for i, one in enumerate(logs)])


def test_undefended_models_come_first_and_benchmarks_in_their_order():
    items = [Asked("a")]
    found = gathered(
        *(log(model, name, items) for model in ("openai/x", NANO, PLAIN) for name in ("xstest", "advbench"))
    )
    assert found.models == [PLAIN, NANO, "openai/x"]
    assert found.labels() == ["advbench (mini)", "xstest (mini)"]
    assert found.labels("attack") == ["advbench (mini)"]


def test_the_newest_finished_log_counts():
    old = log(NANO, "advbench", [Asked("a")], created="2025-01-01T00:00:00+00:00")
    new = log(NANO, "advbench", [Asked("a", complied=False)], created="2025-01-02T00:00:00+00:00")
    broken = log(NANO, "advbench", [], created="2025-01-03T00:00:00+00:00", status="error")
    found = gathered(broken, new, old)
    assert [run.file for run in found.runs] == ["1.eval"]
    assert {run.file for run in found.set_aside} == {"0.eval", "2.eval"}


def of_weights(adapter, base="b", day=1, model=NANO, benchmark="advbench"):
    own = {"adapter_model.safetensors": adapter} if adapter else {}
    arguments = {"batch_size": 16, "checksums": {"base": base, **own}}
    created = f"2025-01-0{day}T00:00:00+00:00"
    return log(model, benchmark, [Asked("a")], created=created, model_args=arguments)


def test_logs_of_other_weights_than_the_newest_are_left_out_and_told():
    found = gathered(of_weights("old"), of_weights("new", day=2, benchmark="xstest"), of_weights(None, model=PLAIN))
    assert [(run.model, run.benchmark) for run in found.runs] == [(PLAIN, "advbench"), (NANO, "xstest")]
    assert [run.file for run in found.outdated] == ["0.eval"]
    assert any("other weights" in problem.what and "0.eval" in problem.what for problem in problems(found))


def test_what_was_measured_on_another_adapter_is_left_out_and_told():
    def beside(name, adapter):
        return Measured(
            f"{name}.json", NANO, {"model": "casa-nano", **({"adapter_sha256": adapter} if adapter else {})}
        )

    of_logs = [run_of(of_weights("new"), "0.eval")]
    found = gather(of_logs, [beside("own", "new"), beside("old", "old"), beside("untold", None)])
    assert [one.file for one in found.measured] == ["own.json", "untold.json"]
    assert any("old.json" in problem.what for problem in problems(found))


def test_models_on_other_base_weights_are_not_compared():
    same = gathered(of_weights("a"), of_weights(None, model=PLAIN))
    assert len(same.compared) == 1 and not same.rebased
    other = gathered(of_weights("a", base="c"), of_weights(None, model=PLAIN))
    assert not other.compared and any("base model" in problem.what for problem in problems(other))


def test_sets_of_one_benchmark_stay_apart():
    official = {"benchmark": "advbench", "measures": "attack", "set": "official"}
    found = gathered(log(NANO, "advbench", [Asked("a")]), log(NANO, "advbench", [Asked("1")], metadata=official))
    assert [row.benchmark for row in found.overall] == ["advbench (mini)", "advbench (official)"]


def test_pairs_are_items_that_both_models_could_be_scored_on():
    before = [Asked("a"), Asked("b"), Asked("c"), Asked("d", complied=None)]
    after = [Asked("a", complied=False), Asked("b", complied=False), Asked("d"), Asked("e")]
    (compared,) = gathered(log(PLAIN, "advbench", before), log(NANO, "advbench", after)).compared
    assert (compared.pairs, compared.before, compared.after) == (2, Rate.of(2, 2), Rate.of(0, 2))
    assert compared.paired.p == pytest.approx(0.5)
    assert compared.reduction == 1


def test_nothing_is_reduced_where_there_was_nothing():
    items = [Asked("a", complied=False)]
    (compared,) = gathered(log(PLAIN, "advbench", items), log(NANO, "advbench", items)).compared
    assert compared.reduction is None
    assert gathered(log(NANO, "advbench", items)).compared == ()


def test_an_item_that_mini_sets_share_counts_once_among_refusals():
    items = [Asked("l-1", harmful=False, complied=False), Asked("l-2", harmful=False)]
    found = gathered(log(NANO, "xstest", items), log(NANO, "or_bench", items))
    (pool,) = found.pools
    assert (pool.benchmark, refused(pool).successes, refused(pool).n) == (OVER_REFUSAL, 1, 2)
    assert [row.complied.n for row in found.overall] == [2, 2]


def test_items_of_official_sets_are_their_own():
    def official(name):
        metadata = {"benchmark": name, "measures": "over-refusal", "set": "official"}
        return log(NANO, name, [Asked("1", harmful=False)], metadata=metadata)

    (pool,) = gathered(official("xstest"), official("or_bench")).pools
    assert pool.complied.n == 2


def test_categories_of_attacks_on_mini_sets_are_counted_together():
    items = [Asked("a", category="fraud"), Asked("b", category="malware")]
    attacked = [replace(item, id=f"{item.id}/figstep", attack="figstep") for item in items]
    found = gathered(log(NANO, "advbench", items), log(NANO, "figstep", attacked))
    assert {(row.benchmark, row.attack): row.complied.n for row in found.categories} == {
        (MINI_SETS, "fraud"): 2,
        (MINI_SETS, "malware"): 2,
    }


def test_harmless_items_in_forms_of_attacks_have_a_pool_of_their_own():
    plain, framed = Asked("l-1", False), Asked("b-1/figstep", False, False, "figstep")
    found = gathered(log(NANO, "jailbreakbench", [plain]), log(NANO, "figstep", [framed]))
    assert {pool.benchmark: refused(pool).rate for pool in found.pools} == {OVER_REFUSAL: 0.0, UNDER_ATTACK: 1.0}


def test_modalities_are_counted_over_benchmarks_mini_and_official_ones_apart():
    official = {"benchmark": "harmbench", "measures": "attack", "set": "official"}
    mixed = [Asked("a/typo", attack="typo", medium="image"), Asked("b", complied=False)]
    found = gathered(
        log(NANO, "harmbench", mixed),
        log(NANO, "aiah", [Asked("a/spoken", attack="spoken", medium="audio")]),
        log(NANO, "harmbench", mixed, metadata=official),
        log(NANO, "mme", [Asked("s/1", False, medium="image")]),
    )
    assert {(row.benchmark, row.attack, row.harmful): row.complied.successes for row in found.modalities} == {
        (MINI_SETS, "audio", True): 1,
        (MINI_SETS, "image", True): 1,
        (MINI_SETS, "text", True): 0,
        (OFFICIAL_SETS, "image", True): 1,
        (OFFICIAL_SETS, "text", True): 0,
    }


def test_pairs_of_one_goal_are_one_proof():
    before = [Asked(f"a/{n}", attack=str(n)) for n in range(7)]
    after = [replace(item, complied=False) for item in before]
    (compared,) = gathered(log(PLAIN, "encodings", before), log(NANO, "encodings", after)).compared
    assert (compared.pairs, compared.paired.only_first, compared.paired.p) == (7, 7, 1.0)
    assert compared.after.goals == 1


def test_numbers_in_names_are_sorted_as_numbers():
    items = [Asked(f"a/{n}", attack=f"prefill {n}") for n in (12, 2, 16, 4)]
    found = gathered(log(NANO, "prefill", items))
    assert [row.attack for row in found.attacks] == ["prefill 2", "prefill 4", "prefill 12", "prefill 16"]
