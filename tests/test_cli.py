"""The `gentex` command: what it prints, how it fails, and what it leaves alone."""

import json

import click
import pytest
from bibtexparser.entrypoint import parse_string

import gentex
from gentex.cards import KINDS
from gentex.cli import gentex as root

ZOO = """
import gentex

PAPER = gentex.Paper(
    "Zebras & Okapis", ("Doe, Jane",), 2020, "Journal of {kind}", "doe2020", arxiv="2001.00001"
)

@gentex.hookimpl
def gentex_cards():
    return [
        gentex.Card(
            "zebra", "zoo_models:Zebra", "Striped.", interfaces=("generator", "encoder"),
            paper=PAPER, license="MIT", tags=("striped", "fast"),
        ),
        gentex.Card("okapi", "zoo_models:Okapi", "Half striped.", interfaces=("separator",)),
        gentex.Card("zoom", "zoo_models:zoom", "Nearer.", kind="metric", paper=PAPER, unit="m",
                    direction="lower"),
        gentex.Card("pen", "zoo_models:pen", "A pen.", kind="dataset", argument="PATH"),
    ]
"""

MODELS = """
from torch import nn
import gentex
from gentex.errors import HyperparameterError

class Zebra(gentex.Generator, gentex.Encoder):
    dim = 1

    def __init__(
        self, image: gentex.ImageShape, *, stripes: int = 3, name: str | None = None
    ) -> None:
        super().__init__()
        if image.height > 16:
            raise HyperparameterError(f"image {image}: at most 16 high")
        self.layer = nn.Linear(image.channels, stripes)

    def sample(self, n, *, rng=None, condition=None): ...
    def encode(self, images): ...
"""

LOCAL = """
import gentex

@gentex.register("my-metric", kind="metric", summary="Mine.")
def my_metric(): ...
"""


@pytest.fixture
def zoo(site):
    site.install("zoo", ZOO)
    (site.folder / "zoo_models.py").write_text(MODELS)
    return site


def names(result):
    return [line.split()[0] for line in result.out.splitlines()[1:]]


# list


def test_list(command, zoo):
    result = command("list", "z*")
    assert (result.code, result.err) == (0, "")
    head, row = result.out.splitlines()
    assert head.split() == ["name", "interfaces", "plugin", "summary"]
    assert row.split() == ["zebra", "generator,", "encoder", "zoo", "Striped."]


@pytest.mark.parametrize(
    ("arguments", "listed"),
    [
        (["[zo]*"], ["okapi", "zebra"]),
        (["zebra", "--interface", "encoder"], ["zebra"]),
        (["[zo]*", "--interface", "separator"], ["okapi"]),
        (["--tag", "striped"], ["zebra"]),
        (["--tag", "striped", "--tag", "fast"], ["zebra"]),
        (["--tag", "striped", "--tag", "slow"], []),
        (["zoo*", "--kind", "metric"], ["zoom"]),
        (["pen", "--kind", "dataset"], ["pen:PATH"]),
        (["nothing-like-this"], []),
    ],
    ids=" ".join,
)
def test_list_what_fits(command, zoo, arguments, listed):
    assert names(command("list", *arguments)) == listed


def test_list_as_json(command, zoo):
    zoo.install("odd", "1 / 0")
    content = json.loads(command("list", "zebra", "--json").out)
    assert content.keys() == {"cards", "unusable_plugins"}
    (card,) = content["cards"]
    assert card["paper"].pop("bibtex").startswith("@inproceedings{doe2020,")
    assert card == {
        "name": "zebra",
        "target": "zoo_models:Zebra",
        "summary": "Striped.",
        "kind": "architecture",
        "interfaces": ["generator", "encoder"],
        "modality": "image",
        "paper": {
            "title": "Zebras & Okapis",
            "authors": ["Doe, Jane"],
            "year": 2020,
            "venue": "Journal of {kind}",
            "key": "doe2020",
            "arxiv": "2001.00001",
            "doi": "",
            "entry": "inproceedings",
        },
        "license": "MIT",
        "tags": ["striped", "fast"],
        "argument": "",
        "fingerprint": "",
        "direction": "",
        "unit": "",
        "floors": [],
        "reference": "zoo:zebra",
        "plugin": {"name": "zoo", "distribution": "zoo"},
    }
    (problem,) = [p for p in content["unusable_plugins"] if p["name"] == "odd"]
    assert problem == {
        "name": "odd",
        "distribution": "odd",
        "version": "1.0",
        "status": "broken",
        "reason": "ZeroDivisionError: division by zero",
    }


