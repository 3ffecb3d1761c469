import json

import torch
from safetensors.torch import load_file

from casa import CasaModel
from casa.nano import ship as module
from casa.nano.ship import main
from tiny import user


def test_a_shipped_folder_decides_as_the_trained_one_and_its_summary_becomes_a_result(
    tiny_casa, tiny_casa_folder, tmp_path, monkeypatch
):
    (tiny_casa_folder / "summary.json").write_text(json.dumps({"steps": 3}))
    target, results = tmp_path / "shipped", tmp_path / "training.json"
    monkeypatch.setattr(module, "adapter_folder", lambda: target)
    monkeypatch.setattr("sys.argv", ["ship", str(tiny_casa_folder), "--results", str(results)])
    main()
    assert json.loads(results.read_text()) == {"steps": 3}
    assert {t.dtype for t in load_file(target / "adapter_model.safetensors").values()} == {torch.bfloat16}
    shipped = CasaModel.from_pretrained(target)
    assert abs(shipped.classify(user("hi")).p_unsafe - tiny_casa.classify(user("hi")).p_unsafe) < 0.01
