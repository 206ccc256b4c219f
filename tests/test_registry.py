"""Plugins are found one by one, whatever their neighbours do; names resolve or say why not."""

import importlib.metadata
import json
import re
import sys

import pytest

import gentex
from gentex import Card, errors
from gentex.installed import entry_points, satisfied
from gentex.registry import Found, Plugin, import_target, registry

HOOK = """
import gentex

@gentex.hookimpl
def gentex_cards({parameters}):
    {body}
"""
MODEL = 'gentex.Card("model", "a:B", "…", interfaces=("generator",))'


def hook(body: str, parameters: str = "") -> str:
    return HOOK.format(body=body, parameters=parameters)


BROKEN = {
    "import-error": ("import no_such_module", "ModuleNotFoundError: .*'no_such_module'"),
    "syntax-error": ("def broken(:", r"SyntaxError: invalid syntax \(.*\.py, line 1\)"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "interpreter-level": ("class Odd(BaseException): ...\nraise Odd('no')", "Odd: no"),
    "signature": (hook(f"return [{MODEL}]", "registry"), "PluginValidationError: "),
    "hook-raises": (hook("return 1 / 0"), "ZeroDivisionError: division by zero"),
    "generator-raises": (hook(f"yield {MODEL}; 1 / 0"), "ZeroDivisionError"),
    "no-cards": (hook("return ['model']"), "gentex_cards gave a str, not a gentex.Card"),
    "one-card": (hook(f"return {MODEL}"), "gentex_cards gave a Card, not a list"),
    "none": (hook("pass"), "gentex_cards gave a NoneType, not a list"),
    "nothing": ("", "it contributes nothing"),
    "empty": (hook("return []"), "it contributes nothing"),
    "twice": (hook(f"return [{MODEL}, {MODEL}]"), "names twice: architecture 'model'"),
    "bad-card": (
        hook("return [gentex.Card('Bad Name', 'a:B', '…')]"),
        "ValueError: card name 'Bad Name'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_a_row_with_a_reason(site, case):
    code, reason = BROKEN[case]
    site.install("broken", code)
    site.install("aaa-good", cards=("first",))
    site.install("zzz-good", cards=("last",))
    rows = site.rows()
    assert (rows["broken"].status, rows["broken"].cards) == ("broken", [])
    assert re.match(f".*{reason}", rows["broken"].reason)
    assert [rows[name].status for name in ("aaa-good", "zzz-good")] == ["ok", "ok"]
    assert {"first", "last"} <= set(gentex.list_architectures())
    with pytest.raises(errors.UnknownNameError, match=f"broken is broken: .*{reason}"):
        registry().resolve("architecture", "nothing-like-it")
    with pytest.raises(errors.UnknownNameError, match="broken is broken"):
        registry().resolve("architecture", "broken:model")


def test_ctrl_c_while_plugins_load_is_no_broken_plugin(site):
    site.install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        site.registry()


def test_two_distributions_with_one_plugin_name(site):
    site.install("first", cards=("a",), plugin="same")
    site.install("second", cards=("b",), plugin="same")
    rows = site.rows()
    assert rows["first"].status == "ok"
    assert rows["second"].status == "shadowed"
    assert rows["second"].reason == "the plugin name 'same' is taken by first"
    assert gentex.list_architectures("[ab]") == ["a"]


def test_two_entry_points_of_one_distribution_with_one_name(site):
    site.install("twin", cards=("a",), entry_points="[gentex]\nsame = twin\nsame = twin_other\n")
    statuses = [p.status for p in site.registry().plugins if p.distribution == "twin"]
    assert statuses == ["ok", "shadowed"]


def test_nobody_takes_the_name_of_the_core(site):
    site.install("impostor", cards=("a",), plugin="gentex")
    assert site.rows()["impostor"].status == "shadowed"


def test_of_a_distribution_twice_on_the_path_the_first_counts(site, tmp_path, monkeypatch):
    site.install("twice", cards=("a",))
    older = tmp_path / "older" / "Twice-0.9.dist-info"
    older.mkdir(parents=True)
    (older / "METADATA").write_text("Name: Twice\nVersion: 0.9\n")
    (older / "entry_points.txt").write_text("[gentex]\ntwice = twice\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(older.parent), str(site.folder)])
    found = [p for p in site.registry().plugins if p.distribution.lower() == "twice"]
    assert [(p.status, p.version) for p in found] == [("ok", "1.0")]


@pytest.mark.parametrize(
    ("requirement", "status"),
    [
        ("gentex>=999", "incompatible"),
        ("gentex<0.0.1", "incompatible"),
        ("gentex (>=999)", "incompatible"),
        ("gentex[testing]>=999", "incompatible"),
        ("Gentex ~= 999.0", "incompatible"),
        ("gentex ?? 3", "incompatible"),
        ("gentex", "ok"),
        ("gentex>=0.0.1", "ok"),
        ("gentex>=0.0.1,<999", "ok"),
        ("gentex>=999; extra == 'everything'", "ok"),
        ("gentex>=999; python_version < '3'", "ok"),
        ("gentex-gan>=999", "ok"),
        ("gentex.gan>=999", "ok"),
    ],
)
def test_a_plugin_for_another_version_is_incompatible(site, requirement, status):
    site.install("other", cards=("a",), metadata=f"Requires-Dist: {requirement}")
    row = site.rows()["other"]
    assert row.status == status
    if status == "incompatible":
        assert row.reason == f"needs {requirement}, this is gentex {gentex.__version__}"
        assert row.cards == []


@pytest.mark.parametrize("version", ["1", "1.0", "1.10.2", "0.9", "2.0.dev1", "1.0rc1"])
@pytest.mark.parametrize("requirement", ["gentex", "gentex>=1", "gentex >= 1.0.0", "gentex>=1.9"])
def test_versions_compare_as_in_packaging(version, requirement):
    from packaging.requirements import Requirement

    allowed = Requirement(requirement).specifier.contains(version, prereleases=True)
    assert satisfied(requirement, version) is allowed


def test_the_requirement_of_an_extra_hides_no_other(site):
    lines = "Requires-Dist: gentex>=0.0.1; extra == 'more'\nRequires-Dist: gentex>=999"
    site.install("other", cards=("a",), metadata=lines)
    assert site.rows()["other"].reason.startswith("needs gentex>=999, ")


def test_an_incompatible_plugin_is_not_imported(site):
    site.install("other", "raise SystemExit", metadata="Requires-Dist: gentex>=999")
    assert site.rows()["other"].status == "incompatible"
    assert "other" not in sys.modules


@pytest.mark.parametrize(
    "text",
    [b"[gentex\n= =\n]", b"[gentexts]\na = b\n", b"gentex\n", b"[gentex]\n", b"\0\xff\n[\n"],
    ids=ascii,
)
def test_malformed_entry_points_of_others_do_not_matter(site, text):
    site.install("odd")
    (site.folder / "odd-1.0.dist-info" / "entry_points.txt").write_bytes(text)
    site.install("good", cards=("a",))
    assert {name: row.status for name, row in site.rows().items()} == {"good": "ok"}


@pytest.mark.parametrize("line", ["no_equals", "a:b = odd", "a = odd:Class", "= odd", "a ="])
def test_a_malformed_entry_point_is_a_row(site, line):
    site.install("odd", entry_points=f"[gentex]\n# a comment\n{line}\n")
    site.install("good", cards=("a",))
    rows = site.rows()
    assert rows["odd"].status == "broken"
    assert "is not 'name = module'" in rows["odd"].reason
    assert rows["good"].status == "ok"


@pytest.mark.parametrize("group", ["console_scripts", "pytest11", "gentex"])
def test_the_entry_points_of_this_environment_are_those_of_the_standard_library(group):
    theirs = importlib.metadata.entry_points(group=group)
    wanted = sorted((e.name, e.value, e.dist.name, e.dist.version) for e in theirs)
    assert sorted(entry[:4] for entry in entry_points(group)) == wanted


def test_a_distribution_without_metadata(site):
    site.install("bare", cards=("a",), metadata=None)
    site.install("good", cards=("b",))
    row = site.rows()["bare"]
    assert (row.status, row.version) == ("ok", "")


def test_unreadable_places_on_the_path_are_passed_over(site, tmp_path, monkeypatch):
    (tmp_path / "archive.zip").write_bytes(b"")
    (site.folder / "file-1.0.dist-info").write_text("no folder")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "archive.zip"), "/no/such/place", *sys.path])
    site.install("good", cards=("a",))
    assert site.rows()["good"].status == "ok"


def test_what_a_plugin_prints_does_not_end_up_in_our_output(command, site):
    site.install("loud", "print('hello')\n" + hook(f"return [{MODEL}]"))
    result = command("list", "--json")
    assert [c["name"] for c in json.loads(result.out)["cards"] if c["target"] == "a:B"] == ["model"]
    assert "hello" in result.err


def test_an_installed_plugin_may_register_too(site):
    site.install(
        "both",
        hook(f"return [{MODEL}]")
        + "@gentex.register('fidget', kind='metric', summary='…')\ndef fidget(): return 7\n",
    )
    made = site.registry()
    assert import_target(made.resolve("metric", "both:fidget"))() == 7
    assert made.resolve("architecture", "both:model").card.name == "model"


# Names


@pytest.fixture
def clash(site):
    site.install("a", cards=("shared", "only-a"))
    site.install("b", cards=("shared", "only-b"))
    return site.registry()


def test_a_clash_is_an_error_only_when_the_name_is_used(clash):
    assert clash.resolve("architecture", "only-a").plugin.name == "a"
    with pytest.raises(errors.AmbiguousNameError, match="'a:shared' or 'b:shared'"):
        clash.resolve("architecture", "shared")
    with pytest.raises(errors.AmbiguousNameError):
        gentex.create("shared", image=(1, 8, 8))
    for plugin in "ab":
        assert clash.resolve("architecture", f"{plugin}:shared").plugin.name == plugin


def test_clashing_names_are_listed_with_their_plugin(clash):
    assert gentex.list_architectures("shared") == ["a:shared", "b:shared"]
    assert gentex.list_architectures("only-?") == ["only-a", "only-b"]


def test_every_listed_name_resolves_to_its_card(clash):
    for kind in ("architecture", "dataset", "metric", "task", "features"):
        for name, found in clash.names(kind).items():
            assert clash.find((kind,), name) == found
            assert clash.find((kind,), found.reference) == found


def test_names_are_case_sensitive_patterns_of_the_shell(site):
    site.install("a", cards=("zz-conv-vae", "zz-conv-gan", "zz-dcgan"))
    site.registry()
    assert gentex.list_architectures("zz-conv*") == ["zz-conv-gan", "zz-conv-vae"]
    assert gentex.list_architectures("zz-??gan") == ["zz-dcgan"]
    assert gentex.list_architectures("ZZ*") == []


def test_list_architectures_by_interface_and_tags(site):
    site.install(
        "a",
        hook(
            "return [gentex.Card(n, 'a:B', '…', interfaces=i, tags=t) for n, i, t in ["
            "('g', ('generator',), ('x', 'y')), ('e', ('encoder', 'generator'), ('x',)),"
            "('s', ('separator',), ())]]"
        ),
    )
    site.registry()
    assert gentex.list_architectures("[ges]", interface="generator") == ["e", "g"]
    assert gentex.list_architectures("[ges]", tags=["x", "y"]) == ["g"]
    assert gentex.list_architectures("[ges]", interface="separator", tags=["x"]) == []
    with pytest.raises(errors.UnknownNameError, match="did you mean 'generator'"):
        gentex.list_architectures(interface="generatr")


def test_an_unknown_name_names_the_closest(site):
    site.install("a", cards=("dcgan-like", "vae-like"))
    site.registry()
    with pytest.raises(errors.UnknownNameError) as raised:
        gentex.create("dcgan-lkie", image=(1, 8, 8))
    wanted = "no architecture 'dcgan-lkie'; did you mean 'dcgan-like'?"
    assert str(raised.value).startswith(wanted)
    with pytest.raises(errors.UnknownNameError, match="in plugin 'a'; did you mean 'vae-like'"):
        gentex.create("a:vae-lke", image=(1, 8, 8))


ARGUMENTS = """return [
    gentex.Card("tree", "a:B", "…", kind="dataset", argument="PATH"),
    gentex.Card("plain", "a:B", "…", kind="dataset"),
]"""


@pytest.mark.parametrize("argument", ["photos", "/a/b", "C:\\x", "a:b", "x:y:z", "trees:tree", ":"])
@pytest.mark.parametrize("prefix", ["", "trees:"])
def test_what_follows_the_name_is_its_argument(site, prefix, argument):
    site.install("trees", hook(ARGUMENTS))
    found = site.registry().resolve("dataset", f"{prefix}tree:{argument}")
    assert (found.card.name, found.argument) == ("tree", argument)
    assert found.reference == f"trees:tree:{argument}"
    assert site.registry().resolve("dataset", found.reference).argument == argument


@pytest.mark.parametrize("reference", ["tree", "tree:", "trees:tree", "trees:tree:"])
def test_an_argument_that_is_missing(site, reference):
    site.install("trees", hook(ARGUMENTS))
    with pytest.raises(errors.UnknownNameError, match=f"'{reference.rstrip(':')}:PATH'"):
        site.registry().resolve("dataset", reference)


def test_an_argument_that_is_not_taken(site):
    site.install("trees", hook(ARGUMENTS))
    with pytest.raises(errors.UnknownNameError, match=r"no dataset 'plain:x'.*'plain'"):
        site.registry().resolve("dataset", "plain:x")


def test_kinds_have_names_of_their_own(site):
    site.install("a", hook(f"return [{MODEL}, gentex.Card('model', 'a:C', '…', kind='metric')]"))
    made = site.registry()
    assert made.resolve("metric", "model").card.target == "a:C"
    assert made.find(("metric", "architecture"), "model").card.kind == "metric"
    with pytest.raises(errors.UnknownNameError, match="no task 'model'"):
        made.resolve("task", "model")


@pytest.mark.parametrize("target", ["no_such_module:X", "json:no_such", "broken_inside:X"])
def test_a_target_that_cannot_be_imported(site, target):
    (site.folder / "broken_inside.py").write_text("1 / 0")
    card = Card("x", target, "…", interfaces=("generator",))
    with pytest.raises(
        errors.PluginError, match=f"architecture 'p:x' cannot be imported .*{target}"
    ):
        import_target(Found(Plugin("p", "p"), card, ""))


# Local files, scripts and notebooks

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


def test_the_code_hash_covers_every_module_of_a_package(site):
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
    assert plugin.code_hash() not in (before, changed)


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