def test_list_tells_of_plugins_that_cannot_be_used(command, zoo):
    zoo.install("odd", "1 / 0")
    result = command("list", "zebra")
    assert (result.code, names(result)) == (0, ["zebra"])
    assert "plugin odd (odd 1.0) is broken: ZeroDivisionError" in result.err


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_listed_and_its_cards_shown(command, kind):
    for card in json.loads(command("list", "--kind", kind, "--json").out)["cards"]:
        assert card["kind"] == kind
        if kind != "architecture":
            assert command("info", card["reference"], "--kind", kind).code == 0


# info


def test_info(command, zoo):
    result = command("info", "zebra", "--image", "3x16x16")
    assert (result.code, result.err) == (0, "")
    shown = [" ".join(line.split()) for line in result.out.splitlines()]
    assert shown[:2] == ["zoo:zebra", "Striped."]
    assert {
        "interfaces: generator, encoder",
        "paper: Doe, Jane: Zebras & Okapis. Journal of {kind}, 2020.",
        "arXiv: 2001.00001",
        "licence: MIT",
        "tags: striped, fast",
        "from: zoo 1.0",
        "parameters: 12 at 3x16x16",
        "stripes: int = 3",
        "name: str | None = None",
    } <= set(shown)


def test_info_as_json(command, zoo):
    content = json.loads(command("info", "zebra", "--image", "1×8×8", "--json").out)
    assert content["reference"] == "zoo:zebra"
    assert content["image"] == [1, 8, 8]
    assert content["parameters"] == 6
    assert content["hyperparameters"] == {
        "stripes": {"type": "int", "default": 3},
        "name": {"type": "str | None", "default": None},
    }


def test_info_where_the_image_is_refused(command, zoo):
    refusal = "image 3×32×32: at most 16 high"
    assert refusal in command("info", "zebra").out
    content = json.loads(command("info", "zebra", "--json").out)
    assert (content["parameters"], content["refusal"]) == (None, refusal)


@pytest.mark.parametrize("image", ["3", "3x32", "3x32x32x32", "axbxc", "3x-2x2", "³x2x2", ""])
def test_info_with_an_image_that_is_none(command, zoo, image):
    result = command("info", "zebra", "--image", image)
    assert result.code == 2
    assert "CHANNELSxHEIGHTxWIDTH" in result.err


@pytest.mark.parametrize("name", ["pen", "zoo:pen", "pen:some/path", "zoom"])
def test_info_of_other_kinds(command, zoo, name):
    result = command("info", name)
    assert result.code == 0
    assert "kind:" in result.out


# cite


def test_cite(command, zoo):
    result = command("cite", "zebra", "zoom", "zoo:zebra")
    assert result.code == 0
    library = parse_string(result.out)
    assert not library.failed_blocks
    assert [entry.key for entry in library.entries] == ["doe2020"]  # one paper, one entry
    assert library.entries[0]["title"] == r"{Zebras \& Okapis}"


def test_cite_needs_a_paper(command, zoo):
    result = command("cite", "okapi")
    assert (result.code, result.out) == (2, "")
    assert result.err == "gentex: zoo:okapi names no paper\n"


# plugins


