"""MME counts questions, and images with all of them right."""

from casa.evaluation.benchmarks.mme import COGNITION, PERCEPTION
from casa.evaluation.mme_score import mme_score


def test_a_task_is_scored_by_questions_and_by_images():
    score = mme_score({"OCR/a/b/1": True, "OCR/a/b/2": True, "OCR/c/1": True, "OCR/c/2": False})
    assert score.tasks == {"OCR": 100 * (3 / 4 + 1 / 2)}
    assert score.perception is None and score.cognition is None


def test_all_right_is_the_highest_score():
    score = mme_score({f"{task}/a/{n}": True for task in (*PERCEPTION, *COGNITION) for n in (1, 2)})
    assert (score.perception, score.cognition) == (2000, 800)
