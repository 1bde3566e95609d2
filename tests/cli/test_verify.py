"""``ostro verify``: a report that names everything, on paper and as JSON."""

import hashlib
import json

from ostro.evaluation.verify import PROMPTS, Verification
from tiny import save_tiny
from tiny_chat import ANSWER


def test_json_has_exactly_the_fields_of_a_verification(run, speller) -> None:
    ran = run("verify", speller, "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert list(found) == list(Verification.__dataclass_fields__)
    assert (found["model"], found["layout"], found["preset"]) == ("speller", "hf", None)
    assert (found["stored_type"], found["compute_type"]) == ("F32", "F32")
    assert found["answers"] == dict.fromkeys(PROMPTS, ANSWER)
    assert found["files"] == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in speller.iterdir()
    }


def test_the_report_is_printed_and_written(run, speller, tmp_path) -> None:
    report = tmp_path / "reports" / "report.md"
    report.parent.mkdir()
    ran = run("verify", speller, "--report", report)
    assert ran.code == 0
    assert ran.out == report.read_text(encoding="utf-8") + "\n"
    assert ran.out.startswith("# ostro verify: speller\n")
    digest = hashlib.sha256((speller / "model.safetensors").read_bytes()).hexdigest()
    assert f"- `model.safetensors` {digest}\n" in ran.out
    assert "every one accounted for" in ran.out


def test_a_report_comes_beside_json(run, speller, tmp_path) -> None:
    ran = run("verify", speller, "--json", "--report", tmp_path / "r.md")
    assert json.loads(ran.out)["model"] == "speller"
    assert (tmp_path / "r.md").read_text().startswith("# ostro verify: speller\n")


def test_one_file_is_verified_under_another_type(run, speller, tmp_path) -> None:
    run("convert", speller, tmp_path / "m.gguf", "--to", "gguf", "--type", "Q8_0")
    found = json.loads(run("verify", tmp_path / "m.gguf", "--type", "F32", "--json").out)
    assert (found["stored_type"], found["compute_type"]) == ("Q8_0", "F32")
    assert list(found["files"]) == ["m.gguf"]


def test_a_model_without_a_tokenizer_is_verified_as_far_as_it_goes(run, tmp_path) -> None:
    found = json.loads(run("verify", save_tiny(tmp_path / "mute"), "--json").out)
    assert (found["perplexity"], found["answers"]) == (None, {})
    assert found["tensors"] > 0
    assert "Answers" not in run("verify", tmp_path / "mute").out
