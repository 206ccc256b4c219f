"""Checks of cards: complete, citable, licensed."""

from __future__ import annotations

from gentex.testing.subject import Subject


def card_is_complete(subject: Subject) -> None:
    """A summary, a paper and a licence are there."""
    card = subject.found.card
    for name in ("summary", "paper", "license"):
        assert getattr(card, name), f"card {card.name!r} has no {name}"
    assert len(card.summary) <= 120, f"card {card.name!r}: the summary is one line of a list"


def paper_is_citable(subject: Subject) -> None:
    """The BibTeX entry parses, and says who, what, where and when."""
    from bibtexparser.entrypoint import parse_string

    paper = subject.found.card.paper
    assert paper is not None, "the card names no paper"
    library = parse_string(paper.bibtex)
    assert not library.failed_blocks, f"BibTeX does not parse:\n{paper.bibtex}"
    assert len(library.entries) == 1, f"not one BibTeX entry:\n{paper.bibtex}"
    fields = library.entries[0].fields_dict
    for name in ("title", "author", "year"):
        assert name in fields, f"BibTeX has no {name}:\n{paper.bibtex}"
        assert str(fields[name].value).strip("{} "), f"BibTeX has an empty {name}:\n{paper.bibtex}"
    assert 1800 < paper.year < 2200, f"the year {paper.year} is none"
    for author in paper.authors:
        assert "," in author, f"author {author!r}: say it as 'Family, Given'"


def licence_is_spdx(subject: Subject) -> None:
    """The licence is an SPDX expression, such as MIT or Apache-2.0."""
    from license_expression import get_spdx_licensing

    text = subject.found.card.license
    errors = get_spdx_licensing().validate(text).errors if text else ["there is none"]
    assert not errors, f"licence {text!r} is no SPDX expression: {errors}"
