"""A saved model comes back as it was; a folder that is none is refused in words, and never run."""

import contextlib
import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import gentex
from gentex import GentexError, errors

IMAGE = (3, 8, 8)


@pytest.fixture(autouse=True)
def _architectures(site):
    site.registry().add_file(Path(__file__).with_name("assorted_plugin.py"))


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = ({**dict(m.named_parameters()), **dict(m.named_buffers())} for m in (one, other))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def edit(folder: Path, change: object) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def test_round_trip(tmp_path):
    model = gentex.create("small", image=IMAGE, width=6, betas=(0.1, 0.2), seed=3)
    model.net(torch.rand(4, *IMAGE))  # moves the running statistics
    folder = gentex.save(model, tmp_path / "a" / "b")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert not {"window"} & load_file(folder / "model.safetensors").keys()
    torch.manual_seed(4)
    before = torch.get_rng_state()
    loaded = gentex.load(folder)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(model, loaded)
    assert loaded.values == model.values
    assert loaded.config == model.config
    assert not loaded.training


def test_saved_twice_the_folder_holds_the_second(tmp_path):
    gentex.save(gentex.create("tied", image=IMAGE), tmp_path)
    second = gentex.create("small", image=IMAGE)
    assert same(gentex.load(gentex.save(second, tmp_path)), second)


def test_tied_weights_stay_tied(tmp_path):
    model = gentex.create("tied", image=IMAGE, seed=1)
    assert model.one.weight is model.other.weight
    loaded = gentex.load(gentex.save(model, tmp_path))
    assert loaded.one.weight is loaded.other.weight
    assert same(model, loaded)


def test_the_same_model_gives_the_same_files(tmp_path):
    model = gentex.create("small", image=IMAGE, seed=1)
    one, other = gentex.save(model, tmp_path / "1"), gentex.save(model, tmp_path / "2")
    for name in ("config.json", "model.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_only_what_create_made_can_be_saved(tmp_path):
    with pytest.raises(errors.CheckpointError, match=r"not made by gentex\.create"):
        gentex.save(torch.nn.Linear(1, 1), tmp_path)


def test_only_data_can_be_saved(tmp_path):
    with pytest.raises(errors.CheckpointError, match="Extra: state '_extra_state' is no tensor"):
        gentex.save(gentex.create("extra", image=IMAGE), tmp_path / "a")
    model = gentex.create("opaque", image=IMAGE, thing=object())
    with pytest.raises(errors.CheckpointError, match=r"Opaque: its hyperparameters: .*JSON"):
        gentex.save(model, tmp_path / "b")
    assert not (tmp_path / "a").exists()  # and nothing is left half written
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("present", [[], ["config.json"], ["model.safetensors"]])
def test_a_folder_that_is_no_saved_model(tmp_path, present):
    folder = gentex.save(gentex.create("small", image=IMAGE), tmp_path / "model")
    for path in folder.iterdir():
        if path.name not in present:
            path.unlink()
    missing = "model.safetensors" if present == ["config.json"] else "config.json"
    with pytest.raises(errors.CheckpointError, match=f"no saved model in .*no {missing}"):
        gentex.load(folder)


def test_paths_that_are_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "nothing", tmp_path / "file"):
        with pytest.raises(errors.CheckpointError):
            gentex.load(path)
    (tmp_path / "config.json").mkdir()
    with pytest.raises(errors.CheckpointError):
        gentex.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}', b"1" * 9999],
    ids=lambda content: ascii(content[:12]),
)
def test_a_config_that_is_no_config(tmp_path, content):
    gentex.save(gentex.create("small", image=IMAGE), tmp_path)
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(errors.CheckpointError, match=r"config\.json: "):
        gentex.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("format", 2, errors.CheckpointError),
        ("format", None, errors.CheckpointError),
        ("architecture", 5, errors.CheckpointError),
        ("architecture", None, errors.CheckpointError),
        ("architecture", ["assorted_plugin:small"], errors.CheckpointError),
        ("architecture", "assorted_plugin:nothing", errors.UnknownNameError),
        ("architecture", "../../assorted_plugin", errors.UnknownNameError),
        ("architecture", "/etc/passwd", errors.UnknownNameError),
        ("architecture", "os:system", errors.UnknownNameError),
        ("architecture", "assorted_plugin:small:echo", errors.UnknownNameError),
        ("architecture", "", errors.UnknownNameError),
        ("architecture", "tied", errors.HyperparameterError),
        ("image", 5, errors.CheckpointError),
        ("image", [3, 8], errors.CheckpointError),
        ("image", [3, 8, "x"], errors.CheckpointError),
        ("image", {"channels": 3}, errors.CheckpointError),
        ("image", [-3, 8, 8], errors.HyperparameterError),
        ("image", [5, 8, 8], errors.CheckpointError),
        ("image", [10**30, 8, 8], errors.CheckpointError),
        ("hyperparameters", None, errors.CheckpointError),
        ("hyperparameters", [["width", 4]], errors.CheckpointError),
        ("hyperparameters", {"width": 5}, errors.CheckpointError),
        ("hyperparameters", {"width": 10**15}, errors.CheckpointError),
        ("hyperparameters", {"width": 10**40}, errors.CheckpointError),
        ("hyperparameters", {"width": 1e308}, errors.HyperparameterError),
        ("hyperparameters", {"width": {"__reduce__": "os.system"}}, errors.HyperparameterError),
        ("hyperparameters", {"__class__": "x"}, errors.HyperparameterError),
    ],
    ids=str,
)
def test_a_config_with_anything_in_it(tmp_path, key, value, error):
    gentex.save(gentex.create("small", image=IMAGE), tmp_path)
    edit(tmp_path, lambda config: config.update({key: value}))
    with pytest.raises(error):
        gentex.load(tmp_path)


