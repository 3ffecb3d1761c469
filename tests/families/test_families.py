"""The whole path, family by family, on tiny random models with the family's own processor."""

import pytest

from .checks import (
    check_batch,
    check_explanation,
    check_export,
    check_medium,
    check_text,
    check_training,
    lacking,
    prepare,
)
from .every import FAMILIES


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name.replace(" ", "-"))
def subject(request, tmp_path_factory):
    if missing := lacking(request.param):
        pytest.skip(f"its processor needs {', '.join(missing)}")
    return prepare(request.param, tmp_path_factory.mktemp("family"))


def test_it_is_trained(subject):
    check_training(subject)


def test_it_decides_on_text_and_answers(subject):
    check_text(subject)


def test_it_sees_and_hears(subject):
    for kind in subject.family.working:
        check_medium(subject, kind)


def test_a_batch_is_decided_as_each_alone(subject):
    check_batch(subject)


def test_its_decisions_are_explained(subject):
    check_explanation(subject)


def test_what_is_exported_decides_as_before(subject):
    check_export(subject)


def test_what_is_said_not_to_work_still_does_not(subject):
    """A newer transformers may mend it; then the table is to say so."""
    for kind, reason in subject.family.broken.items():
        with pytest.raises(Exception, match=reason.split("`")[1]):
            check_medium(subject, kind)
