from casa.evaluation.benchmarks.base import user
from casa.evaluation.benchmarks.derived import asked, attacked, framed


def test_framed_queries_of_both_kinds_have_their_plain_form_as_goal(queries):
    items = list(framed(queries, "jailbreak"))
    assert [item.harmful for item in items].count(True) == len(queries["jailbroken"])
    assert [item.harmful for item in items].count(False) == 2
    assert all(item.goal in item.messages[0]["content"] != item.goal and item.attack == "jailbreak" for item in items)


def test_goals_are_put_in_every_way(queries):
    say = {"loud": lambda query: [{"role": "user", "content": query.upper()}]}
    plain, loud = list(asked(queries, "malicious")), list(attacked(asked(queries, "malicious"), say))
    assert [item.id for item in loud] == [f"{item.id}/loud" for item in plain]
    assert all(item.messages[0]["content"] == item.goal.upper() and item.attack == "loud" for item in loud)
    assert all(item.attack == "none" and item.harmful for item in plain)


def test_every_harmless_goal_comes_and_every_attack_comes_on_one(queries):
    attacks = dict.fromkeys("abc", user)
    items = attacked(asked(queries, "malicious", "benign"), attacks)
    first, second, third = (query.id for query in queries["benign"])
    assert [item.id for item in items if not item.harmful] == [
        f"{first}/a",
        f"{first}/c",
        f"{second}/b",
        f"{third}/a",
        f"{third}/c",
    ]
