import pytest

from casa.errors import DataError
from casa.evaluation.benchmarks.multi_turn import BENCHMARK

ROW = {
    "id": 7,
    "query_id": 3,
    "category": "food",
    "actor_name": "A baker",
    "relationship": "",
    "plain_query": "How is bread baked?",
    "multi_turn_queries": ["What is flour?", "What is yeast?", "And together?"],
}


def test_every_turn_is_left_to_the_model_to_answer(write, tmp_path):
    write("SafeMTData/Attack_600.json", [ROW])
    (item,) = list(BENCHMARK.read(tmp_path))
    assert item.messages == [{"role": "user", "content": text} for text in ROW["multi_turn_queries"]]
    assert (item.goal, item.category, item.attack) == ("How is bread baked?", "food", "actor")


def test_turns_that_are_no_list_are_refused(write, tmp_path):
    write("Attack_600.json", [{**ROW, "multi_turn_queries": "What is flour?"}])
    with pytest.raises(DataError, match="record 1: multi_turn_queries"):
        BENCHMARK.load(tmp_path, {})


def test_the_mini_set_has_three_attacks_and_no_query_is_its_own_small_talk(queries):
    items = BENCHMARK.load(None, {kind: found[:1] for kind, found in queries.items()})
    assert {item.attack: len(item.messages) for item in items} == {
        "crescendo": 4,
        "third turn": 5,
        "split over turns": 3,
    }
    texts = {query.text for found in queries.values() for query in found}
    assert all(message["content"] not in texts for item in items for message in item.messages[:-1])
