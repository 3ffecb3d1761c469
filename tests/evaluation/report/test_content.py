"""Each section is there where the logs hold something for it, and only there."""

from inspect_ai.log import EvalDataset

from casa.evaluation.benchmarks.mme import COGNITION, PERCEPTION
from casa.evaluation.report.content import document
from casa.evaluation.report.document import MISSING, OVER_GOALS, Cell
from casa.evaluation.report.evidence import gather
from casa.evaluation.report.published import TABLE
from casa.evaluation.report.runs import run_of
from casa.evaluation.summary import EMPTY

from .logs import NANO, PLAIN, Asked, log
from .measured import measured


def made(*logs):
    return document(gather([run_of(one, f"{i}.eval") for i, one in enumerate(logs)]))


def titles(content):
    return [section.title for section in content.sections]


def table(content, beginning):
    return next(table for table in content.tables if table.title.startswith(beginning))


def column(found, name):
    return [row[found.header.index(name)] for row in found.rows]


def test_full_logs_fill_every_section(content):
    assert titles(content) == [
        "What was run",
        "Attack success",
        "Parts: by attack, modality and category",
        "How far an attack has to go",
        "The verdict",
        "Harmless items",
        "Cost",
    ]
    assert all(section.tables for section in content.sections)
    assert all(len(row) == len(found.header) for found in content.tables for row in found.rows)
    assert sum(len(section.figures) for section in content.sections) == 7


def test_empty_sections_vanish():
    bare = log(PLAIN, "advbench", [Asked("a")])
    bare.samples[0].working_time = None
    assert titles(made(bare)) == ["What was run", "Attack success"]
    harmless = log(PLAIN, "text_utility", [Asked("a", harmful=False)])
    assert titles(made(harmless)) == ["What was run", "Harmless items", "Cost"]


def test_attack_success_stands_beside_refusals_and_the_comparison(content):
    main = table(content, "Attack success, and")
    refusals = "its harmless items refused"
    assert [row[0] for row in main.rows] == [PLAIN, refusals, NANO, refusals, "relative reduction, %", "exact paired p"]
    assert [name for name in main.header if "refused" in name] == [
        "harmless refused: forms of attacks",
        "harmless refused: over-refusal sets",
        "harmless refused: utility sets",
    ]
    assert all(isinstance(cell, Cell) for row in main.rows for cell in row[1:])
    beside = dict(zip(main.header, main.rows[3], strict=True))
    assert beside["advbench (mini)"].text == MISSING != beside["jailbreakv (mini)"].text


def test_a_model_that_refuses_every_picture_does_not_look_good():
    asked = [
        Asked(f"{kind}-{n}/figstep", kind == "m", False, "figstep", medium="image") for n in range(9) for kind in "mb"
    ]
    texts = [Asked(f"l-{n}", False) for n in range(9)]
    found = made(log(NANO, "figstep", asked), log(NANO, "xstest", [*texts, Asked("m-1", complied=False)]))
    main = table(found, "Attack success, and")
    cells = [row[main.header.index("figstep (mini)")].text for row in main.rows]
    assert cells == ["0.0", "100.0"]
    modality = table(found, "Attack success by modality")
    shown = {row[1]: (row[2].text, row[3].text) for row in modality.rows}
    assert modality.header[2:] == (NANO, f"harmless refused: {NANO}")
    assert shown == {"image": ("0.0", "100.0"), "text": ("0.0", "0.0")}


def test_kinds_of_pictures_have_a_table_where_a_set_names_them():
    asked = [Asked(str(n), complied=n < 3, medium="image", picture="noise" if n % 2 else "blank") for n in range(8)]
    found = table(made(log(NANO, "jailbreakv", asked)), "Attack success by kind of picture")
    assert [(row[1], row[2].text) for row in found.rows] == [("blank", "50.0"), ("noise", "25.0")]


def test_intervals_over_goals_are_marked_and_explained(content):
    main = table(content, "Attack success, and")
    once, shared = (column(main, f"{name} (mini)")[2].small for name in ("advbench", "jailbreakv"))
    assert shared.endswith(OVER_GOALS) and not once.endswith(OVER_GOALS)
    assert any(f"Those marked {OVER_GOALS}" in text for text in content.sections[0].paragraphs)


