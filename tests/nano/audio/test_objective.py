"""The loss is least where vectors are the embeddings of what is heard, and blanks elsewhere."""

import torch

from casa.nano.audio.objective import PieceObjective

GENERATOR = torch.Generator().manual_seed(0)
EMBEDDINGS, BLANK = 2 * torch.randn(6, 16, generator=GENERATOR), 2 * torch.randn(16, generator=GENERATOR)
TARGETS = torch.tensor([[1, 2, 2], [5, 0, 0]])
TARGET_LENGTHS, LENGTHS = torch.tensor([3, 1]), torch.tensor([8, 4])


def objective(pull_weight=1.0):
    return PieceObjective(EMBEDDINGS, BLANK, pull_weight)


def right_vectors():
    heard = torch.tensor([[0, 1, 0, 2, 0, 2, 0, 0], [0, 5, 0, 0, 0, 0, 0, 0]])
    return objective().classes().detach()[heard]


def test_logits_are_negative_squared_distances_but_for_a_constant():
    vectors, made = torch.randn(3, 5, 16), objective()
    expected = -torch.cdist(vectors, made.classes()[None]).square()
    found = made.logits(vectors, made.classes())
    assert torch.allclose(found.log_softmax(2), expected.log_softmax(2), atol=1e-3)


def test_embeddings_in_the_right_places_have_hardly_a_loss():
    right = objective()(right_vectors(), LENGTHS, TARGETS, TARGET_LENGTHS)
    wrong = objective()(right_vectors().flip(1), LENGTHS, TARGETS.flip(0), TARGET_LENGTHS.flip(0))
    assert right.total < 0.02
    assert right.ctc < 0.01
    assert wrong.ctc > 5


def test_the_pull_sees_vectors_of_another_length_where_ctc_does_not():
    shifted = 3 * right_vectors()
    loss = objective()(shifted, LENGTHS, TARGETS, TARGET_LENGTHS)
    assert loss.ctc < 0.01
    assert loss.pull > 1


def test_a_vector_that_says_a_piece_pulls_as_much_as_many_silent_ones():
    spoken, silent = right_vectors(), right_vectors()
    spoken[0, 1] *= 1.5  # the only one of its kind
    silent[0, 0] *= 1.5
    found = {
        name: objective()(vectors[:1, :3], torch.tensor([3]), TARGETS[:1], torch.tensor([1])).pull
        for name, vectors in (("spoken", spoken), ("silent", silent))
    }
    share = (EMBEDDINGS[0].square().sum() / BLANK.square().sum()).item()
    assert abs((found["spoken"] / found["silent"]).item() / (2 * share) - 1) < 0.05


def test_padding_does_not_matter():
    disturbed = right_vectors()
    disturbed[1, 4:] += 9
    kept = objective()(right_vectors(), LENGTHS, TARGETS, TARGET_LENGTHS)
    found = objective()(disturbed, LENGTHS, TARGETS, TARGET_LENGTHS)
    assert torch.allclose(found.total, kept.total)


def test_a_clip_too_short_for_its_labels_teaches_nothing():
    vectors = right_vectors()[:1].requires_grad_()
    loss = objective(pull_weight=0.0)(vectors, torch.tensor([2]), TARGETS[:1], TARGET_LENGTHS[:1])
    loss.total.backward()
    assert loss.total == 0
    assert not vectors.grad.any()


def test_blank_and_scale_are_trained_and_embeddings_are_not():
    made = objective()
    made(torch.randn(2, 8, 16), LENGTHS, TARGETS, TARGET_LENGTHS).total.backward()
    assert {name for name, parameter in made.named_parameters() if parameter.grad.any()} == {"blank", "log_scale"}


def test_drawing_all_classes_is_the_whole_softmax():
    whole, vectors = objective(), torch.randn(2, 8, 16, generator=torch.Generator().manual_seed(1))
    drawn = PieceObjective(EMBEDDINGS, BLANK, 1.0, sampled=6)
    for part, expected in zip(
        drawn(vectors, LENGTHS, TARGETS, TARGET_LENGTHS), whole(vectors, LENGTHS, TARGETS, TARGET_LENGTHS), strict=True
    ):
        assert torch.allclose(part, expected, atol=1e-5)
