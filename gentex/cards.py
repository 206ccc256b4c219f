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
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a method comes from, as far as a reference list needs it."""

    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    key: str
    arxiv: str = ""
    doi: str = ""
    entry: Literal["article", "inproceedings", "misc", "book"] = "inproceedings"

    @property
    def bibtex(self) -> str:
        """The BibTeX entry, one field a line."""
        where = {"article": "journal", "inproceedings": "booktitle"}.get(self.entry, "howpublished")
        fields = {
            "title": "{" + self.title + "}",  # doubled braces keep the capitals
            "author": " and ".join(self.authors),
            "year": str(self.year),
            "publisher" if self.entry == "book" else where: self.venue,
        }
        if self.arxiv:
            fields |= {"eprint": self.arxiv, "archiveprefix": "arXiv"}
        if self.doi:
            fields["doi"] = self.doi
        body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
        return f"@{self.entry}{{{self.key},\n{body}}}"


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
    """What follows the name after a colon, where anything does: `PATH` in `folder:PATH`."""
    fingerprint: str = ""
    """Dataset: import path of a function (argument, root) -> str, which needs no torch."""
    direction: Literal["", "lower", "higher"] = ""
    """Metric: which way is better; empty where the metric is shown but never ranks."""
    unit: str = ""

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
