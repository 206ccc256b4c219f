"""Peak memory of separating a photograph of 12 megapixels, 4000×3000, as a user does it.

    python benchmarks/speed/memory.py --out benchmarks/results/memory-separation.json

Each separator is a `gentex separate` of its own; its peak is what the operating system says of the
process, Python and PyTorch with it. Iterations are cut short: their peak is reached in the first
round. The photograph is a smaller one of the scikit-image wheel, enlarged, with noise so that
nothing in it is flat.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from gentex.bench.environment import environment

SIZE = (4000, 3000)
SEPARATORS: dict[str, tuple[str, ...]] = {
    "identity": (),
    "gaussian": (),
    "median": (),
    "rof": ("tolerance=1.0",),
    "tv-l1": ("tolerance=1.0",),
    "tv-g": ("tolerance=1.0",),
    "rtv": ("rounds=1", "tolerance=0.1"),
    "l0": ("growth=100.0",),
    "rolling-guidance": ("rounds=1",),
    "guided": (),
    "bilateral": (),
    "mca": ("rounds=2",),
    "unet": (),
    "dncnn": (),
    "unrolled": (),
}
"""By name, with what cuts an iteration short."""
MIB = 1024  # ru_maxrss is in KiB on Linux


def photograph(path: Path) -> None:
    """A JPEG of 4000×3000."""
    photographs: Any = data  # has types for some of its functions only
    enlarged = np.asarray(
        Image.fromarray(photographs.coffee()).resize(SIZE, Image.Resampling.BICUBIC)
    )
    noise = np.random.default_rng(0).normal(0, 6, enlarged.shape)
    Image.fromarray((enlarged + noise).clip(0, 255).astype(np.uint8)).save(path, quality=92)


def measured(method: str, photo: Path, out: Path) -> dict[str, Any]:
    """Peak memory in MiB of one command."""
    command = ["gentex", "separate", photo.name, "--method", method, "-o", out.name]
    command += [word for value in SEPARATORS[method] for word in ("-p", value)]
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=photo.parent, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    return {
        "command": " ".join(command),
        "exit_code": os.waitstatus_to_exitcode(status),
        "peak_memory_mib": round(usage.ru_maxrss / MIB),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=[*SEPARATORS])
    options = parser.parse_args()
    record: dict[str, Any] = {
        "environment": environment() | {"command": " ".join(["python", *sys.argv])},
        "results": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photograph.jpg"
        photograph(photo)
        for method in options.methods:
            result = measured(method, photo, Path(folder) / "out")
            record["results"][method] = result
            print(f"{method:18} {result['peak_memory_mib']:6} MiB")
            options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
