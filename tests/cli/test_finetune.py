"""``storewise finetune`` as a process: killed in the middle and resumed, and what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storewise.testing import small_shop, tiny_bert

SHARED = ("--method", "head", "--objective", "contrastive", "--batch-size", "8", "--steps", "40",
          "--validate-every", "4", "--patience", "0", "--seed", "3")  # fmt: skip


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for library in ("torch", "transformers", "peft", "onnxruntime"):
        pytest.importorskip(library, reason="needs the extra finetune")
    return tiny_bert.write(tmp_path_factory.mktemp("bert"))


def start(shop: Path, bert: Path, *more: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "storewise",
        "finetune",
        "--shop",
        str(shop),
        "--model",
        str(bert),
        *SHARED,
        *more,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_killed_in_the_middle_it_ends_in_the_same_weights(bert: Path, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    small_shop.open_store(shop).close()
    killed = start(shop, bert, "--name", "killed")
    state = shop / "models" / "killed-run" / "checkpoint" / "state.json"
    deadline = time.monotonic() + 120
    while not state.is_file() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert state.is_file()
    resumed = start(shop, bert, "--name", "killed", "--resume")
    whole = start(shop, bert, "--name", "whole")
    out, errors = resumed.communicate(timeout=240)
    assert resumed.returncode == 0, errors
    assert "1,024 parameters trained with head" in out
    assert "mean reciprocal rank of held-out pairs" in out
    assert whole.communicate(timeout=240)[0].splitlines()[0] == out.splitlines()[0]
    models = [(shop / "models" / name / "model.safetensors").read_bytes() for name in ("killed", "whole")]
    assert models[0] == models[1]


def test_what_cannot_be_is_said_before_anything_runs(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from storewise.cli.app import app
    from storewise.core.errors import ConfigError

    for options, told in (
        (["--method", "qlora"], "'method.method' is 'qlora'"),
        (["--name", "../../etc"], "cannot name a model"),
    ):
        found = CliRunner().invoke(app, ["finetune", "--shop", str(tmp_path), *options])
        assert isinstance(found.exception, ConfigError)
        assert told in str(found.exception)
