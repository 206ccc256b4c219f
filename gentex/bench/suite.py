"""Suites: which tasks, datasets, architectures, seeds and budget are compared.

A suite is a TOML file of one or more matrices; a matrix is the product of its lists:

    summary = "Two GANs on digits"

    [[matrix]]
    task = "generation@1"
    datasets = ["digits", { name = "folder:photos", size = 64 }]
    architectures = ["dcgan", "dcgan[width=32]"]
    seeds = [0, 1, 2]
    budget = { steps = 1000 }
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gentex.errors import SuiteError, closest, unknown

_ENTRY = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<parameters>.*)\])?", re.DOTALL)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Strict):
    """A named thing with its parameters: `dcgan[width=32]`."""

    name: str
    parameters: dict[str, Any] = {}

    def __str__(self) -> str:
        listed = ",".join(f"{key}={_shown(value)}" for key, value in self.parameters.items())
        return f"{self.name}[{listed}]" if listed else self.name


def parse_entry(value: Any) -> Any:
    """An Entry from `"name"`, `"name[key=value,...]"` or `{name = ..., key = value, ...}`."""
    if isinstance(value, dict) and "name" in value:
        return Entry(name=value["name"], parameters={k: v for k, v in value.items() if k != "name"})
    if not isinstance(value, str):
        return value
    match = _ENTRY.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not of the form name[key=value,...]")
    parameters = match["parameters"]
    return Entry(name=match["name"], parameters=parse_parameters(parameters) if parameters else {})


def parse_parameters(text: str) -> dict[str, Any]:
    """`width=32, activation=relu` as a dictionary; values are TOML, else plain strings."""
    parsed: dict[str, Any] = {}
    for part in re.split(r",(?![^\[(]*[\])])(?=\s*\w+\s*=)", text):
        key, equals, value = part.partition("=")
        if not equals or not key.strip().isidentifier():
            raise ValueError(f"{part.strip()!r} is not of the form key=value")
        try:
            parsed[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed[key.strip()] = value.strip()
    return parsed


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Budget(_Strict):
    """How long an architecture trains: until the first of these is spent."""

    steps: Annotated[int, Field(ge=0)] | None = None
    images: Annotated[int, Field(ge=0)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None

    def __str__(self) -> str:
        given = self.model_dump(exclude_none=True)
        return ", ".join(f"{value:g} {unit}" for unit, value in given.items())


_UNITS = {"s": "seconds", "sec": "seconds", "step": "steps", "image": "images"}


def parse_budget(value: Any) -> Any:
    """A Budget from `"500steps"`, `"60s"`, `"20000 images"`, several joined by commas."""
    if not isinstance(value, str):
        return value
    fields: dict[str, float] = {}
    for part in value.split(","):
        match = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]+)\s*", part)
        unit = _UNITS.get(match[2], match[2]) if match else ""
        if match is None or unit not in Budget.model_fields:
            raise ValueError(f"budget {part.strip()!r}: say it as 500steps, 20000images or 60s")
        fields[unit] = float(match[1])
    return fields


def parse_seeds(value: Any) -> Any:
    """Seeds from a list, or from `"0,1,2"` or `"0-4"`."""
    if not isinstance(value, str):
        return value
    seeds: list[int] = []
    for part in value.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None:
            raise ValueError(f"seeds {part.strip()!r}: say them as 0,1,2 or 0-4")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return seeds


Entries = Annotated[tuple[Annotated[Entry, BeforeValidator(parse_entry)], ...], Field(min_length=1)]


class Matrix(_Strict):
    """A product of datasets, architectures and seeds under one task and budget."""

    task: str = "generation@1"
    datasets: Entries = (Entry(name="photo-textures"),)
    architectures: Entries
    seeds: Annotated[tuple[int, ...], BeforeValidator(parse_seeds), Field(min_length=1)] = (0,)
    budget: Annotated[Budget, BeforeValidator(parse_budget)] = Budget(steps=500)
    training: dict[str, Any] = {}
    """Keywords of `gentex.train`: batch_size, precision, ema, ..."""
    options: dict[str, Any] = {}
    """Keywords of the task."""
    device: str = "auto"
    time_limit: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds after which a cell is stopped and counted as failed."""


class Suite(_Strict):
    """What one call of the harness compares."""

    name: str
    summary: str = ""
    matrix: Annotated[tuple[Matrix, ...], Field(min_length=1)]


def make_suite(name: str, content: dict[str, Any]) -> Suite:
    """A suite from parsed TOML or from the command line; SuiteError says what is wrong in it."""
    try:
        return Suite(**{"name": name, **content})
    except pydantic.ValidationError as error:
        raise SuiteError("\n".join(_problem(name, item) for item in error.errors())) from None


def packaged_suites() -> list[Suite]:
    """The suites that gentex brings."""
    return [_parse(name, entry.read_text("utf-8")) for name, entry in sorted(_packaged().items())]


def find_suite(reference: str) -> Suite:
    """A suite by the path of its file, or by name among those that gentex brings."""
    packaged = _packaged()
    if reference in packaged:
        return _parse(reference, packaged[reference].read_text("utf-8"))
    path = Path(reference)
    if path.suffix != ".toml":
        raise unknown("suite", reference, packaged)
    try:
        return _parse(path.stem, path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"suite {reference!r} cannot be read: {error}") from None


def _packaged() -> dict[str, Traversable]:
    folder = resources.files("gentex.bench").joinpath("suites")
    return {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir()}


def _parse(name: str, text: str) -> Suite:
    try:
        return make_suite(name, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"suite {name!r} is not TOML: {error}") from None


def _problem(name: str, item: Any) -> str:
    path = [str(part) for part in item["loc"]]
    where = f"suite {name!r}: {'.'.join(path)}"
    if item["type"] == "extra_forbidden":
        known = Budget if "budget" in path else Matrix if path[0] == "matrix" else Suite
        return f"{where}: no such key{closest(path[-1], known.model_fields)}"
    return f"{where}: {item['msg'].removeprefix('Value error, ')}"
