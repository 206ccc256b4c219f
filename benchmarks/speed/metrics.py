"""How fast, and in how much memory, metrics of features are computed: gentex beside others.

Every measurement is a process of its own, so that each has all the memory and warm caches of
nobody. The rounds go through all programs in turn, so that what slows the machine slows them all;
the ratio of two programs is the median over the rounds of the ratios within a round. Importing and
reading the features is not counted. Peak memory is
read from /proc, so this runs on Linux. All compute in float64, on the same features, whose spectrum
falls as that of a real network's does.

    python benchmarks/speed/metrics.py --out benchmarks/results/speed-metrics.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gentex.bench.environment import environment, package_version

Run = Callable[[Tensor, Tensor], Any]

SIZES = {
    "fd-5000x2048": (5000, 2048),
    "fd-1000x2048": (1000, 2048),
    "kid-subsets-5000x2048": (5000, 2048),
    "kid-all-pairs-5000x2048": (5000, 2048),
    "prdc-5000x2048": (5000, 2048),
    "prdc-10000x256": (10_000, 256),
    "pr-5000x2048": (5000, 2048),
    "is-20000x1008": (20_000, 1008),
}
KID_SUBSETS = 20
PEERS = ("torch-fidelity", "torchmetrics", "prdc")


def runs(case: str) -> dict[str, Callable[[], Run]]:
    """What computes a case, by program: functions that import what they need and give a run."""
    metric = case.split("-")[0]
    return {
        "fd": {"gentex": _fd, "torch-fidelity": _fidelity_fd, "torchmetrics": _torchmetrics_fd},
        "kid": {"gentex": _kid_all_pairs}
        if "all-pairs" in case
        else {"gentex": _kid, "torch-fidelity": _fidelity_kid, "torchmetrics": _torchmetrics_kid},
        "prdc": {"gentex": _prdc, "prdc": _prdc_prdc},
        "pr": {"gentex": _pr, "torch-fidelity": _fidelity_pr},
        "is": {"gentex": _is, "torch-fidelity": _fidelity_is, "torchmetrics": _torchmetrics_is},
    }[metric]


# ------------------------------------------------------------------------------------ gentex


def _fd() -> Run:
    from gentex.metrics import frechet_distance

    return frechet_distance


def _kid() -> Run:
    from gentex.metrics import kernel_distance_subsets

    return lambda real, fake: kernel_distance_subsets(real, fake, subsets=KID_SUBSETS)[0]


def _kid_all_pairs() -> Run:
    from gentex.metrics import kernel_distance

    return kernel_distance


def _prdc() -> Run:
    from gentex.metrics import precision_recall_density_coverage

    return lambda real, fake: precision_recall_density_coverage(real, fake)["coverage"]


def _pr() -> Run:
    from gentex.metrics import precision_recall_density_coverage

    return lambda real, fake: precision_recall_density_coverage(real, fake, nearest=3)["recall"]


def _is() -> Run:
    from gentex.metrics import inception_score

    return lambda real, fake: inception_score(fake)["inception_score"]


# ------------------------------------------------------------------------------------ others


def _fidelity_fd() -> Run:
    from torch_fidelity.metric_fid import fid_features_to_statistics as fit
    from torch_fidelity.metric_fid import fid_statistics_to_metric as compare

    return lambda real, fake: compare(fit(real), fit(fake), False)["frechet_inception_distance"]


def _fidelity_kid() -> Run:
    from torch_fidelity.metric_kid import kid_features_to_metric

    options = {"kid_subsets": KID_SUBSETS, "kid_subset_size": 1000, "verbose": False}
    return lambda real, fake: kid_features_to_metric(fake, real, **options)[
        "kernel_inception_distance_mean"
    ]


def _fidelity_pr() -> Run:
    from torch_fidelity.metric_prc import prc_features_to_metric

    options = {"prc_neighborhood": 3, "verbose": False}
    return lambda real, fake: prc_features_to_metric(fake, real, **options)["recall"]


def _fidelity_is() -> Run:
    from torch_fidelity.metric_isc import isc_features_to_metric

    return lambda real, fake: isc_features_to_metric(fake)["inception_score_mean"]


def _prdc_prdc() -> Run:
    from prdc import compute_prdc

    return lambda real, fake: compute_prdc(real.numpy(), fake.numpy(), 5)["coverage"]


class _Features(nn.Module):
    """Features in place of images: what torchmetrics takes for its network."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, x: Tensor) -> Tensor:
        return x


def _updated(metric: Any, real: Tensor, fake: Tensor) -> Any:
    metric.set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return metric.compute()


