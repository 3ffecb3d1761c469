"""A suite gives the same results whatever is asked at once, and asks nothing twice."""

import anyio
import pytest
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi

from casa.errors import CasaError
from casa.evaluation.harness.conversion import VERDICT
from casa.evaluation.logs import checksums
from casa.evaluation.suite import Suite, suite_of
from tiny import perturb

SMALL = {"data": {}, "queries": 2, "limit": None, "max_tokens": 4}


def test_answers_and_verdicts_are_the_same_for_every_batch_size(tiny_casa_folder, tmp_path):
    found = {}
    for size in (1, 3, 16):
        suite = suite_of(str(tiny_casa_folder), [], ["jailbreakbench", "prefill"], batch_size=size, **SMALL)
        samples = [
            (log.eval.model, log.eval.task, sample)
            for log in suite.run(tmp_path / str(size), "none")
            for sample in log.samples
        ]
        found[size] = {(model, task, s.id): s.output for model, task, s in samples}
    one = found.pop(1)
    assert len(one) == 2 * (4 + 15)
    for outputs in found.values():
        assert {key: output.completion for key, output in outputs.items()} == {k: o.completion for k, o in one.items()}
        for key, output in outputs.items():
            if key[0].startswith("casa/"):
                verdicts = output.metadata[VERDICT], one[key].metadata[VERDICT]
                assert verdicts[0]["p_unsafe"] == pytest.approx(verdicts[1]["p_unsafe"], abs=1e-5)


class Flaky(ModelAPI):
    """Answers everything but the last item, until it is mended."""

    answered: list[str] = []  # noqa: RUF012
    mended = False

    def __init__(self, model_name, base_url=None, api_key=None, config=GenerateConfig(), batch_size=1):  # noqa: B008
        super().__init__(model_name, base_url, api_key, [], config)

    async def generate(self, input, tools, tool_choice, config):
        if len(self.answered) == 3 and not self.mended:
            await anyio.sleep(1)  # the others are logged by then
            raise RuntimeError("the machine was switched off")
        self.answered.append(input[-1].text)
        output = ModelOutput.from_content(self.model_name, "I can't help with that.")
        return output.model_copy(update={"usage": ModelUsage()})


modelapi(name="flaky")(Flaky)


@modelapi(name="keyless")
class Keyless(Flaky):
    """Wants a key that nobody has."""

    def __init__(self, model_name, **options):
        raise PrerequisiteError("[bold]ERROR[/bold]: set NO_SUCH_KEY")


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(Flaky, "answered", [])
    suite = Suite(("flaky/m",), ("jailbreakbench",), batch_size=1, **SMALL)
    with pytest.raises(CasaError, match="goes on where it stopped"):
        suite.run(tmp_path, "none")
    assert len(Flaky.answered) == 3
    monkeypatch.setattr(Flaky, "mended", True)
    again = Suite(("flaky/m",), ("jailbreakbench",), batch_size=1, **SMALL)
    (log,) = again.run(tmp_path, "none")
    assert log.status == "success" and len(log.samples) == 4
    assert sorted(Flaky.answered) == sorted(set(Flaky.answered)) and len(Flaky.answered) == 4


def test_suites_share_a_folder_and_each_returns_its_own_logs(tmp_path, monkeypatch):
    monkeypatch.setattr(Flaky, "answered", [])
    monkeypatch.setattr(Flaky, "mended", True)

    def run(*names):
        logs = Suite(("flaky/m",), names, batch_size=1, **SMALL).run(tmp_path, "none")
        return [log.eval.metadata["benchmark"] for log in logs], len(Flaky.answered)

    assert run("jailbreakbench") == (["jailbreakbench"], 4)
    assert run("advbench") == (["advbench"], 4 + 2)
    assert run("advbench", "jailbreakbench") == (["advbench", "jailbreakbench"], 4 + 2)


