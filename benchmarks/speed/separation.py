"""How fast classic separators are: gentex beside scikit-image and scipy, at equal accuracy.

`rof` against `skimage.restoration.denoise_tv_chambolle`, which minimises the same energy,
½‖u − f‖² + λ TV(u) (what it monitors lacks the ½, and its default tolerance stops it far from the
minimum): a very accurate solution tells how far each is above the least energy. scikit-image runs,
in single and in double precision, for the fewest iterations that bring it within the stated
suboptimality; gentex stops by itself, where its primal–dual gap, which is never less, is within it.

`rtv` against the same equations with assembled matrices, in double precision: solved directly in
scipy's fastest way, and by scipy's conjugate gradients. All must agree to 80 dB with the direct
solution.

One thread, images of 256×256. The rounds go through all programs in turn, so that what slows the
machine slows them all; the ratio of two programs is the median of those within the rounds.

    python benchmarks/speed/separation.py --out benchmarks/results/speed-separation.json
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy, scipy and torch count the cores

import argparse
import functools
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.sparse
import scipy.sparse.linalg
import torch
from gentex_separation.classic.rof import energy, rof
from gentex_separation.classic.rtv import rtv
from skimage import data
from skimage.restoration import denoise_tv_chambolle

from gentex.bench.environment import environment

Image = npt.NDArray[np.floating[Any]]
Programs = dict[str, Callable[[], Any]]

photographs: Any = data  # has types for some of its functions only
PHOTOGRAPHS = {
    "camera": photographs.camera()[100:356, 150:406] / 255,
    "brick": photographs.brick()[:256, :256] / 255,
}
STRENGTHS = {"rof": (0.1, 0.2), "rtv": (0.005, 0.01)}
SUBOPTIMALITIES = (1e-3, 1e-4)
AGREEMENT = 80.0


def as_tensor(image: Image) -> torch.Tensor:
    return torch.tensor(image)[None, None]


def rof_case(image: Image, strength: float, within: float) -> tuple[Programs, dict[str, Any]]:
    """The programs of one comparison, and what was found about them."""
    exact = as_tensor(image)
    least = least_energy(image.tobytes(), strength)

    def suboptimality(u: Any) -> float:
        value = energy(torch.as_tensor(u).double().reshape(exact.shape), exact, strength)
        return float(value / least - 1)

    programs: Programs = {}
    found: dict[str, Any] = {"within": within}
    for name, dtype in (("skimage-float32", np.float32), ("skimage-float64", np.float64)):
        program = functools.partial(
            denoise_tv_chambolle, image.astype(dtype), weight=strength, eps=0
        )

        def enough(iterations: int, program: Any = program) -> bool:
            return suboptimality(program(max_num_iter=iterations)) <= within

        iterations = fewest(enough)
        programs[name] = functools.partial(program, max_num_iter=iterations)
        found[name] = {"iterations": iterations, "suboptimality": suboptimality(programs[name]())}
    single = as_tensor(image.astype(np.float32))
    programs["gentex"] = lambda: rof(single, strength, within)
    solution = programs["gentex"]()
    found["gentex"] = {
        "iterations": int(solution.iterations),
        "gap": float(solution.residual),
        "suboptimality": suboptimality(solution.structure),
    }
    return programs, found


@functools.cache
def least_energy(image: bytes, strength: float) -> float:
    """By the dual energy of a solution to a gap of 1e-7."""
    exact = as_tensor(np.frombuffer(image).reshape(256, 256).copy())
    solution = rof(exact, strength, 1e-7, iterations=100_000)
    value = float(energy(solution.structure, exact, strength))
    return value * (1 - float(solution.residual) / 2)


def fewest(enough: Callable[[int], bool]) -> int:
    """The fewest iterations that are enough, to 1 %; more are always better."""
    low, high = 0, 100
    while not enough(high):
        low, high = high, 2 * high
    while high - low > max(1, 0.01 * high):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def rtv_case(image: Image, strength: float) -> tuple[Programs, dict[str, Any]]:
    single = as_tensor(image.astype(np.float32))
    programs: Programs = {
        "scipy-direct": lambda: rtv_by_scipy(image, strength, direct),
        "scipy-cg": lambda: rtv_by_scipy(image, strength, conjugate_gradients),
        "gentex": lambda: rtv(single, strength).structure[0, 0].numpy(),
    }
    expected = programs["scipy-direct"]()
    found: dict[str, Any] = {"within": f"{AGREEMENT:.0f} dB of scipy-direct"}
    for name, program in programs.items():
        if name != "scipy-direct":
            agreement = -10 * np.log10(np.mean((program() - expected) ** 2))
            if agreement < AGREEMENT:
                raise SystemExit(f"{name} agrees to {agreement:.1f} dB only")
            found[name] = {"agreement_db": float(agreement)}
    return programs, found


def rtv_by_scipy(
    image: Image, strength: float, solve: Callable[[Any, Image, Image], Image], sigma: float = 3.0
) -> Image:
    """Xu et al. (2012), equations 8 to 11, four rounds."""
    height, width = image.shape

    def forward(n: int) -> Any:
        return scipy.sparse.diags([-1.0, 1.0], [0, 1], (n, n))

    differences = (
        scipy.sparse.kron(scipy.sparse.eye(height), forward(width)).tocsr(),
        scipy.sparse.kron(forward(height), scipy.sparse.eye(width)).tocsr(),
    )
    structure = image
    for _ in range(4):
        matrix = scipy.sparse.eye(image.size)
        blur = functools.partial(scipy.ndimage.gaussian_filter, sigma=sigma, mode="reflect")
        slopes = (
            np.diff(structure, axis=1, append=structure[:, -1:]),
            np.diff(structure, axis=0, append=structure[-1:]),
        )
        for d, slope, last in zip(differences, slopes, (np.s_[:, -1], np.s_[-1]), strict=True):
            weight = blur(1 / (np.abs(blur(slope)) + 1e-3)) / (np.abs(slope) + 0.02)
            weight[last] = 0
            matrix = matrix + strength * d.T @ scipy.sparse.diags(weight.ravel()) @ d
        structure = solve(matrix.tocsc(), image.ravel(), structure.ravel()).reshape(image.shape)
        sigma = max(sigma / 2, 0.5)
    return structure


def direct(matrix: Any, right: Image, _: Image) -> Image:
    # For symmetric matrices twice as fast as the default column ordering
    factors = scipy.sparse.linalg.splu(
        matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True}
    )
    solution: Image = factors.solve(right)
    return solution


def conjugate_gradients(matrix: Any, right: Image, start: Image) -> Image:
    jacobi = scipy.sparse.diags(1 / matrix.diagonal())
    solution, failed = scipy.sparse.linalg.cg(
        matrix.tocsr(), right, start, rtol=3e-5, maxiter=5000, M=jacobi
    )
    assert not failed
    return np.asarray(solution)


def batch_case(strength: float) -> tuple[Programs, dict[str, Any]]:
    """Eight images one by one, as on the CPU, and all at once, as on a GPU."""
    parts = [PHOTOGRAPHS[name][:, ::step] for name in PHOTOGRAPHS for step in (1, -1)]
    images = torch.tensor(np.stack([*parts, *(part[::-1] for part in parts)]))[:, None].float()

    def together() -> Any:
        with mock.patch("gentex_separation.solution.group_size", len):
            return rof(images, strength)

    return {"together": together, "gentex": lambda: rof(images, strength)}, {"within": 1e-3}


def measured(programs: Programs, rounds: int) -> dict[str, Any]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, program in programs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            program()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    report: dict[str, Any] = {}
    for name, taken in times.items():
        entry: dict[str, Any] = {}
        for which, clock in enumerate(("wall", "cpu")):
            each = [pair[which] for pair in taken]
            ratios = [a / b[which] for a, b in zip(each, times["gentex"], strict=True)]
            entry[f"{clock}_ms"] = 1e3 * statistics.median(each)
            if name != "gentex":
                entry[f"{clock}_over_gentex"] = statistics.median(ratios)
                entry[f"{clock}_over_gentex_range"] = [min(ratios), max(ratios)]
        report[name] = entry
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default="benchmarks/results/speed-separation.json")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    record: dict[str, Any] = {
        "what": "classic separators at equal accuracy, 256×256, one thread",
        "command": " ".join(["python", *sys.argv]),
        "rounds": options.rounds,
        "environment": environment() | {"load": os.getloadavg()},
        "cases": {},
    }
    cases: dict[str, Callable[[], tuple[Programs, dict[str, Any]]]] = {}
    for name, image in PHOTOGRAPHS.items():
        for strength in STRENGTHS["rof"]:
            for within in SUBOPTIMALITIES:
                case = f"rof-{name}-{strength}-{within:g}"
                cases[case] = functools.partial(rof_case, image, strength, within)
        for strength in STRENGTHS["rtv"]:
            cases[f"rtv-{name}-{strength}"] = functools.partial(rtv_case, image, strength)
    cases["rof-eight-images-0.1-0.001"] = functools.partial(batch_case, 0.1)
    for case, prepare in cases.items():
        programs, found = prepare()
        report = measured(programs, options.rounds)
        for name, entry in report.items():
            entry.update(found.get(name, {}))
            ratio = entry.get("wall_over_gentex")
            told = f"{ratio:6.1f}× gentex" if ratio else ""
            print(f"{case:28} {name:16} {entry['wall_ms']:8.1f} ms {told}", flush=True)
        record["cases"][case] = {"within": found["within"], **report}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