def test_many_attacks_are_parted_and_keep_the_refusals_beside_them():
    names = ("advbench", "harmbench", "strongreject", "jb_prompt", "figstep", "aiah", "prefill", "dilution")
    harmless = log(NANO, "xstest", [Asked("l", harmful=False)])
    content = made(harmless, *(log(NANO, name, [Asked("a")]) for name in names))
    parts = [found for found in content.tables if found.title.startswith("Attack success, and")]
    assert len(parts) == 2
    assert all(found.header[-1] == "harmless refused: over-refusal sets" for found in parts)


def test_logs_without_harmless_items_say_that_the_cost_is_unknown():
    (section,) = [s for s in made(log(NANO, "advbench", [Asked("a")])).sections if s.title == "Attack success"]
    assert "do not say what the defence costs" in section.paragraphs[0]


def test_published_numbers_are_marked_as_such(content):
    published = table(content, "Published by the paper")
    assert "not measured here" in published.title
    assert len(published.rows) == len(TABLE) == 10
    assert published.rows[4] == (
        "Qwen2.5-Omni 3B, CASA and safety prompt",
        *map(Cell, ("0.0", "1.4", "1.2", "0.0")),
    )


def test_curves_begin_with_the_goals_simply_asked(content):
    prefill, dilution = table(content, "Prefilled answers"), table(content, "Goals buried")
    assert [row[0].text for row in prefill.rows] == ["0", "2", "4", "9", "12", "16"]
    assert [row[0].text for row in dilution.rows] == ["0", "256", "1024", "4096"]
    main = table(content, "Attack success, and")
    assert column(prefill, NANO)[0] == column(main, "advbench (mini)")[2]
    assert [cell.text == MISSING for cell in column(prefill, f"harmless refused: {NANO}")] == [True, *[False] * 5]


def test_everything_that_went_wrong_is_told():
    asked = [Asked("a"), Asked("b", complied=None), Asked("c", p_unsafe=float("nan"))]
    failed = log(
        NANO,
        "advbench",
        asked,
        status="error",
        error={"message": "out of\nmemory", "traceback": "", "traceback_ansi": ""},
        dataset=EvalDataset(sample_ids=["a", "b", "c", "d"]),
    )
    content = made(failed, log(PLAIN, "xstest", [Asked("a")]))
    problems = table(content, "Problems")
    assert problems.alarming
    assert [row[1:] for row in problems.rows if row[0] == NANO] == [
        ("advbench (mini)", "the run ended with the status error: out of memory"),
        ("advbench (mini)", "1 of 4 items were not asked"),
        ("advbench (mini)", "1 of 4 items could not be scored"),
        ("advbench (mini)", "1 of 4 verdicts were not finite, which counts as unsafe"),
        ("xstest (mini)", "was not run, so this model's rates over several benchmarks leave it out"),
    ]


def test_empty_answers_are_told_among_the_items_that_were_not_scored():
    empty = Asked("a", complied=None, reason=EMPTY)
    found = table(made(log(PLAIN, "advbench", [empty, Asked("b", complied=None), Asked("c")])), "Problems")
    assert column(found, "what") == [
        "2 of 3 items could not be scored",
        "1 of 3 answers were empty, and so not scored",
    ]


def test_a_clean_run_tells_of_no_problems(content):
    assert not any(found.alarming for found in content.tables)


def test_the_verdict_is_judged_by_modality_and_where_both_kinds_are(content):
    verdict = table(content, "How well the verdict")
    assert column(verdict, "items") == [
        "text, all benchmarks",
        "image, all benchmarks",
        "jailbreakv (mini)",
        "prefill (mini)",
        "dilution (mini)",
        "xstest (mini)",
    ]
    assert set(column(verdict, "model")) == {NANO}
    (section,) = [s for s in content.sections if s.title == "The verdict"]
    assert "depend on the share of harmful items" in section.paragraphs[0]
    assert [figure.title for figure in section.figures] == [
        f"Verdicts of {NANO} on {name}, all benchmarks" for name in ("text", "image")
    ]