@pytest.mark.parametrize("name", ["image", "self", "seed", "architecture", "plugin", "args"])
def test_what_is_no_hyperparameter_is_not_taken_for_one(name, tmp_path):
    gentex.save(gentex.create("small", image=IMAGE), tmp_path)
    edit(tmp_path, lambda config: config["hyperparameters"].update({name: 3}))
    with pytest.raises(errors.HyperparameterError, match=f"no hyperparameter '{name}'"):
        gentex.load(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(key=st.sampled_from(["format", "architecture", "image", "hyperparameters"]), data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_config_holds_loading_ends_in_words(tmp_path, key, data):
    value = data.draw(json_values)
    gentex.save(gentex.create("small", image=IMAGE), tmp_path)
    edit(tmp_path, lambda config: config.update({key: value}))
    with contextlib.suppress(GentexError):
        gentex.load(tmp_path)


def test_a_network_far_larger_than_its_weights_is_not_even_built(tmp_path):
    gentex.save(gentex.create("small", image=IMAGE), tmp_path)
    edit(tmp_path, lambda config: config.update({"image": [50_000_000, 8, 8]}))
    with pytest.raises(errors.CheckpointError, match=r"bytes where .* asks for \d{9,}"):
        gentex.load(tmp_path)


def pickled(path: Path) -> bytes:
    class Attack:
        def __reduce__(self) -> tuple:
            return (Path.touch, (path / "executed",))

    return pickle.dumps(Attack())


@pytest.mark.parametrize(
    "spoil",
    {
        "empty": lambda data, _: b"",
        "truncated header": lambda data, _: data[:20],
        "truncated data": lambda data, _: data[:-10],
        "longer": lambda data, _: data + b"more",
        "huge header": lambda data, _: b"\xff" * 8 + data[8:],
        "garbled header": lambda data, _: data[:9] + b"}" + data[10:],
        "offsets": lambda data, _: data.replace(b'"data_offsets":[0,', b'"data_offsets":[9,'),
        "pickle": lambda data, path: pickled(path),
        "zip": lambda data, path: b"PK\x03\x04" + pickled(path),
    }.values(),
)
def test_spoilt_weights(tmp_path, spoil):
    folder = gentex.save(gentex.create("small", image=IMAGE), tmp_path / "model")
    path = folder / "model.safetensors"
    path.write_bytes(spoil(path.read_bytes(), tmp_path))
    with pytest.raises(errors.CheckpointError, match=r"model\.safetensors does not fit"):
        gentex.load(folder)
    assert not (tmp_path / "executed").exists()


def test_a_pickle_by_torch_is_no_saved_model(tmp_path):
    model = gentex.create("small", image=IMAGE)
    torch.save(model.state_dict(), gentex.save(model, tmp_path) / "model.safetensors")
    with pytest.raises(errors.CheckpointError):
        gentex.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("net.0.bias"), r"Missing key.*net\.0\.bias"),
        (lambda state: state.update(other=torch.zeros(1)), "Unexpected key.*other"),
        (lambda state: state.update({"net.0.bias": torch.zeros(9)}), r"size mismatch for net\.0\."),
        (lambda state: state.update(window=torch.zeros(4)), "Unexpected key.*window"),
    ],
)
def test_weights_of_another_model(tmp_path, change, message):
    gentex.save(gentex.create("small", image=IMAGE), tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    change(state)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(errors.CheckpointError) as raised:
        gentex.load(tmp_path)
    assert re.search(message, str(raised.value), re.DOTALL)
    assert "assorted_plugin:small" in str(raised.value)


def test_weights_that_are_a_folder(tmp_path):
    gentex.save(gentex.create("small", image=IMAGE), tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(errors.CheckpointError):
        gentex.load(tmp_path)


def test_a_model_whose_plugin_is_not_here(tmp_path, site):
    gentex.save(gentex.create("small", image=IMAGE), tmp_path)
    site.registry()
    with pytest.raises(errors.UnknownNameError, match="no architecture 'assorted_plugin:small'"):
        gentex.load(tmp_path)
