"""Plan a suite into cells, without importing torch or any model code."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gentex.bench.suite import Budget, Entry, Matrix, Suite
from gentex.errors import SuiteError
from gentex.registry import Found, import_path, registry


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of a suite's product, with everything that can change its result.

    References are canonical (`plugin:name`). `code` has the hash of the source of every plugin that
    takes part; `data` is the dataset's content fingerprint, followed by that of the weights that
    the feature space rests on. What gentex itself does is covered by the version in the task's
    name.
    """

    task: str
    dataset: str
    architecture: str
    seed: int
    budget: dict[str, Any]
    data: str
    code: dict[str, str]
    dataset_options: dict[str, Any] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"

    @property
    def hash(self) -> str:
        """sha256 of the cell as canonical JSON."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def dataset_label(self) -> str:
        """The dataset as a person would write it."""
        return str(Entry(name=_short(self.dataset), parameters=self.dataset_options))

    @property
    def architecture_label(self) -> str:
        """The architecture as a person would write it."""
        return str(Entry(name=_short(self.architecture), parameters=self.hyperparameters))

    def __str__(self) -> str:
        task = _short(self.task)
        return f"{task} · {self.dataset_label} · {self.architecture_label} · seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Job:
    """A cell, and what running it needs to know that does not change its result."""

    cell: Cell
    time_limit: float
    root: str | None = None
    plugin_files: tuple[str, ...] = ()


def plan(suite: Suite, *, root: Path | None = None) -> list[Job]:
    """The jobs of a suite, without repetition, seeds outermost.

    So an interrupted run has compared every architecture on the first seeds. A task's floors are
    added last, where a comparison lacks them.
    """
    fingerprints: dict[tuple[str, str], str] = {}
    codes: dict[str, str] = {}
    jobs: dict[str, Job] = {}
    for matrix in [*suite.matrix, *_floors(suite)]:
        for seed, dataset, architecture in itertools.product(
            matrix.seeds, matrix.datasets, matrix.architectures
        ):
            job = _job(matrix, seed, dataset, architecture, root, fingerprints, codes)
            jobs.setdefault(job.cell.hash, job)
    return list(jobs.values())


def _floors(suite: Suite) -> list[Matrix]:
    """The floors of each task in the comparisons of a suite that lack them, on one seed."""
    there = {
        (_comparison(matrix, dataset), architecture.name.rpartition(":")[2])
        for matrix in suite.matrix
        for dataset in matrix.datasets
        for architecture in matrix.architectures
    }
    installed = registry().names("architecture")
    missing: list[Matrix] = []
    for matrix in suite.matrix:
        floors = registry().resolve("task", matrix.task).card.floors
        for dataset, floor in itertools.product(matrix.datasets, floors):
            key = _comparison(matrix, dataset), floor
            if floor in installed and key not in there:
                there.add(key)
                fields = {
                    "datasets": (dataset,),
                    "architectures": (Entry(name=floor),),
                    "seeds": matrix.seeds[:1],
                    "budget": Budget(steps=0),
                    "training": {},
                }
                missing.append(matrix.model_copy(update=fields))
    return missing


def _comparison(matrix: Matrix, dataset: Entry) -> str:
    return json.dumps([matrix.task, str(dataset), matrix.options], sort_keys=True, default=str)


def _job(
    matrix: Matrix,
    seed: int,
    dataset: Entry,
    architecture: Entry,
    root: Path | None,
    fingerprints: dict[tuple[str, str], str],
    codes: dict[str, str],
) -> Job:
    task = registry().resolve("task", matrix.task)
    data = registry().resolve("dataset", dataset.name)
    model = registry().resolve("architecture", architecture.name)
    wanted = [i for i in task.card.interfaces if i not in model.card.interfaces]
    if wanted:
        raise SuiteError(
            f"{architecture.name!r} is no {wanted[0]}, which {matrix.task!r} compares "
            f"(it is: {', '.join(model.card.interfaces)})"
        )
    space = _feature_space(matrix)
    rests_on = [data] if space is None or not space.card.fingerprint else [data, space]
    for found in rests_on:
        if (found.card.target, found.argument) not in fingerprints:
            fingerprints[found.card.target, found.argument] = _fingerprint(found, root)
    taking_part = [found for found in (task, data, model, space) if found is not None]
    outside = [found for found in taking_part if found.plugin.name != "gentex"]
    for found in outside:
        if found.plugin.name not in codes:
            codes[found.plugin.name] = found.plugin.code_hash()
    cell = Cell(
        task=task.reference,
        dataset=data.reference,
        dataset_options=dataset.parameters,
        architecture=model.reference,
        hyperparameters=architecture.parameters,
        seed=seed,
        budget=matrix.budget.model_dump(exclude_none=True),
        training=matrix.training,
        options=matrix.options,
        device=matrix.device,
        data=" ".join(fingerprints[found.card.target, found.argument] for found in rests_on),
        code={found.plugin.name: codes[found.plugin.name] for found in outside},
    )
    files = tuple(str(p.file) for p in registry().plugins if p.file is not None)
    return Job(cell, matrix.time_limit, None if root is None else str(root.resolve()), files)


def _feature_space(matrix: Matrix) -> Found | None:
    """The feature space that the option `features` of a task names."""
    name = matrix.options.get("features")
    return registry().resolve("features", name) if isinstance(name, str) else None


def _fingerprint(found: Found, root: Path | None) -> str:
    if not found.card.fingerprint:
        # The plugin's own code, which is hashed beside it, is all there is to go by.
        return "none"
    function: Callable[[str, Path | None], str] = import_path(
        found.card.fingerprint, f"the fingerprint of {found.reference!r}"
    )
    return function(found.argument, root)


def _short(reference: str) -> str:
    """`dcgan` for `gan:dcgan`, `folder:PATH` for `gentex:folder:PATH`."""
    return reference.partition(":")[2]