def test_verdicts_of_a_method_without_v_s_are_judged_by_p_unsafe_alone():
    asked = [
        Asked(name, harmful, p_unsafe=p, has_v_s=False) for name, harmful, p in (("a", True, 0.9), ("b", False, 0.2))
    ]
    content = made(log("defence/runs/guard", "xstest", asked), log("undefended/runs/guard", "xstest", [Asked("a")]))
    verdict = table(content, "How well the verdict")
    assert [cell.text for cell in column(verdict, "AUROC of p_unsafe")] == ["1.000"] * 2
    assert [cell.text for cell in column(verdict, "AUROC of v_s")] == [MISSING] * 2
    assert not any("not finite" in row[2] for found in content.tables if found.alarming for row in found.rows)


def test_harmless_pictures_of_another_form_are_not_compared_with_attacks():
    shapes = [Asked(f"s/{n}", False, p_unsafe=0.1, medium="image") for n in range(5)]
    forms = [Asked(f"{kind}-1/figstep", kind == "m", True, "figstep", p_unsafe=0.9, medium="image") for kind in "mb"]
    harmful = forms[:1]

    def counts(*logs):
        verdict = table(made(*logs), "How well the verdict")
        return column(verdict, "harmful")[0].text, column(verdict, "harmless")[0].text

    assert counts(log(NANO, "figstep", forms), log(NANO, "mme", shapes)) == ("1", "1")
    assert counts(log(NANO, "figstep", harmful), log(NANO, "mme", shapes)) == ("1", "5")


def test_results_files_add_states_lengths_attacks_and_the_time_added():
    run = run_of(log(NANO, "advbench", [Asked("a")]), "x.eval")
    with_them, without = document(gather([run], measured())), document(gather([run]))
    added = [title for title in titles(with_them) if title not in titles(without)]
    assert added == ["Buried in long texts", "An attacker with the weights", "Hidden states"]
    figures = {section.title: len(section.figures) for section in with_them.sections}
    assert [figures[title] for title in added] == [1, 2, 2]
    lengths = table(with_them, "Verdicts of casa/casa-nano")
    assert [cell.text for cell in lengths.rows[1]] == ["256", "75.0", "25.0"]
    suffix = table(with_them, "Suffixes against")
    assert [row[1].text for row in suffix.rows] == ["0.0", "25.0", "75.0"] and "50.0" in suffix.note
    noise = table(with_them, "Noise on pixels")
    assert noise.header[1:] == ("bound 1 levels of 255", "bound 8 levels of 255")
    assert [cell.text for cell in noise.rows[1]] == ["1", "25.0", "100.0"]
    latency = table(with_them, "First token")
    assert latency.rows[0][-1] == Cell("4", "1\N{EN DASH}7")


def test_yes_or_no_questions_give_mmes_score_and_perception_only_with_all_tasks():
    def answers(task):
        return [Asked(f"{task}/a.1/{n}", False, scores=(("right", int(n == 1)),)) for n in (1, 2)]

    mini = made(log(NANO, "mme", [*answers("shapes")]))
    row = table(mini, "Yes-or-no").rows[0]
    assert [cell.text for cell in row[2:]] == ["50.0", "50", MISSING, MISSING]
    official = made(log(NANO, "mme", [one for task in (*PERCEPTION, *COGNITION) for one in answers(task)]))
    assert [cell.text for cell in table(official, "Yes-or-no").rows[0][4:]] == ["500", "200"]


def test_a_judges_words_are_shown_and_so_is_its_silence():
    harmful = [
        Asked(f"h{i}", scores=(("judged_success", value), ("strongreject", value)))
        for i, value in enumerate((1, 0, None))
    ]
    found = table(made(log(NANO, "advbench", harmful)), "Judgements").rows[0]
    assert [cell.text for cell in found[2:]] == ["50.0", "0.50", MISSING, "2"]
    harmless = [Asked(f"b{i}", False, scores=(("judged_utility", value),)) for i, value in enumerate((4, 8))]
    found = table(made(log(NANO, "text_utility", harmless)), "Judgements").rows[0]
    assert [cell.text for cell in found[2:]] == [MISSING, MISSING, "6.00", "0"]
