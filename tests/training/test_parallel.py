"""Data-parallel training under torchrun: two processes on the CPU, with gloo."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("parallel.py")


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """What each scenario ended with in the two processes, by its name."""
    folder = tmp_path_factory.mktemp("parallel")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [sys.executable, *command, str(SCRIPT), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr

    def read(name):
        return [torch.load(folder / f"{name}.{rank}.pt", weights_only=True) for rank in (0, 1)]

    read.folder = folder
    return read


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("parallel", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def same(one, other):
    return all(torch.equal(one["model"][name], other["model"][name]) for name in one["model"])


def test_two_processes_do_what_one_does_with_the_doubled_batch(ended, script):
    first, second = ended("plain")
    alone = script.build(script.Plain)
    history = script.train(alone, clip_grad_norm=0.05, ema=0.5)
    assert (first["steps"], first["images"]) == (history.steps, history.images) == (6, 48)
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(first["model"][name], value, rtol=1e-5, atol=1e-6)
    halves = [a + b for a, b in zip(first["logged"], second["logged"], strict=True)]
    assert halves == pytest.approx(alone.logged)
    assert first["logged"] != second["logged"]


def test_all_processes_end_with_the_same_bits(ended):
    """Also those that began with other weights, and the running statistics of batch norm."""
    for name in ("plain", "whole", "parts", "seconds"):
        assert same(*ended(name))


def test_the_noise_of_each_process_is_its_own(ended):
    first, second = ended("whole")
    assert not set(first["logged"]) & set(second["logged"])
    assert len(set(first["logged"])) == 6


def test_a_missing_gradient_counts_as_zero_where_another_process_has_one(ended):
    """Step 0.5: a gradient of g and a decay of 0.5 make 1 - 0.5 (g + 0.5)."""
    for result in ended("lopsided"):
        model = result["model"]
        assert model["first"].tolist() == [0.5, 0.5]  # 1 there and none here: ½
        assert model["none"].tolist() == [1.0, 1.0]  # passed over, as in one process
        assert model["all"].tolist() == [0.5, 0.5]


def test_what_overflows_in_one_process_is_passed_over_in_all(ended):
    for result in ended("overflowing"):
        assert result["model"]["all"].tolist() == [1.0, 1.0]


def test_the_clock_of_the_first_process_decides(ended):
    first, second = ended("seconds")
    assert first["steps"] == second["steps"] == 5


def test_resumes_to_the_bit(ended):
    for whole, parts in zip(ended("whole"), ended("parts"), strict=True):
        assert same(whole, parts)
        assert parts["logged"] == whole["logged"][3:]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed on Linux")
def test_no_thread_of_the_group_is_left_when_a_process_ends(ended):
    """One that still runs while Python ends can abort the process after all its work is done."""
    for rank in (0, 1):
        names = (ended.folder / f"threads.{rank}").read_text().splitlines()
        assert names
        assert not [name for name in names if "gloo" in name]
