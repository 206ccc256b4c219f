"""Cards refuse what cannot be right, and cite as BibTeX that parses."""

import dataclasses
import re

import pytest
from bibtexparser.entrypoint import parse_string
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gentex import Card, Paper

CARD = {"name": "a", "target": "m:A", "summary": "…", "interfaces": ("generator",)}
PAPER = {
    "title": "On Things",
    "authors": ("Doe, Jane", "Roe, Richard"),
    "year": 2020,
    "venue": "Journal of Things",
    "key": "doe2020things",
}


@pytest.mark.parametrize("name", ["dcgan", "wgan-gp", "r3gan", "generation@1", "vit_b.16", "0"])
def test_names(name):
    assert Card(**CARD | {"name": name}).name == name


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "lower-case"),
        ("name", "DCGAN", "lower-case"),
        ("name", "a:b", "lower-case"),
        ("name", "a b", "lower-case"),
        ("name", "-a", "lower-case"),
        ("name", "a--b", "lower-case"),
        ("name", "../a", "lower-case"),
        ("name", "a\n", "lower-case"),
        ("target", "module", "is not 'module:attribute'"),
        ("target", "module:", "is not 'module:attribute'"),
        ("target", "a-b:C", "is not 'module:attribute'"),
        ("target", "a:b:c", "is not 'module:attribute'"),
        ("target", "a:__import__('os')", "is not 'module:attribute'"),
        ("kind", "model", "none of architecture, dataset"),
        ("modality", "sound", "none of"),
        ("interfaces", ("generator", "painter"), "'painter'"),
        ("interfaces", (), "names its interfaces"),
        ("interfaces", "generator", "a tuple of words"),
        ("tags", "gan", "a tuple of words"),
    ],
)
def test_a_card_refuses(field, value, message):
    with pytest.raises(ValueError, match=message):
        Card(**CARD | {field: value})


def test_only_architectures_need_interfaces():
    assert Card("m", "a:b", "…", kind="metric").interfaces == ()


@given(st.text())
def test_a_name_holds_no_separator_of_references(name):
    """Whatever passes can stand in `plugin:name:ARGUMENT`, in a path and on a command line."""
    try:
        card = Card(**CARD | {"name": name})
    except ValueError:
        return
    assert re.fullmatch(r"[a-z0-9@._-]+", card.name)
    assert card.matches(card.name)


def test_cards_are_values():
    assert Card(**CARD) == Card(**CARD)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Card(**CARD).name = "b"


@pytest.mark.parametrize(
    ("criteria", "fits"),
    [
        ({}, True),
        ({"pattern": "conv*"}, True),
        ({"pattern": "conv"}, False),
        ({"interface": "encoder"}, True),
        ({"interface": "separator"}, False),
        ({"tags": ["x"]}, True),
        ({"tags": ["x", "y"]}, True),
        ({"tags": ["x", "z"]}, False),
        ({"pattern": "*vae", "interface": "generator", "tags": ["y"]}, True),
    ],
)
def test_matches(criteria, fits):
    card = Card("conv-vae", "a:B", "…", interfaces=("generator", "encoder"), tags=("x", "y"))
    assert card.matches(**criteria) is fits


def entry_of(paper: Paper) -> dict[str, str]:
    library = parse_string(paper.bibtex)
    assert not library.failed_blocks, paper.bibtex
    (entry,) = library.entries
    assert (entry.key, entry.entry_type) == (paper.key, paper.entry)
    return {field.key: field.value for field in entry.fields}


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("article", "journal"),
        ("inproceedings", "booktitle"),
        ("misc", "howpublished"),
        ("book", "publisher"),
    ],
)
def test_bibtex(kind, place):
    paper = Paper(**PAPER, entry=kind, arxiv="2006.11239", doi="10.1000/a_b(c)")
    assert entry_of(paper) == {
        "title": "{On Things}",
        "author": "Doe, Jane and Roe, Richard",
        "year": "2020",
        place: "Journal of Things",
        "eprint": "2006.11239",
        "archiveprefix": "arXiv",
        "doi": "10.1000/a_b(c)",
    }


SPECIAL = {
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def plain(latex: str) -> str:
    """The text that LaTeX would set."""
    backwards = {written: character for character, written in SPECIAL.items()}
    pattern = "|".join(re.escape(written) for written in backwards)
    return re.sub(pattern, lambda match: backwards[match[0]], latex)


# What a person would write, as no control characters occur in titles.
titles = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf"]), min_size=1)


@given(title=titles, venue=titles)
@example(title="100 % of {Things} & #1 at $0_0^~\\", venue="}{")
@example(title="@article{x, title = {y}}", venue='a "b" = c,')
@example(title="two\nlines", venue="a\\")
def test_any_title_gives_bibtex_that_parses_back(title, venue):
    assume(title.strip() and venue.strip())
    fields = entry_of(Paper(**PAPER | {"title": title, "venue": venue}))
    assert plain(fields["title"][1:-1]) == " ".join(title.split())
    assert plain(fields["booktitle"]) == " ".join(venue.split())


@given(title=titles, venue=titles)
def test_braces_balance_the_way_bibtex_counts(title, venue):
    """BibTeX counts braces whether or not a backslash stands before them."""
    depth = 0
    bibtex = Paper(**PAPER | {"title": title, "venue": venue}).bibtex
    for character in bibtex:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0


def test_an_author_with_an_and_is_one_author():
    fields = entry_of(Paper(**PAPER | {"authors": ("Smith and Sons, Ltd.", "Doe, J & R")}))
    assert fields["author"] == r"{Smith and Sons, Ltd.} and Doe, J \& R"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", ""),
        ("key", "doe 2020"),
        ("key", "doe,2020"),
        ("key", "do{e"),
        ("arxiv", "arXiv:2006.11239"),
        ("arxiv", "2006.11239v2}"),
        ("doi", "https://doi.org/10.1000/x"),
        ("doi", "10.1000/x}"),
        ("entry", "thesis"),
    ],
)
def test_a_paper_refuses(field, value):
    with pytest.raises(ValueError, match=f"{field} '"):
        Paper(**PAPER | {field: value})


@pytest.mark.parametrize("arxiv", ["1511.06434", "0706.1234", "math.GT/0309136", "hep-th/9901001"])
def test_arxiv_identifiers(arxiv):
    assert entry_of(Paper(**PAPER, arxiv=arxiv))["eprint"] == arxiv
