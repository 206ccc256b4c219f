"""Create, save and load architectures by name."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import pydantic
import safetensors
import torch
from safetensors.torch import load_file, save_file

from gentex import interfaces
from gentex.errors import CheckpointError, GentexError, HyperparameterError, PluginError, closest
from gentex.interfaces import ImageShape, Trainable
from gentex.layout import channels_last
from gentex.registry import Found, import_target, registry
from gentex.seeding import seeded

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MARGIN = 1 << 24
"""Bytes by which a network may be larger than its weights without a closer look."""


def create(
    architecture: str,
    *,
    image: ImageShape | Sequence[int],
    seed: int | None = None,
    **hyperparameters: Any,
) -> Any:
    """Build an architecture by name: `create("dcgan", image=ImageShape(3, 32, 32), width=64)`.

    image: the shape of the data, (channels, height, width).
    seed: makes the initial weights a function of the seed alone; torch's global random state is
        left as it was. None draws them from that state.
    hyperparameters: the keyword arguments of the architecture's constructor.

    Returns the model, in training mode, on the CPU. Its `config` says how it was built.

    Raises UnknownNameError for a name and HyperparameterError for a keyword or value that is not
    allowed, both naming what is.
    """
    return _build(registry().resolve("architecture", architecture), image, hyperparameters, seed)


def hyperparameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What can be given by keyword, from the signature: all but a first positional parameter.

    That first one is the image shape for an architecture, and the work for a task.
    """
    parameters = list(inspect.signature(target).parameters.values())
    if parameters and parameters[0].kind is not inspect.Parameter.KEYWORD_ONLY:
        parameters = parameters[1:]
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {parameter.name: parameter for parameter in parameters if parameter.kind in named}


def defaults(cls: Callable[..., Any]) -> dict[str, Any]:
    """The default of every hyperparameter that has one."""
    return {
        name: parameter.default
        for name, parameter in hyperparameters(cls).items()
        if parameter.default is not parameter.empty
    }


def check_hyperparameters(target: Any, values: dict[str, Any], name: str) -> dict[str, Any]:
    """`values` with the types that the signature of `target` says, or HyperparameterError."""
    accepted = hyperparameters(target)
    for key in values:
        if key not in accepted:
            listed = ", ".join(accepted) or "none"
            hint = closest(key, accepted) if accepted else ""
            hint = hint if hint.startswith("; did") else ""
            raise HyperparameterError(
                f"{name} has no hyperparameter {key!r}{hint} (accepted: {listed})"
            )
    missing = [k for k, p in accepted.items() if p.default is p.empty and k not in values]
    if missing:
        raise HyperparameterError(f"{name} needs the hyperparameter {missing[0]!r}")
    init = target.__init__ if inspect.isclass(target) else target
    try:
        hints = typing.get_type_hints(init, include_extras=True)
    except Exception as error:
        raise PluginError(f"{name}: the types in its signature cannot be read: {error}") from error
    return {key: _coerced(value, hints.get(key), f"{name}: {key}") for key, value in values.items()}


def save(model: Trainable, path: str | Path) -> Path:
    """Save a model that `create` made as a folder of `config.json` and `model.safetensors`."""
    if not hasattr(model, "config"):
        raise CheckpointError(
            f"{type(model).__name__} was not made by gentex.create: how to rebuild it is not known"
        )
    state = model.state_dict()
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise CheckpointError(f"{type(model).__name__}: state {name!r} is no tensor")
    try:
        text = json.dumps({"format": 1, **model.config}, indent=2)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{type(model).__name__}: its hyperparameters: {error}") from None
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    # Copies, as safetensors takes no tied weights, and no layout but the usual one.
    usual = torch.contiguous_format
    state = {n: v.to("cpu", copy=True, memory_format=usual) for n, v in state.items()}
    save_file(state, folder / WEIGHTS)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
    return folder


