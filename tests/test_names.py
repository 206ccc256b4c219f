"""A name stands for one card, or the error says what is meant by it."""

import pytest

import gentex
from gentex import Card, errors
from gentex.registry import Found, Plugin, import_target


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
        returns="[gentex.Card(n, 'a:B', '…', interfaces=i, tags=t) for n, i, t in ["
        "('g', ('generator',), ('x', 'y')), ('e', ('encoder', 'generator'), ('x',)),"
        "('s', ('separator',), ())]]",
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


ARGUMENTS = """[
    gentex.Card("tree", "a:B", "…", kind="dataset", argument="PATH"),
    gentex.Card("plain", "a:B", "…", kind="dataset"),
]"""


@pytest.mark.parametrize("argument", ["photos", "/a/b", "C:\\x", "a:b", "x:y:z", "trees:tree", ":"])
@pytest.mark.parametrize("prefix", ["", "trees:"])
def test_what_follows_the_name_is_its_argument(site, prefix, argument):
    site.install("trees", returns=ARGUMENTS)
    found = site.registry().resolve("dataset", f"{prefix}tree:{argument}")
    assert (found.card.name, found.argument) == ("tree", argument)
    assert found.reference == f"trees:tree:{argument}"
    assert site.registry().resolve("dataset", found.reference).argument == argument


@pytest.mark.parametrize("reference", ["tree", "tree:", "trees:tree", "trees:tree:"])
def test_an_argument_that_is_missing(site, reference):
    site.install("trees", returns=ARGUMENTS)
    with pytest.raises(errors.UnknownNameError, match=f"'{reference.rstrip(':')}:PATH'"):
        site.registry().resolve("dataset", reference)


def test_an_argument_that_is_not_taken(site):
    site.install("trees", returns=ARGUMENTS)
    with pytest.raises(errors.UnknownNameError, match=r"no dataset 'plain:x'.*'plain'"):
        site.registry().resolve("dataset", "plain:x")


def test_kinds_have_names_of_their_own(site):
    metric = "gentex.Card('model', 'a:C', '…', kind='metric')"
    model = "gentex.Card('model', 'a:B', '…', interfaces=('generator',))"
    site.install("a", returns=f"[{model}, {metric}]")
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