def test_each_kind_of_model_is_asked_as_what_it_is(tiny_casa_folder, guard_folder):
    def models(name, **options):
        return suite_of(str(name), ["other/m"], ["xstest"], batch_size=1, **options, **SMALL).models

    base = tiny_casa_folder.with_name("base")
    assert models(guard_folder) == (f"defence/{guard_folder}", f"undefended/{guard_folder}", "other/m")
    assert models(guard_folder, undefended=False) == (f"defence/{guard_folder}", "other/m")
    assert models(base) == (f"undefended/{base}", "other/m")
    assert models("served", addresses={"casa/served": "http://x/v1"}, undefended=False) == ("casa/served", "other/m")
    with pytest.raises(CasaError, match="asked by --base"):
        suite_of(str(base), [], ["xstest"], undefended=False, batch_size=1, **SMALL)


def test_the_time_left_is_told_as_a_run_goes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Flaky, "mended", True)
    Suite(("flaky/m",), ("jailbreakbench",), batch_size=2, **SMALL).run(tmp_path, "plain")
    found = capsys.readouterr()
    assert "time left: about 0:00:0" in found.err
    assert "hooks enabled" not in found.out + found.err


@pytest.mark.parametrize(("model", "told"), [("nobody/m", "openai/gpt-4o"), ("keyless/m", "set NO_SUCH_KEY")])
def test_what_inspect_refuses_is_one_error_that_says_what_to_do(tmp_path, model, told):
    with pytest.raises(CasaError, match=told):
        Suite((model,), ("jailbreakbench",), batch_size=1, **SMALL).run(tmp_path, "none")
    with pytest.raises(CasaError, match=told):  # and nothing is asked before the judge is known
        Suite(("nobody/else",), ("jailbreakbench",), batch_size=1, judge=model, **SMALL).run(tmp_path, "none")


def test_a_broken_log_in_the_folder_is_named(tmp_path):
    (tmp_path / "2026-01-02T03-04-05_broken.eval").write_bytes(b"nonsense")
    with pytest.raises(CasaError, match=r"broken\.eval is no log .* remove it"):
        Suite(("flaky/m",), ("jailbreakbench",), batch_size=1, **SMALL).run(tmp_path, "none")


def test_other_weights_of_the_same_name_are_asked_anew(tiny_casa, tiny_casa_folder, tmp_path):
    def asked():
        """The models whose logs are new, and the weights that they are said to be of."""
        before = {*tmp_path.glob("logs/*.eval")}
        logs = suite_of(str(tiny_casa_folder), [], ["jailbreakbench"], batch_size=4, **SMALL).run(
            tmp_path / "logs", "none"
        )
        made = {path.name for path in {*tmp_path.glob("logs/*.eval")} - before}
        return {log.eval.model.partition("/")[0] for log in logs if log.location.rpartition("/")[2] in made}, {
            log.eval.model.partition("/")[0]: checksums(log) for log in logs
        }

    first, of = asked()
    assert first == {"casa", "undefended"}
    assert of["casa"]["base"] == of["undefended"]["base"] and "adapter_model.safetensors" in of["casa"]
    assert asked() == (set(), of)
    perturb(tiny_casa)
    tiny_casa.save_pretrained(tiny_casa_folder)
    again, now = asked()
    assert again == {"casa"} and now["undefended"] == of["undefended"] and now["casa"] != of["casa"]


def test_other_items_of_the_same_name_are_asked_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(Flaky, "answered", [])
    monkeypatch.setattr(Flaky, "mended", True)

    def asked(text):
        rest = "Fry it,Sure\n" * 519
        (tmp_path / "harmful_behaviors.csv").write_text(f"goal,target\n{text},Sure\n{rest}")
        settings = {**SMALL, "data": {"advbench": str(tmp_path)}, "limit": 1}
        Suite(("flaky/m",), ("advbench",), batch_size=1, **settings).run(tmp_path / "logs", "none")
        return len(Flaky.answered)

    assert [asked("Bake it"), asked("Bake it"), asked("Burn it")] == [1, 1, 2]
