"""A run put together: from a recipe and places on disk to something that can be trained."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ostro.config.recipe import Recipe, parse_recipe
from ostro.config.strict_tables import flattened
from ostro.data.dataset import Dataset, open_dataset
from ostro.data.loader import Loader, LoaderOptions, ordered_samples, shuffled_samples
from ostro.data.tokenizer_hash import tokenizer_hash
from ostro.errors import OstroError
from ostro.model import Mixtral, RouterRecord, WholeStep
from ostro.runtime.allocator import keep_freed_memory
from ostro.runtime.progress import Progress
from ostro.runtime.settings import parse_dtype
from ostro.training.beginning import (
    Places,
    begin,
    begin_adapter,
    begin_frozen,
    dense_parents_experts,
    read_parent,
)
from ostro.training.checkpoint_ranks import on_first_rank
from ostro.training.checkpoints import Checkpoints
from ostro.training.drift import RoutingDrift
from ostro.training.expert_loads import ExpertLoads
from ostro.training.language_task import LanguageTask
from ostro.training.lora import lora_parameters, set_routers
from ostro.training.master_weights import MasterWeights
from ostro.training.optimizer import AdamW
from ostro.training.parent_rows import OwnTemplate, ParentRows, Rendering, SameTokens
from ostro.training.preference_task import PreferenceTask
from ostro.training.ranks import Ranks
from ostro.training.recompute import recompute_layers
from ostro.training.reference import (
    Reference,
    StoredReference,
    WithoutAdapter,
    compute_reference,
    load_reference,
    save_reference,
)
from ostro.training.room import require_room, told
from ostro.training.router_health import RouterHealth
from ostro.training.router_start import clustered_routers
from ostro.training.run import Parts, Run, resumable
from ostro.training.sharding import ShardedWeights, shard
from ostro.training.step import Figures, Gradients, measure
from ostro.training.task import Learner, Root, Task
from ostro.training.throughput import Throughput
from ostro.weights.own_tokenizer import own_tokenizer

_KINDS = {"pretrain": "documents", "sft": "conversations", "dpo": "preferences"}
# Where a reference model's log probabilities of each part of the data are kept.
_REFERENCES = {"train": "reference.npy", "validation": "validation-reference.npy"}
# What may change when a run goes on: nothing that its losses depend on.
_FREE = ("log.", "validation.", "checkpoint.", "failure.", "device", "parallel.")


def assemble(
    recipe: Recipe,
    places: Places,
    folder: Path,
    progress: Progress,
    ranks: Ranks | None = None,
) -> Run:
    """The run in ``folder``: a new one, or the one that is there, from its last checkpoint on.

    All ranks call this alike; None: this process is alone. A run of another recipe, another data
    set or another tokenizer is an OstroError.
    """
    checkpoints = Checkpoints(
        folder / "checkpoints",
        keep_last=recipe.checkpoint.keep_last,
        keep_best=recipe.checkpoint.keep_best,
    )
    found = resumable(checkpoints)
    state = None if found is None else found[1]
    if state is not None:
        check_same_run(recipe, state["recipe"], folder)
    ranks = Ranks(device=torch.device(recipe.device)) if ranks is None else ranks
    keep_freed_memory()
    progress.note(f"memory: {told(require_room(recipe, places, ranks))}")
    builder = _Builder(recipe, places, folder, progress, ranks)
    run = Run(builder.parts(checkpoints, None if state is None else state["loader"]))
    if found is not None:
        run.resume(*found)
    return run


class _Builder:
    def __init__(
        self, recipe: Recipe, places: Places, folder: Path, progress: Progress, ranks: Ranks
    ) -> None:
        self._recipe, self._places, self._ranks = recipe, places, ranks
        self._folder, self._progress = folder, progress
        self._device = ranks.device
        self._dtype = parse_dtype(recipe.precision.dtype)
        self._options = LoaderOptions(
            length=recipe.data.length,
            batch=recipe.data.batch,
            seed=recipe.seed,
            packed=recipe.data.packed,
        )

    def parts(self, checkpoints: Checkpoints, loader_state: Mapping[str, Any] | None) -> Parts:
        recipe = self._recipe
        train, validation = self._datasets()
        ranks = self._ranks
        loader = Loader(
            train, self._options, rank=ranks.rank, ranks=ranks.count, state=loader_state
        )
        learner = self._learner()
        self._check_vocabulary(learner.model, train)
        if recipe.model.routers == "clusters" and loader_state is None:
            self._start_routers(learner.model, train)
        weights = self._weights(learner)
        loads = ExpertLoads(learner.record, learner.model.geometry, ranks, recipe.router.memory)
        make_task = self._tasks(learner, loads)
        task = make_task(train, "train")
        parents = dense_parents_experts(recipe, self._places)
        health = RouterHealth(learner, ranks, parents)
        micro_batch = recipe.data.micro_batch
        drift = self._drift(learner, train)
        return Parts(
            recipe=recipe,
            folder=self._folder,
            ranks=ranks,
            steps=total_steps(recipe, loader.samples_per_epoch),
            loader=loader,
            learner=learner,
            weights=weights,
            optimizer=AdamW(weights.named, recipe.optimizer),
            gradients=Gradients(learner, task, health, loads, ranks, micro_batch=micro_batch),
            health=health,
            drift=drift,
            loads=loads,
            throughput=Throughput(
                learner.model.geometry, self._dtype, ranks, frozen=recipe.lora.rank > 0
            ),
            checkpoints=checkpoints,
            validate=self._validation(learner, make_task, validation),
            progress=self._progress,
        )

    def _learner(self) -> Learner:
        recipe = self._recipe
        adapter = None
        if recipe.lora.rank:
            model = begin_frozen(recipe, self._places, self._dtype, self._device, self._progress)
            adapter = begin_adapter(recipe, self._places, model).to(self._device)
        else:
            model = begin(recipe, self._places, self._progress).to(self._device).requires_grad_()
        if recipe.precision.recompute and not recipe.lora.quantised:
            recompute_layers(model)
        options = None if adapter is None else WholeStep(adapter.layer)
        return Learner(Root(model, adapter), RouterRecord(model), options)

    def _start_routers(self, model: Mixtral, train: Dataset) -> None:
        """For a new run; a run that goes on reads them from its checkpoint."""
        samples = shuffled_samples(train, self._options)
        seed = self._recipe.seed
        routers = clustered_routers(model, samples, self._device, seed, self._progress)
        set_routers(model, routers, trained=True)

    def _weights(self, learner: Learner) -> MasterWeights | ShardedWeights:
        """What is trained, spread over the ranks if there are several."""
        if self._ranks.count == 1 or learner.adapter is not None:
            if self._recipe.parallel.experts > 1:
                raise OstroError("[parallel] experts can't be shared out beside an adapter")
            weights = MasterWeights(learner.root, self._dtype, self._ranks)
            if learner.adapter is not None:
                trained = sum(weight.numel() for weight in weights.named.values())
                wanted = lora_parameters(learner.model.geometry, self._recipe.lora)
                assert trained == wanted, "an adapter that lacks a part"
            return weights
        shard(learner.root, learner.model, self._ranks, self._dtype)
        return ShardedWeights(learner.root)

    def _datasets(self) -> tuple[Dataset, Dataset | None]:
        folder = Path(self._recipe.data.folder).expanduser()
        train = open_dataset(folder / "train")
        wanted = _KINDS[self._recipe.task]
        if train.kind != wanted:
            raise OstroError(
                f"{folder} holds {train.kind}, and {self._recipe.task} learns from {wanted}; "
                f"run ostro data prepare --kind {wanted}"
            )
        has_validation = (folder / "validation").is_dir()
        return train, open_dataset(folder / "validation") if has_validation else None

    def _check_vocabulary(self, model: Mixtral, dataset: Dataset) -> None:
        path = self._places.tokenizer
        if tokenizer_hash(own_tokenizer(path).tokenizer) != dataset.tokenizer_hash:
            raise OstroError(
                f"{self._recipe.data.folder} was prepared with another tokenizer than that of "
                f"{path}; prepare it again with --tokenizer {path}"
            )
        if model.geometry.vocab_size < dataset.vocab_size:
            raise OstroError(
                f"the data have {dataset.vocab_size} tokens and the model only "
                f"{model.geometry.vocab_size}; raise model.geometry.vocab_size"
            )

    def _tasks(self, learner: Learner, loads: ExpertLoads) -> Callable[[Dataset, str], Task]:
        """Makes the recipe's task for a part of the data: ``train``, or ``validation``."""
        recipe = self._recipe
        if recipe.task == "dpo":

            def preference(dataset: Dataset, part: str) -> Task:
                reference = self._reference(learner, dataset, _REFERENCES[part])
                return PreferenceTask(learner, recipe.router, recipe.preference, reference, loads)

            return preference
        parents = self._parents(learner.model)
        return lambda dataset, part: LanguageTask(
            learner, recipe.router, parents(dataset, part), recipe.distillation, loads
        )

    def _parents(self, model: Mixtral) -> Callable[[Dataset, str], ParentRows | None]:
        """How the parent of distillation reads a part of the data; None where there is none."""
        if self._places.parent is None:
            return lambda dataset, part: None
        parent = read_parent(self._places.parent, self._dtype, self._device, self._progress)
        if parent.geometry.vocab_size != model.geometry.vocab_size:
            raise OstroError("[distillation] parent reads another vocabulary than the model")
        if not self._recipe.distillation.data:
            return lambda dataset, part: SameTokens(parent)
        own, parents = (
            Path(folder).expanduser()
            for folder in (self._recipe.data.folder, self._recipe.distillation.data)
        )

        def own_template(dataset: Dataset, part: str) -> ParentRows:
            rendered = Rendering(own / part, dataset), Rendering.open(parents / part)
            rows = OwnTemplate(parent, *rendered)
            if rows.beyond:
                self._progress.note(
                    f"{part}: the parent's data end before the model's; of the last {rows.beyond} "
                    f"of {len(dataset)} sequences it has no say"
                )
            return rows

        return own_template

    def _reference(self, learner: Learner, dataset: Dataset, name: str) -> Reference:
        if self._recipe.preference.reference == "adapter_off":
            return WithoutAdapter(learner)
        path = self._folder / name
        if not path.exists():
            found = compute_reference(learner, dataset, self._options, self._device, self._progress)
            on_first_rank(lambda: save_reference(path, found))
        return StoredReference(load_reference(path, dataset))

    def _drift(self, learner: Learner, train: Dataset) -> RoutingDrift:
        sample = next(iter(ordered_samples(train, self._options)))
        drift = RoutingDrift(learner, sample.to(self._device))
        drift.begin()
        return drift

    def _validation(
        self,
        learner: Learner,
        make_task: Callable[[Dataset, str], Task],
        dataset: Dataset | None,
    ) -> Callable[[], Figures]:
        if dataset is None:
            return dict
        recipe = self._recipe
        task = make_task(dataset, "validation")
        samples = [
            sample
            for sample, _ in zip(
                ordered_samples(dataset, self._options),
                range(recipe.validation.samples),
                strict=False,
            )
        ]
        return lambda: measure(
            learner,
            task,
            samples,
            micro_batch=recipe.data.micro_batch,
            device=self._device,
        )


def total_steps(recipe: Recipe, samples_per_epoch: int) -> int:
    """How many optimizer steps the schedule means."""
    if recipe.schedule.steps:
        return recipe.schedule.steps
    return math.ceil(recipe.schedule.epochs * samples_per_epoch / recipe.data.batch)


def check_same_run(recipe: Recipe, stored: Mapping[str, Any], folder: Path) -> None:
    """Refuse to go on with a recipe that would have led elsewhere from the beginning."""
    before = flattened(parse_recipe(stored, recipe.task, f"the recipe stored in {folder}"))
    now = flattened(recipe)
    changed = [
        f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name) and not name.startswith(_FREE)
    ]
    if changed:
        raise OstroError(
            f"{folder} holds a run of another recipe: {'; '.join(changed[:3])}. "
            "Go on with its own, or give another --out"
        )
