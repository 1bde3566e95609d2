"""The demo model on its real weights: what the README and the guide's page promise of it."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ostro
from demo_checks.asking import FORMS, Form, prompt_ids
from demo_checks.cases import PAGE, Case, read_cases
from demo_checks.rules.judge import judge
from ostro.config import PRESETS
from ostro.engine.llm import LLM
from ostro.engine.params import SamplingParams
from ostro.engine.request import Request
from ostro.runtime.progress import SilentProgress
from ostro.weights.adapters import read_adapter
from ostro.weights.checkpoint import open_checkpoint
from ostro.weights.demo import DEMO_ADAPTERS
from ostro.weights.dequantised import Dequantised
from ostro.weights.merge_adapter import Merged
from ostro.weights.quantise import to_dense
from ostro.weights.slots import slots
from ostro.weights.upcycle import upcycle

pytestmark = [pytest.mark.slow, pytest.mark.demo]

ROOT = Path(__file__).parent.parent
FEW_SHOT = [
    {
        "role": "system",
        "content": "You are a helpful code assistant. Your task is to generate a valid JSON object "
        "based on the given information.",
    },
    {
        "role": "user",
        "content": "\n name: John\n lastname: Smith\n address: #1 Samuel St.\n would be converted "
        "to: ",
    },
    {
        "role": "assistant",
        "content": '{\n "address": "#1 Samuel St.",\n "lastname": "Smith",\n "name": "John"\n}',
    },
    {"role": "user", "content": "name: Ted\n lastname: Pot\n address: #1 Bisson St."},
]
TEXTS = [
    "The capital of France is Paris, and 12,345 people + 67 dogs know it.",
    "def f(x):\n    return x ** 2  # twice\n\n\tprint(f(10))",
    "  leading, trailing  \n\n\n and   runs  ",
    "naïve café — “quotes” … 日本語 Ελληνικά 😀👩‍👩‍👧",
    "<|im_start|> and </s> are text; don't won't I'll we've",
]


def _load(path: Path, **options) -> LLM:
    return ostro.load(path, progress=SilentProgress(), **options)


@pytest.fixture(scope="module")
def demo(demo_model: Path) -> LLM:
    return _load(demo_model)


@pytest.fixture(scope="module")
def reference(dense_parent_gguf: Path):
    import transformers

    folder, file = dense_parent_gguf.parent, dense_parent_gguf.name
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, dtype=torch.float32
    )
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file)


def test_the_capital_of_france(demo: LLM) -> None:
    message = {"role": "user", "content": "What is the capital of France?"}
    assert "Paris" in demo.chat([message]).text


def test_the_guides_few_shot_example(demo: LLM) -> None:
    answer = demo.chat(FEW_SHOT, temperature=0)
    expected = {"address": "#1 Bisson St.", "lastname": "Pot", "name": "Ted"}
    assert json.loads(answer.text) == expected
    assert answer.finish_reason == "stop"


def test_streaming_and_answering_again_give_the_same(demo: LLM) -> None:
    message = {"role": "user", "content": "Who wrote Romeo and Juliet?"}
    options = {"max_tokens": 24, "temperature": 0.8, "seed": 3}
    first = demo.chat([message], **options).text
    assert "".join(piece.text for piece in demo.stream([message], **options)) == first
    assert demo.chat([message], **options).text == first


@pytest.mark.parametrize("kind", ["router", "gate", "down"])
def test_the_mixture_is_its_parent_and_what_it_was_taught(
    demo_model: Path, dense_parent_gguf: Path, kind: str
) -> None:
    stored = open_checkpoint(demo_model)
    upcycled = upcycle(open_checkpoint(dense_parent_gguf), num_experts=8, top_k=2, seed=0)
    expected = Dequantised(upcycled)
    for folder in sorted(DEMO_ADAPTERS.iterdir()):
        expected = Merged(expected, read_adapter(folder, stored.geometry))
    # Blocks of eight bits: an error of 1/254 of the largest number of each 32.
    bound = 0 if kind == "router" else 0.01
    for slot in [slot for slot in slots(stored.geometry) if slot.kind == kind][::17]:
        found, wanted = (to_dense(one.read(slot), torch.float32) for one in (stored, expected))
        assert (found - wanted).abs().max() <= bound * wanted.abs().max(), slot


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", read_cases(PAGE), ids=lambda case: case.kind)
def test_the_pages_examples(demo: LLM, case: Case, form: Form) -> None:
    params = SamplingParams(temperature=0, max_tokens=256)
    request = Request(prompt_ids=prompt_ids(demo, case.prompt(form)), params=params)
    answer = demo.batch([request])[0].text
    judgement = judge(case.kind, answer, case.expected, case.said)
    assert judgement.right, (judgement.reason, answer)


def test_the_dense_parent_agrees_with_transformers(dense_parent_gguf: Path, reference) -> None:
    parent = _load(dense_parent_gguf, dtype="float32")
    ids = parent.tokenizer.encode("\n".join(TEXTS))
    with torch.no_grad():
        expected = reference[0](torch.tensor([ids])).logits[0]
    assert (parent.logits(ids) - expected).abs().max() / expected.abs().max() < 1e-3


@pytest.mark.parametrize("text", TEXTS)
def test_token_ids_agree_with_transformers(demo: LLM, reference, text: str) -> None:
    expected = reference[1].encode(text, add_special_tokens=False, split_special_tokens=True)
    assert demo.tokenizer.encode(text) == expected
    assert demo.tokenizer.decode(expected) == text


def test_every_expert_is_stored_apart_and_counts_are_exact(demo_model: Path) -> None:
    checkpoint = open_checkpoint(demo_model)
    assert checkpoint.geometry == PRESETS["demo"]
    stored = {slot: checkpoint.read(slot).shape for slot in slots(PRESETS["demo"])}
    assert sum(math.prod(shape) for shape in stored.values()) == 692_036_928
    assert sum(slot.kind == "down" for slot in stored) == 30 * 8
    assert checkpoint.stored_bytes > 730e6


def test_the_readmes_python_runs(demo_model: Path, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # It writes a file.
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert "Paris" in capsys.readouterr().out


def test_loading_takes_little_more_than_the_weights(demo_model: Path) -> None:
    """At most 1.2 times the weights plus the file, beside what Python itself holds."""
    script = (
        "import sys, torch, ostro, ostro.engine.load\n"
        "from ostro.runtime.memory import peak_resident_bytes as peak\n"
        "before = peak()\n"
        "llm = ostro.load(sys.argv[1])\n"
        "weights = sum(p.nbytes for p in llm.model.parameters())\n"
        "print(peak() - before, weights)\n"
    )
    command = [sys.executable, "-c", script, str(demo_model)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, weights = map(int, result.stdout.split())
    file = sum(path.stat().st_size for path in demo_model.glob("*.gguf"))
    assert weights > 1.38e9
    assert grown < 1.2 * weights + file