def _torchmetrics_fd() -> Run:
    from torchmetrics.image.fid import FrechetInceptionDistance as Metric

    return lambda real, fake: float(_updated(Metric(feature=_Features(real.shape[1])), real, fake))


def _torchmetrics_kid() -> Run:
    from torchmetrics.image.kid import KernelInceptionDistance as Metric

    return lambda real, fake: float(
        _updated(Metric(feature=_Features(real.shape[1]), subsets=KID_SUBSETS), real, fake)[0]
    )


def _torchmetrics_is() -> Run:
    from torchmetrics.image.inception import InceptionScore

    def run(real: Tensor, fake: Tensor) -> float:
        metric = InceptionScore(feature=_Features(fake.shape[1])).set_dtype(torch.float64)
        metric.update(fake)
        return float(metric.compute()[0])

    return run


# --------------------------------------------------------------------------------- measuring


def write_features(folder: Path, n: int, d: int) -> None:
    """Two sets of features with variances that fall as 1/k, mixed, half of them cut off at 0."""
    path = folder / f"{n}x{d}.pt"
    if path.exists():
        return
    rng = torch.Generator().manual_seed(0)
    scales = torch.arange(1, d + 1, dtype=torch.float64) ** -0.5
    mixing = torch.randn(d, d, generator=rng, dtype=torch.float64) * scales[:, None]
    real, fake = (
        (torch.randn(n, d, generator=rng, dtype=torch.float64) @ mixing + shift).relu()
        for shift in (0.0, 0.1)
    )
    torch.save({"real": real, "fake": fake}, path)


def measure(case: str, program: str, folder: Path) -> dict[str, float]:
    """One run: in this process, which should do nothing else."""
    n, d = SIZES[case]
    run = runs(case)[program]()
    features = torch.load(folder / f"{n}x{d}.pt", weights_only=True)
    sys.stdout = sys.stderr  # some programs print
    Path("/proc/self/clear_refs").write_text("5")  # the peak is from here on
    before = _memory("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    value = run(features["real"], features["fake"])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = _memory("VmHWM") - before
    return {"value": float(value), "wall_s": wall, "cpu_s": cpu, "peak_mib": peak}


def _memory(what: str) -> float:
    """`VmRSS`, the memory of this process now, or `VmHWM`, its peak, in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(what)]
    return int(line.split()[1]) / 1024


def in_process(case: str, program: str, folder: Path) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--case", case, "--program", program]
    done = subprocess.run(
        [*command, "--features", str(folder)], capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(case: str, rounds: int, folder: Path) -> dict[str, Any]:
    """Every program on one case, in turn."""
    programs = list(runs(case))
    measured: dict[str, list[dict[str, float]]] = {program: [] for program in programs}
    for turn in range(rounds):
        for program in programs if turn % 2 == 0 else programs[::-1]:
            measured[program].append(in_process(case, program, folder))
    ours = measured["gentex"]
    report: dict[str, Any] = {}
    for program, theirs in measured.items():
        report[program] = {
            "value": theirs[0]["value"],
            **{
                key: statistics.median(run[key] for run in theirs)
                for key in ("wall_s", "cpu_s", "peak_mib")
            },
            **{
                f"{key}_over_gentex": statistics.median(
                    run[key] / max(mine[key], 1e-9) for run, mine in zip(theirs, ours, strict=True)
                )
                for key in ("wall_s", "cpu_s", "peak_mib")
            },
            "runs": theirs,
        }
        print(
            f"{case:24s} {program:15s} {report[program]['wall_s']:8.2f} s wall "
            f"{report[program]['cpu_s']:8.2f} s CPU {report[program]['peak_mib']:8.0f} MiB; over "
            f"gentex {report[program]['wall_s_over_gentex']:5.2f} × wall, "
            f"{report[program]['peak_mib_over_gentex']:5.2f} × memory",
            flush=True,
        )
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default="benchmarks/results/speed-metrics.json")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("--features", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        stdout = sys.stdout
        print(json.dumps(measure(options.case, options.program, options.features)), file=stdout)
        return
    peers = {name: package_version(name) for name in PEERS}
    record: dict[str, Any] = {
        "what": "time and memory of metrics on feature tensors, gentex beside others",
        "command": " ".join(["python", *sys.argv]),
        "rounds": options.rounds,
        "environment": environment() | {"peers": peers, "load": os.getloadavg()},
        "cases": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        for case in options.cases:
            write_features(Path(folder), *SIZES[case])
            record["cases"][case] = compare(case, options.rounds, Path(folder))
            options.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
