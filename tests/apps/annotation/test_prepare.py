"""A batch is written whole or not at all, repeats from its seed, and its links are secret."""

import stat

import pytest

from casa.apps.annotation.collect import collect
from casa.apps.annotation.database import transaction
from casa.apps.annotation.prepare import Design, write_batch
from casa.apps.annotation.session import Sessions
from casa.errors import DataError

from .studies import NANO, logs_of_two_methods, sample, write_logs


def lists(path):
    """What every rater gets, in order."""
    with transaction(path) as database:
        return database.execute(
            "SELECT rater, position, text FROM assignment JOIN answer ON answer.id = answer ORDER BY rater, position"
        ).fetchall()


def test_the_same_seed_gives_the_same_lists_but_other_secrets(tmp_path):
    found = collect([logs_of_two_methods(tmp_path / "logs")])
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_batch(tmp_path / name, found, Design(prompts=8, raters=4, each=2, seed=seed))
    a, b, c = (list(map(tuple, lists(tmp_path / name))) for name in "abc")
    assert a == b != c
    tokens = [link.token for name in "ab" for link in Sessions(tmp_path / name).links()]
    assert len(set(tokens)) == 8 and all(len(token) > 20 for token in tokens)


def test_every_answer_goes_to_its_raters_and_checks_are_mixed_in(batch):
    with transaction(batch) as database:
        each = database.execute(
            "SELECT count(*) FROM assignment JOIN answer ON answer.id = answer WHERE method IS NOT NULL GROUP BY answer"
        )
        assert {row[0] for row in each} == {3}
        checks = database.execute(
            "SELECT rater, count(*) FROM assignment JOIN answer ON answer.id = answer WHERE expected IS NOT NULL GROUP BY rater"
        )
        assert [row[1] for row in checks] == [2, 2, 2]
        orders = [
            [
                row[0]
                for row in database.execute("SELECT answer FROM assignment WHERE rater = ? ORDER BY position", (n,))
            ]
            for n in (1, 2, 3)
        ]
    assert orders[0] != orders[1] != orders[2]


def test_a_file_that_is_there_is_never_written_over(batch, tmp_path):
    before = batch.read_bytes()
    with pytest.raises(DataError, match="may hold ratings"):
        write_batch(batch, collect([logs_of_two_methods(tmp_path / "logs")]), Design())
    assert batch.read_bytes() == before


def test_a_medium_that_cannot_be_read_leaves_no_file(tmp_path):
    one = sample(1, NANO, True, "image")
    one.input[0].content[0].image = "gone.png"
    found = collect([write_logs(tmp_path / "logs", {NANO: [one]})])
    with pytest.raises(DataError, match="gone"):
        write_batch(tmp_path / "new" / "study.sqlite", found, Design())
    assert list((tmp_path / "new").iterdir()) == []


def test_only_its_owner_may_read_it(tmp_path):
    write_batch(tmp_path / "study", collect([logs_of_two_methods(tmp_path / "logs")]), Design(prompts=2))
    assert stat.S_IMODE((tmp_path / "study").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ({"each": 1}, "at least 2"),
        ({"raters": 2, "each": 3}, "at most all 2"),
        ({"prompts": 0}, "needs a prompt"),
        ({"check_share": 0.6}, "share"),
    ],
)
def test_designs_that_measure_nothing_are_refused(design, message):
    with pytest.raises(DataError, match=message):
        Design(**design)
