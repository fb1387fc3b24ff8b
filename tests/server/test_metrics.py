"""The gauges of queues, of one worker and of several."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import REGISTRY
from tests.support.images import jpeg

from menagerie_inference.engine.local import LocalEngine
from menagerie_inference.image import ImageDecoder, InputSpec
from menagerie_inference.registry import Registry
from menagerie_server.metrics import sample

if TYPE_CHECKING:
    from pathlib import Path

PHOTO = jpeg()
SPEC = InputSpec(8, 8)

REPORT = """
import os, subprocess, sys
from menagerie_server.metrics import DECODE_WAITING, exposition
DECODE_WAITING.set(int(sys.argv[1]))
if len(sys.argv) > 2:
    subprocess.run([sys.executable, "-c", sys.argv[2], "5"], check=True)
    print(exposition().decode())
"""


async def test_what_waits_and_runs_is_counted() -> None:
    free = threading.Event()
    manifest = Registry.for_profile("embedded").manifest_for("people")
    shape = (40, manifest.input.height, manifest.input.width, 3)
    async with ImageDecoder(threads=1) as decoder, LocalEngine(cores=1) as engine:
        model = await engine.load(manifest)
        calls = [
            asyncio.create_task(decoder.decode_then(lambda _: free.wait(20), photographs, (SPEC,)))
            for photographs in ([PHOTO], [PHOTO], [PHOTO] * 4)
        ]
        asked = asyncio.create_task(model.infer(np.zeros(shape, np.uint8)))
        await asyncio.sleep(0)
        sample(decoder, engine.models)
        assert (gauge("decode_waiting"), gauge("decode_running")) == (5, 1)
        waiting, running = (gauge(f"model_{how}", model=manifest.identity) for how in ("waiting", "running"))
        assert waiting + running == 40
        free.set()
        await asyncio.gather(asked, *calls)
        sample(decoder, engine.models)
        assert (gauge("decode_waiting"), gauge("decode_running")) == (0, 0)
        assert gauge("model_waiting", model=manifest.identity) == 0


def gauge(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"menagerie_{name}", labels)
    assert value is not None
    return value


def test_what_waited_in_a_worker_that_has_ended_waits_no_more(tmp_path: Path) -> None:
    command = [sys.executable, "-c", REPORT, "2", REPORT]
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    found = subprocess.run(command, env=shared, check=True, capture_output=True, text=True).stdout
    assert "menagerie_decode_waiting 2.0" in found.splitlines()