def test_plugins(command, zoo):
    zoo.install("odd", "1 / 0")
    zoo.install("zoo-too", cards=("a",), plugin="zoo")
    zoo.install("future", cards=("a",), metadata="Requires-Dist: gentex>=999")
    result = command("plugins")
    assert result.code == 0
    rows = {line.split()[2]: line for line in result.out.splitlines()[1:]}
    assert rows["zoo"].split() == ["zoo", "ok", "zoo", "1.0", "4"]
    assert "broken" in rows["odd"]
    assert "ZeroDivisionError: division by zero" in rows["odd"]
    assert "shadowed" in rows["zoo-too"]
    assert "the plugin name 'zoo' is taken by zoo" in rows["zoo-too"]
    assert "incompatible" in rows["future"]
    assert f"needs gentex>=999, this is gentex {gentex.__version__}" in rows["future"]


def test_plugins_as_json(command, zoo):
    content = json.loads(command("plugins", "--json").out)
    assert content[0]["name"] == "gentex"
    assert [row for row in content if row["name"] == "zoo"] == [
        {
            "name": "zoo",
            "module": "zoo",
            "distribution": "zoo",
            "version": "1.0",
            "status": "ok",
            "reason": "",
            "cards": 4,
            "file": None,
        }
    ]


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "zebar"], "gentex: no card 'zebar'; did you mean 'zebra'?"),
        (["info", "zoo:zebar"], "gentex: no card 'zebar' in plugin 'zoo'; did you mean 'zebra'?"),
        (["info", "zome", "--kind", "metric"], "no metric 'zome'; did you mean 'zoom'?"),
        (["info", "zoom", "--kind", "task"], "gentex: no task 'zoom'"),
        (["cite", "zebra", "zooom"], "gentex: no card 'zooom'; did you mean 'zoom'?"),
        (["cite"], "Missing argument 'NAMES...'"),
        (["list", "--interface", "separatr"], "'separatr' is not one of"),
        (["list", "--kind", "things"], "'things' is not one of"),
        (["list", "--no-such"], "No such option '--no-such'"),
        (["lits"], "No such command 'lits'"),
        (["info", "okapi"], "zoo:okapi' cannot be imported from zoo_models:Okapi: AttributeError"),
        (["list", "--plugin", "nothing.py"], "gentex: no plugin file 'nothing.py'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_a_message_and_code_2(command, zoo, arguments, message):
    result = command(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_an_ambiguous_name(command, site):
    site.install("a", cards=("shared",))
    site.install("b", cards=("shared",))
    result = command("info", "shared")
    assert result.code == 2
    assert "'a:shared' or 'b:shared'" in result.err


def test_an_error_in_a_plugin_file_names_the_line(command, site):
    result = command("list", "--plugin", site.file("mine.py", "import gentex\n1 / 0\n"))
    assert result.code == 2
    assert "mine.py: ZeroDivisionError: division by zero (line 2)" in result.err
    assert "Traceback" not in result.err


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> dict[tuple[str, ...], click.Command]:
    context = click.Context(group)
    found = {}
    for name in group.list_commands(context):
        each = group.get_command(context, name)
        assert each is not None
        if isinstance(each, click.Group):
            found |= commands(each, (*path, name))
        else:
            found[(*path, name)] = each
    return found


def test_every_command_takes_plugin_files_and_has_help(command):
    found = commands(root)
    assert {("list",), ("info",), ("cite",), ("plugins",), ("bench", "run")} <= found.keys()
    for path, each in found.items():
        result = command(*path, "--help")
        assert result.code == 0
        assert result.out.startswith(f"Usage: gentex {' '.join(path)} ")
        assert "--plugin FILE" in result.out, path
        assert each.help, path


def test_help_and_version(command):
    result = command("-h")
    assert result.code == 0
    for name in ("bench", "cite", "info", "list", "plugins", "sample", "train"):
        assert f"  {name} " in result.out
    assert gentex.__version__ in command("--version").out


@pytest.mark.parametrize(
    "arguments", [["list", "--kind=metric"], ["plugins"], ["info", "my-metric"]]
)
def test_a_plugin_file_is_used(command, site, arguments):
    result = command(*arguments, "--plugin", site.file("mine.py", LOCAL))
    assert result.code == 0
    assert "my-metric" in result.out or "mine " in result.out
