"""Plugins in a file, a script or a notebook; and the hash of what a plugin consists of."""

import pytest

import gentex
from gentex import errors
from gentex.registry import import_target

LOCAL = """
import torch
import gentex

@gentex.register("my-gan", tags=["mine"])
class MyGAN(gentex.Generator):
    '''Black images.

    More of it.
    '''

    def __init__(self, image: gentex.ImageShape, *, width: int = {width}) -> None:
        super().__init__()
        self.image, self.width = image, width

    def sample(self, n, *, rng=None, condition=None):
        return torch.zeros(n, *self.image)
"""


def test_a_local_file(site):
    made = site.registry()
    path = site.file("my_gan.py", LOCAL.format(width=3))
    plugin = made.add_file(path)
    assert made.add_file(path) is plugin  # once is enough
    found = made.resolve("architecture", "my_gan:my-gan")
    assert found.card.interfaces == ("generator",)
    assert found.card.summary == "Black images."
    assert found.card.tags == ("mine",)
    model = gentex.create("my-gan", image=(1, 4, 4))
    assert model.sample(2).shape == (2, 1, 4, 4)
    assert model.config["architecture"] == "my_gan:my-gan"


@pytest.mark.parametrize("name", ["my-gan.py", "my gan.py", "2gan.py", "gän.py", "class.py"])
def test_a_local_file_may_have_any_name(site, name):
    made = site.registry()
    made.add_file(site.file(name, LOCAL.format(width=3)))
    assert made.resolve("architecture", f"{name[:-3]}:my-gan").plugin.file.name == name


def test_files_with_almost_the_same_name_do_not_mix(site):
    made = site.registry()
    for name, width in (("a-b.py", 3), ("a_b.py", 4)):
        made.add_file(site.file(name, LOCAL.format(width=width)))
    assert gentex.create("a-b:my-gan", image=(1, 4, 4)).width == 3
    assert gentex.create("a_b:my-gan", image=(1, 4, 4)).width == 4


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import gentex\n\n1 / 0\n", r"ZeroDivisionError: division by zero \(line 3\)"),
        ("x = (\n", r"SyntaxError: .*line 1\)"),
        ("x = 3\n", "it contributes nothing"),
        ("import gentex\n@gentex.register('g')\nclass G: ...\n", r"names its interfaces \(line"),
        (
            "import gentex\n@gentex.register('Bad Name', kind='metric')\ndef m(): ...\n",
            r"card name 'Bad Name'.*\(line",
        ),
    ],
)
def test_an_error_in_a_local_file_names_the_line(site, code, reason):
    made = site.registry()
    rows = len(made.plugins)
    with pytest.raises(errors.PluginError, match=rf"plugin file .*mine\.py: .*{reason}"):
        made.add_file(site.file("mine.py", code))
    assert len(made.plugins) == rows
    made.add_file(site.file("mine.py", LOCAL.format(width=1)))  # mended


def test_a_local_file_that_is_not_there(site, tmp_path):
    for path in (tmp_path / "nothing.py", tmp_path):
        with pytest.raises(errors.PluginError, match="no plugin file"):
            site.registry().add_file(path)


def test_a_local_file_with_the_name_of_a_plugin(site):
    site.install("mine", cards=("a",))
    with pytest.raises(errors.PluginError, match=r"name 'mine' is taken by mine"):
        site.registry().add_file(site.file("mine.py", LOCAL.format(width=1)))


SCRIPT = """
import gentex
from gentex.registry import import_target, registry

for cell in (1, 2):
    @gentex.register("fidget", kind="metric")
    def fidget(cell=cell):
        return cell
    print(import_target(registry().resolve("metric", "fidget"))())
print(registry().resolve("metric", "fidget").reference)
print([name for name in registry().names("metric") if "fidget" in name])
"""


@pytest.mark.parametrize("way", ["script", "notebook"])
def test_register_in_a_script_and_in_a_notebook_cell_run_again(python, site, way):
    """The last definition counts, and the name stays one name."""
    result = python(site.file("script.py", SCRIPT)) if way == "script" else python("-c", SCRIPT)
    assert result.stdout.splitlines() == ["1", "2", f"{way}:fidget", "['fidget']"], result.stderr


def test_a_script_with_the_name_of_a_plugin_is_told_so(python, site):
    site.install("mine", cards=("a",))
    result = python(site.file("mine.py", SCRIPT))
    assert "the plugin name 'mine' is taken by mine" in result.stderr


def test_a_class_of_that_name_is_not_yet_the_interface(site):
    site.registry()
    with pytest.raises(ValueError, match="names its interfaces"):
        gentex.register("x")(type("Encoder", (), {}))


def test_register_takes_the_fields_of_a_card(site):
    made = site.registry()

    @gentex.register("m@2", kind="metric", direction="lower", unit="dB", interfaces=["encoder"])
    def measure() -> None:
        """Nothing.

        Really.
        """

    card = made.resolve("metric", "m@2").card
    assert (card.summary, card.direction, card.unit) == ("Nothing.", "lower", "dB")
    assert import_target(made.resolve("metric", "m@2")) is measure


# What can change a result


def test_the_code_hash_covers_every_file_of_a_package(site):
    package = site.folder / "packed"
    (package / "3d").mkdir(parents=True)
    site.install("packed", cards=("a",))
    (site.folder / "packed.py").rename(package / "__init__.py")
    (package / "3d" / "deep.py").write_text("x = 1")
    plugin = site.rows()["packed"]
    assert set(plugin.sources()) == {"__init__.py", "3d/deep.py"}
    before = plugin.code_hash()
    assert plugin.code_hash() == before
    (package / "3d" / "deep.py").write_text("x = 2")
    changed = plugin.code_hash()
    assert changed != before
    (package / "3d" / "deep.py").rename(package / "3d" / "deeper.py")
    renamed = plugin.code_hash()
    assert renamed not in (before, changed)
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "deep.cpython.pyc").write_bytes(b"compiled")
    assert plugin.code_hash() == renamed
    (package / "3d" / "net.safetensors").write_bytes(b"weights")
    assert plugin.code_hash() not in (before, changed, renamed)


@pytest.mark.parametrize("kind", ["module", "file", "namespace"])
def test_the_code_hash_covers_other_forms_of_plugins(site, kind):
    if kind == "file":
        path = site.file("mine.py", LOCAL.format(width=1))
        plugin = site.registry().add_file(path)
    elif kind == "module":
        site.install("mine", cards=("a",))
        path, plugin = site.folder / "mine.py", site.rows()["mine"]
    else:
        site.install("mine", cards=("a",), entry_points="[gentex]\nmine = space.mine\n")
        path = site.folder / "space" / "mine.py"
        path.parent.mkdir()
        (site.folder / "mine.py").rename(path)
        plugin = site.rows()["mine"]
    assert plugin.status == "ok"
    before = plugin.code_hash()
    path.write_text(path.read_text() + "\n# changed\n")
    assert plugin.code_hash() != before