def load(path: str | Path, *, device: str | torch.device = "cpu") -> Any:
    """Rebuild a saved model, in evaluation mode, on `device`.

    The folder holds data only: its architecture is looked up among the plugins that are installed
    here, and nothing in it is executed.
    """
    folder = Path(path)
    try:
        config = _Config.model_validate_json((folder / CONFIG).read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"no saved model in {str(path)!r}: it has no {CONFIG}") from None
    except OSError as error:
        raise CheckpointError(f"{folder / CONFIG} cannot be read: {error}") from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise CheckpointError(f"{folder / CONFIG}: {where}: {first['msg']}") from None
    reference = config.architecture
    found = registry().resolve("architecture", reference)
    _check_size(found, config, folder)
    try:
        # A seed, so that the weights that are about to be replaced cost no global random numbers.
        model = _build(found, config.image, config.hyperparameters, seed=0)
    except GentexError:
        raise
    except Exception as error:  # a value of the right type that no network can be built with
        raise CheckpointError(f"{folder / CONFIG}: no {reference!r} like that: {error}") from error
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except FileNotFoundError:
        raise CheckpointError(f"no saved model in {str(path)!r}: it has no {WEIGHTS}") from None
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{folder / WEIGHTS} does not fit {reference!r}: {error}") from None
    return model.to(device).eval()


class _Config(pydantic.BaseModel):
    """What `config.json` must hold."""

    format: Literal[1]
    architecture: str
    image: tuple[int, int, int]
    hyperparameters: dict[str, Any]


def _check_size(found: Found, config: _Config, folder: Path) -> None:
    """Refuse, before anything is allocated, a network many times larger than its weights.

    It is built without storage; where that does not go, it is left to the allocator to refuse it.
    """
    try:
        with torch.device("meta"):
            model = _build(found, config.image, config.hyperparameters, seed=0)
        needed = sum(t.numel() * t.element_size() for t in model.state_dict().values())
        there = (folder / WEIGHTS).stat().st_size
    except Exception:
        return
    if needed > 16 * there + MARGIN:
        raise CheckpointError(
            f"{folder / WEIGHTS} does not fit {config.architecture!r}: it has {there} bytes where "
            f"{folder / CONFIG} asks for {needed}"
        )


def _build(
    found: Found, image: Sequence[int], hyperparameters: dict[str, Any], seed: int | None
) -> Trainable:
    cls = _model_class(found)
    shape = _image_shape(image)
    values = check_hyperparameters(cls, hyperparameters, found.card.name)
    with seeded(seed):
        model = cls(shape, **values)
    # The layout that training is fastest in, from the start: another one rounds differently.
    channels_last(model)
    model.config = {
        "architecture": found.reference,
        "plugin": {"distribution": found.plugin.distribution, "version": found.plugin.version},
        "image": list(shape),
        "hyperparameters": {**defaults(cls), **values},
    }
    return model


def _model_class(found: Found) -> type[Trainable]:
    cls = import_target(found)
    for name in found.card.interfaces:
        interface = getattr(interfaces, name.capitalize())
        if not (inspect.isclass(cls) and issubclass(cls, interface)):
            raise PluginError(f"{found.reference}: {found.card.target} is no {interface.__name__}")
    if missing := getattr(cls, "__abstractmethods__", None):
        raise PluginError(f"{found.reference}: {cls.__name__} lacks {', '.join(sorted(missing))}()")
    return cast(type[Trainable], cls)


def _image_shape(image: ImageShape | Sequence[int]) -> ImageShape:
    sides = tuple(image) if isinstance(image, Iterable) else ()
    if len(sides) != 3 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise HyperparameterError(
            f"image={image!r}: an ImageShape(channels, height, width) of positive numbers is wanted"
        )
    return ImageShape(*sides)


def _coerced(value: Any, annotation: Any, where: str) -> Any:
    if annotation is None:
        return value
    try:
        return pydantic.TypeAdapter(annotation).validate_python(value)
    except pydantic.errors.PydanticSchemaGenerationError:
        return value  # a type that only the constructor can judge
    except pydantic.ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise HyperparameterError(f"{where}={value!r}: {reason}") from None
