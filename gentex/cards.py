"""Cards: what is known of an architecture, dataset, metric or task without importing it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["architecture", "dataset", "metric", "task", "features", "executor"]
KINDS: tuple[Kind, ...] = ("architecture", "dataset", "metric", "task", "features", "executor")
INTERFACES = ("generator", "encoder", "separator")
MODALITIES = ("image", "sequence")

_NAME = re.compile(r"[a-z0-9]+(?:[-_.@][a-z0-9]+)*")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._+/-]*")
_ARXIV = re.compile(r"\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7}")
_DOI = re.compile(r"10\.\d{4,}/[^\s{}\\]+")
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a method comes from, as far as a reference list needs it.

    All fields are plain text, without LaTeX commands; authors are given as "Family, Given".
    """

    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    key: str
    arxiv: str = ""
    doi: str = ""
    entry: Literal["article", "inproceedings", "misc", "book"] = "inproceedings"

    def __post_init__(self) -> None:
        for name, form in (("key", _KEY), ("arxiv", _ARXIV), ("doi", _DOI)):
            value = getattr(self, name)
            if (value or name == "key") and not form.fullmatch(value):
                raise ValueError(f"paper {self.title!r}: {name} {value!r} does not look like one")
        if self.entry not in _WHERE:
            raise ValueError(f"paper {self.title!r}: entry {self.entry!r} is none of {[*_WHERE]}")

    @property
    def bibtex(self) -> str:
        """The BibTeX entry, one field a line."""
        fields = {
            "title": "{" + _latex(self.title) + "}",  # doubled braces keep the capitals
            "author": " and ".join(map(_author, self.authors)),
            "year": str(self.year),
            _WHERE[self.entry]: _latex(self.venue),
        }
        if self.arxiv:
            fields |= {"eprint": self.arxiv, "archiveprefix": "arXiv"}
        if self.doi:
            fields["doi"] = self.doi
        body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
        return f"@{self.entry}{{{self.key},\n{body}}}"


_WHERE = {
    "article": "journal",
    "inproceedings": "booktitle",
    "misc": "howpublished",
    "book": "publisher",
}
"""BibTeX's name of the field that holds the venue, by kind of entry."""

# BibTeX counts braces even where a backslash stands before them.
_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_"}
    | {"{": r"\textbraceleft{}", "}": r"\textbraceright{}", "\\": r"\textbackslash{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def _latex(text: str) -> str:
    return " ".join(text.split()).translate(_LATEX)


def _author(name: str) -> str:
    return f"{{{_latex(name)}}}" if " and " in name else _latex(name)  # "and" joins two of them


@dataclass(frozen=True, slots=True)
class Card:
    """What a plugin says of one thing it contributes.

    `target` is an import path, `package.module:attribute`; nothing imports it before it is used.
    An architecture's target is a class that implements the `interfaces` named here; what the
    targets of the other kinds are is said in `gentex.hookspecs`.
    """

    name: str
    target: str
    summary: str
    kind: Kind = "architecture"
    interfaces: tuple[str, ...] = ()
    modality: Literal["image", "sequence"] = "image"
    paper: Paper | None = None
    license: str = ""
    tags: tuple[str, ...] = ()
    argument: str = ""
    """What follows the name after a colon: `PATH` in `folder:PATH`, in brackets where optional."""
    fingerprint: str = ""
    """Dataset: import path of a function (argument, root) -> str, which needs no torch."""
    direction: Literal["", "lower", "higher"] = ""
    """Metric: which way is better; empty where the metric is shown but never ranks."""
    unit: str = ""
    floors: tuple[str, ...] = ()
    """Task: architectures that stand in each of its comparisons, where they are installed."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"card name {self.name!r}: lower-case letters and digits, joined by - _ . or @"
            )
        if not _TARGET.fullmatch(self.target):
            raise ValueError(
                f"card {self.name!r}: target {self.target!r} is not 'module:attribute'"
            )
        if self.kind not in KINDS:
            raise ValueError(
                f"card {self.name!r}: kind {self.kind!r} is none of {', '.join(KINDS)}"
            )
        if self.modality not in MODALITIES:
            raise ValueError(
                f"card {self.name!r}: modality {self.modality!r} is none of {MODALITIES}"
            )
        for name in ("interfaces", "tags", "floors"):
            if isinstance(getattr(self, name), str):
                raise ValueError(f"card {self.name!r}: {name} are a tuple of words, not one")
        strange = set(self.interfaces) - set(INTERFACES)
        if strange:
            raise ValueError(f"card {self.name!r}: interfaces {strange} are none of {INTERFACES}")
        if self.kind == "architecture" and not self.interfaces:
            raise ValueError(f"card {self.name!r}: an architecture names its interfaces")

    def matches(
        self, pattern: str = "*", interface: str | None = None, tags: Iterable[str] = ()
    ) -> bool:
        """Whether the name fits the shell pattern, and interface and every tag are there."""
        return (
            fnmatch.fnmatchcase(self.name, pattern)
            and (interface is None or interface in self.interfaces)
            and set(tags) <= set(self.tags)
        )
