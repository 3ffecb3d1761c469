from casa.data.held_out import HARMFUL, HARMLESS
from casa.evaluation.figures import COLOURS, FIGURES, main, reading_figure

RATE = {"successes": 1, "n": 2, "rate": 0.5, "low": 0.1, "high": 0.9}
KINDS = (*HARMFUL, *HARMLESS)
AREA = {"p_unsafe": {"value": 0.9}, "v_s": {"value": 0.8}}


def results() -> dict[str, dict]:
    point = {"flagged_unsafe": RATE, "mean_v_s": 0.4}
    plane = {"explained": [0.5, 0.2], "points": {kind: [[0.0, 1.0], [1.0, 0.0]] for kind in KINDS}}
    contrasts = (("malicious", "benign"), ("malicious", "lookalike"), ("jailbroken", "framed_benign"))
    means = {f"auroc p_unsafe {a}/{b}": 0.7 for a, b in contrasts}
    return {
        "nano_text.json": {
            "scores": {kind: {"tokens": [3, 4], "p_unsafe": [0.1, 0.9], "v_s": [0.2, 0.8]} for kind in KINDS},
            "auroc": {f"{a} against {b}": AREA for a, b in contrasts},
        },
        "nano_length.json": {"lengths": {n: {"malicious": point, "benign": point} for n in ("0", "256")}},
        "nano_states.json": {"states": {"without CASA": plane, "with CASA": plane}},
        "nano_attacks.json": {
            "attacks": {
                name: {f: {"before": RATE, "after": RATE} for f in ("attack_success", "refused_benign")}
                for name in ("none", "prefill 2", "prefill 12")
            }
        },
        "nano_carryover.json": {
            "forms": {
                name: {f: {"before": RATE, "after": RATE} for f in ("attack_success", "refused_benign")}
                for name in ("text", "picture")
            }
        },
        "nano_modalities.json": {
            "modalities": {form: {"without CASA": plane, "with CASA": plane} for form in ("text", "picture")}
        },
        "nano_noise.json": {
            "noise": {
                "pixels": {"unit": "levels of 255", "curves": {"1": [{"step": n, "broken": RATE} for n in (0, 1)]}}
            }
        },
        "nano_v_s.json": {"steps": [10, 20], "v_s_malicious": [0.5, 0.9], "v_s_benign": [0.5, 0.1]},
        "nano_audio.json": {
            "curve": [{"step": n, "eval_word_error_rate": 0.9, "eval_letter_error_rate": 0.5} for n in (500, 1000)],
            "steps": 1000,
        },
        "nano_vision.json": {
            "curve": [
                {"step": n, **{kind: {"characters": 0.1, "piece_characters": 0.3} for kind in ("strips", "pages")}}
                for n in (1000, 2000)
            ],
            "steps": 2000,
        },
        "sweeps/examples.json": {"points": [{"value": n, "mean": means, "runs": [means]} for n in (50, 100)]},
    }


def test_a_curve_of_reading_goes_on_where_the_run_before_ended():
    run = results()["nano_vision.json"]
    (line, *_) = reading_figure({**run, "runs_before": [run]}).axes[0].lines
    assert list(line.get_xdata()) == [1000, 2000, 3000, 4000]


def test_every_figure_is_drawn_from_its_results_file(tmp_path, monkeypatch):
    import json

    for name, result in results().items():
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result))
    monkeypatch.setattr("sys.argv", ["figures", "--results", str(tmp_path / "results"), "--out", str(tmp_path / "out")])
    main()
    drawn = {path.stem: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    assert set(drawn) == set(FIGURES)
    assert all(image.startswith(b"\x89PNG") and len(image) > 5000 for image in drawn.values())


def test_every_kind_of_query_has_its_colour():
    assert set(COLOURS) == set(KINDS)
