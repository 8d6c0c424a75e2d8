"""A standalone Spark cluster: a master and two worker processes on this machine.

Only `make test-all` comes here; a missing Java or PySpark is then a failure, not a skip.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rewards.measure.engines import Engine, open_engine
from tests.measure.telemetry import silent

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 120
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "3",  # the data are tiny, the shuffle is real
    "spark.executor.memory": "512m",
    "spark.cores.max": "2",
    "spark.executor.cores": "1",
    "spark.driver.host": "127.0.0.1",
}


class Cluster:
    """The cluster's processes, and the engine on it."""

    def __init__(self, folder: Path) -> None:
        import pyspark

        self.folder = folder
        self.home = Path(pyspark.__file__).parent
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> str:
        assert shutil.which("java") or "JAVA_HOME" in os.environ, "install openjdk-17-jre-headless"
        master = self._launch("master", "deploy.master.Master", "--port", "0", "--webui-port", "0")
        url = self._wait(master, r"Starting Spark master at (spark://\S+)")[0]
        workers = [
            self._launch(
                f"worker-{n}",
                "deploy.worker.Worker",
                # Room for two applications: the command line starts one of its own.
                *("--cores", "2", "--memory", "2g", "--webui-port", "0"),
                *("--work-dir", str(self.folder / f"work-{n}"), url),
            )
            for n in (1, 2)
        ]
        for worker in workers:
            self._wait(worker, r"(Successfully registered with master)")
        return url

    def _launch(self, name: str, role: str, *arguments: str) -> Path:
        log = self.folder / f"{name}.log"
        command = [str(self.home / "bin" / "spark-class"), f"org.apache.spark.{role}"]
        environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(self.home)}
        with log.open("wb") as output:
            self.processes.append(
                subprocess.Popen(
                    [*command, "--host", "127.0.0.1", *arguments],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                )
            )
        return log

    def _wait(self, log: Path, pattern: str) -> list[str]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if found := re.findall(pattern, log.read_text()):
                return found
            time.sleep(0.2)
        raise AssertionError(f"{log.name}: {log.read_text()[-2000:]}")

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(timeout=30)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The master's URL."""
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def spark(cluster: str) -> Iterator[Engine]:
    """The engine, with an executor in each of the two workers."""
    engine = open_engine("spark", silent, master=cluster, settings=SETTINGS)
    yield engine
    engine.close()
