"""Plugins are found one by one, whatever their neighbours do."""

import importlib.metadata
import json
import re
import sys

import pytest

import gentex
from gentex import errors
from gentex.installed import entry_points, satisfied
from gentex.registry import import_target, registry

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
