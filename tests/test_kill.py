"""A run that is killed at any moment goes on where it stopped, and ends in the same result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full
ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "fixtures" / "models"


@pytest.mark.parametrize("benchmark", ["winoqueer", "misgendering"])
def test_ten_kills_change_nothing(tmp_path, benchmark):
    command = [
        *(sys.executable, str(ROOT / "tests" / "kill_driver.py"), str(MODELS / "sft_dpo"), str(MODELS / "sft")),
        *(benchmark, str(tmp_path / "store"), "10", "3"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["killed"] == 10
    assert told["same"]
    assert told["writes"] == 1, "a stored unit was computed again"
    assert told["stored_before"] >= 10
    assert told["computed_after"] < told["computed_undisturbed"]
    assert told["checks"] > 0
