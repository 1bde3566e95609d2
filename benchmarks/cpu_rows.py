"""The rows of the table: what is measured, against what, with which goal."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from contest import OSTRO, Contest, Task, best_peer
from gemm import gemm
from memory_group import NoMemoryGroup, forget_pages, memory_group
from models import Model, model_file, prepared_files
from ostro.config import kv_bytes_per_token
from ostro.config.weight_types import cache_type
from results import Result, compare

Row = Callable[[Contest], list[Result]]

DEMO = Model("demo", "Q4_0")
LONG_DEMO = Model("demo", "Q4_0", context=32_768)
SLICE_Q4_0 = Model("mixtral-8x7b", "Q4_0", layers=4)
SLICE_Q4_K = Model("mixtral-8x7b", "Q4_K", layers=4)
DENSE_SLICE = Model("llama-2-70b", "Q4_0", layers=4)
FULL = Model("mixtral-8x7b", "Q3_K")

SPEED, BANDWIDTH = "tok/s", "GB/s"
CAP = 8 << 30


def _decode(tokens: int, *, prompt: int = 32, sequences: int = 1) -> Mapping[str, object]:
    return {"measure": "decode", "prompt": prompt, "tokens": tokens, "sequences": sequences}


def _prefill(tokens: int) -> Mapping[str, object]:
    return {"measure": "prefill", "tokens": tokens}


def _against_best_peer(contest: Contest, task: Task, goals: Mapping[str, float]) -> list[Result]:
    """One result for each measurement of the task: ostro beside the fastest peer."""
    results = []
    for name, speeds in contest.run(task).items():
        peer_name, peer = best_peer(speeds)
        ostro = speeds.get(OSTRO, 0.0)
        result = compare(
            name, ostro=ostro, peer=peer, peer_name=peer_name, goal=goals[name], unit=SPEED
        )
        results.append(result)
    return results


def demo_decode(contest: Contest) -> list[Result]:
    """One stream."""
    task = Task(model=DEMO, requests={"demo-decode": _decode(64)}, context=512)
    return _against_best_peer(contest, task, {"demo-decode": 1.25})


def demo_prefill(contest: Contest) -> list[Result]:
    """A prompt of 512 tokens."""
    task = Task(model=DEMO, requests={"demo-prefill": _prefill(512)}, context=1024)
    return _against_best_peer(contest, task, {"demo-prefill": 1.15})


def demo_batch32(contest: Contest) -> list[Result]:
    """32 sequences, a token each at every step; speed is that of all together."""
    request = _decode(16, prompt=8, sequences=32)
    task = Task(model=DEMO, requests={"demo-batch32": request}, context=32 * 64, sequences=32)
    return _against_best_peer(contest, task, {"demo-batch32": 2.0})


def slice_decode(contest: Contest) -> list[Result]:
    """Bytes of weights a second, against what the memory gives when nothing is computed."""
    results = []
    for model in (SLICE_Q4_0, SLICE_Q4_K):
        name = f"slice-decode {model.type_name}"
        task = Task(model=model, requests={name: _decode(24)}, context=512)
        before = contest.bandwidth()
        speeds = contest.run(task, peers=False)[name]
        # The memory of a shared machine is faster at times; the bound is its better moment.
        bound = max(before, contest.bandwidth())
        result = compare(
            name,
            ostro=speeds.get(OSTRO, 0.0) * model.read_bytes / 1e9,
            peer=bound / 1e9,
            peer_name="read bandwidth",
            goal=0.9,
            unit=BANDWIDTH,
        )
        results.append(result)
    return results


def slice_prefill(contest: Contest) -> list[Result]:
    """Prompts of 128 and 512 tokens."""
    requests = {f"slice-prefill {count}": _prefill(count) for count in (128, 512)}
    task = Task(model=SLICE_Q4_0, requests=requests, context=1024)
    return _against_best_peer(contest, task, dict.fromkeys(requests, 1.15))


def full_decode(contest: Contest) -> list[Result]:
    """The whole of 8x7B, one stream."""
    task = Task(model=FULL, requests={"full-decode": _decode(16)}, context=512)
    return _against_best_peer(contest, task, {"full-decode": 1.5})


def full_prefill(contest: Contest) -> list[Result]:
    """The whole of 8x7B, a prompt of 128 tokens."""
    task = Task(model=FULL, requests={"full-prefill": _prefill(128)}, context=512)
    return _against_best_peer(contest, task, {"full-prefill": 1.5})


def capped_decode(contest: Contest) -> list[Result]:
    """The whole of 8x7B in 8 GiB: every engine mapped and cold, in a control group of that size."""
    name = "capped-decode"
    path = model_file(FULL, contest.cache, contest.progress)
    task = Task(
        model=FULL,
        requests={name: _decode(12, prompt=4)},
        context=256,
        repack=False,
        options={"memory": "8GiB"},
    )
    try:
        with memory_group(CAP) as prefix:
            speeds = contest.run(
                task,
                prefix=prefix,
                before=lambda: forget_pages(path, *prepared_files(contest.cache)),
                together=False,
            )[name]
    except NoMemoryGroup as error:
        contest.progress.note(f"{name} is left out: {error}")
        return []
    peer_name, peer = best_peer(speeds)
    return [
        compare(
            name,
            ostro=speeds.get(OSTRO, 0.0),
            peer=peer,
            peer_name=f"{peer_name}, mapped",
            goal=3.0,
            unit=SPEED,
        )
    ]


def long_context(contest: Contest) -> list[Result]:
    """Decoding with 32k tokens behind, against the bytes of weights, keys and values it reads."""
    name, tokens = "long-context", 16
    limit = LONG_DEMO.geometry.context_length
    # Room for every round, the one that does not count included.
    filled = limit - tokens * (3 * contest.rounds + 1)
    task = Task(
        model=LONG_DEMO,
        requests={name: {"measure": "extend", "tokens": tokens}},
        context=limit,
        prepare=(_prefill(filled),),
    )
    bandwidth = contest.bandwidth()
    speed = contest.run(task, peers=False)[name].get(OSTRO, 0.0)
    bandwidth = max(bandwidth, contest.bandwidth())
    kept = cache_type(LONG_DEMO.type)
    kv_bytes = filled * kv_bytes_per_token(LONG_DEMO.geometry, kept)
    return [
        compare(
            name,
            ostro=speed,
            peer=bandwidth / (LONG_DEMO.read_bytes + kv_bytes),
            peer_name=f"read bandwidth, {filled} keys and values in {kept.name}",
            goal=0.8,
            unit=SPEED,
        )
    ]


def sparse_dense(contest: Contest) -> list[Result]:
    """Ostro on 8x7B beside ostro on a dense 70B: slices of 4 layers, scaled to all by bytes."""
    name, models = "sparse-dense", {"sparse": SLICE_Q4_0, "dense": DENSE_SLICE}
    tasks = {
        kind: Task(model=model, requests={name: _decode(16)}, context=256)
        for kind, model in models.items()
    }
    speeds = contest.models_in_turn(tasks, name)
    whole = {
        kind: speed * models[kind].read_bytes / _whole_read_bytes(models[kind])
        for kind, speed in speeds.items()
    }
    return [
        compare(
            name,
            ostro=whole.get("sparse", 0.0),
            peer=whole.get("dense", 0.0),
            peer_name=f"ostro on {DENSE_SLICE.preset}",
            goal=5.0,
            unit=SPEED,
        )
    ]


def _whole_read_bytes(slice_: Model) -> float:
    """Bytes that a token reads of the model that a slice is of."""
    return Model(slice_.preset, slice_.type_name).read_bytes


ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "demo-decode": demo_decode,
        "demo-prefill": demo_prefill,
        "demo-batch32": demo_batch32,
        "slice-decode": slice_decode,
        "slice-prefill": slice_prefill,
        "full-decode": full_decode,
        "full-prefill": full_prefill,
        "gemm": gemm,
        "capped-decode": capped_decode,
        "long-context": long_context,
        "sparse-dense": sparse_dense,
    }
)
# Twenty gigabytes on the disk and minutes a row: only when asked for by name.
LARGE = frozenset(("full-decode", "full-prefill", "capped-decode"))
