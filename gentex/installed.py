"""Entry points of the installed distributions, found without `importlib.metadata`.

Importing that module, and `packaging` to compare versions, would take as long as everything else
that listing does. The same folders are looked through here, by the same rules; only distributions
inside zip archives are left out, as torch does not run from one.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple


class EntryPoint(NamedTuple):
    """A line `name = value` of a group, and what the distribution that has it says of itself."""

    name: str
    value: str
    distribution: str
    version: str
    requirement: str
    """On gentex, such as `gentex>=0.2`; empty where it names none."""


def entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group, sorted by distribution; those of one in the order written.

    A line that is no `name = value` is an entry point without a name.
    """
    found: dict[str, list[EntryPoint]] = {}
    for folder, stem in _metadata_folders():
        # The same distribution may lie on the path twice; as for imports, the first counts.
        if stem not in found:
            text = _read(folder, "entry_points.txt")
            lines = list(_lines(text, group)) if group in text else []
            if lines:
                about = _about(folder, stem)
                found[stem] = [EntryPoint(name, value, *about) for name, value in lines]
    return [entry for stem in sorted(found) for entry in found[stem]]


def satisfied(requirement: str, version: str) -> bool:
    """Whether a requirement allows a version; no where it cannot be understood."""
    least = re.fullmatch(r"gentex(?: *>= *(\d+(?:\.\d+)*))?", requirement, re.IGNORECASE)
    if least and re.fullmatch(r"\d+(\.\d+)*", version):  # nearly always, so `packaging` can wait
        return _release(version) >= _release(least[1] or "0")
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return False
    applies = parsed.marker is None or parsed.marker.evaluate()
    return not applies or parsed.specifier.contains(version, prereleases=True)


def _release(version: str) -> list[int]:
    numbers = [int(number) for number in version.split(".")]
    while numbers[-1:] == [0]:
        numbers.pop()
    return numbers


def _metadata_folders() -> Iterator[tuple[str, str]]:
    """Folders of metadata on the import path, with the normalised names of the distributions."""
    for place in dict.fromkeys(entry or "." for entry in sys.path):
        try:
            names = os.listdir(place)  # noqa: PTH208 - pathlib would double the time
        except OSError:
            continue
        for name in sorted(names):
            if name.endswith((".dist-info", ".egg-info")):
                stem = re.sub(r"[-_.]+", "-", name.rpartition(".")[0].partition("-")[0]).lower()
                yield f"{place}/{name}", stem


def _read(folder: str, name: str) -> str:
    try:
        with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""


def _lines(text: str, group: str) -> Iterator[tuple[str, str]]:
    """(name, value) of the lines of a section."""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line[1:-1].strip() if line.endswith("]") else ""
        elif section == group and line and line[0] not in "#;":
            name, equals, value = line.partition("=")
            yield (name.strip(), value.strip()) if equals else ("", line)


def _about(folder: str, stem: str) -> tuple[str, str, str]:
    """(name, version, requirement on gentex) of a distribution, as far as its metadata goes."""
    text = _read(folder, "METADATA") or _read(folder, "PKG-INFO")
    head = text.partition("\n\n")[0]
    name = re.search(r"^Name: *(.+?) *$", head, re.MULTILINE)
    version = re.search(r"^Version: *(.+?) *$", head, re.MULTILINE)
    needs = re.search(
        r"^Requires-Dist: *(gentex(?![-\w.])(?!.*;.*\bextra\b).*?) *$", head, re.MULTILINE | re.I
    )
    return (
        name[1] if name else stem,
        version[1] if version else "",
        needs[1] if needs else "",
    )
