"""The two engines that run the same Ibis expressions: DuckDB in this process, Spark on a cluster.

An engine reads a source as a table of fixed column types, makes small tables of Python values,
keeps intermediate rows outside Python's memory, and fetches the (small) results as Python integers
and strings. Which engine ran never shows in a result: the expressions use integers only.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewards.errors import Finding, InvalidInput
from rewards.measure.sources import CSV

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import ibis.expr.types as ir

    from rewards.measure.sources import Source

DUCKDB, SPARK = "duckdb", "spark"
ENGINES = (DUCKDB, SPARK)
DEFAULT_MEMORY = "1GB"
ROWS_AT_ONCE = 2_000_000
"""Rows that DuckDB groups at once. Small enough to stay in memory and the processor's caches, so
that memory does not grow with the telemetry and little is ever spilled."""
SHOWN_LINES = 3
TICK_SECONDS = 2


class Engine(ABC):
    """Runs expressions."""

    name: str
    version: str

    @abstractmethod
    def scan(self, source: Source) -> ir.Table:
        """Return the source's rows, its columns of the types in the files (text for CSV)."""

    @abstractmethod
    def lookup(self, name: str, columns: Mapping[str, Sequence[Any]]) -> ir.Table:
        """Return a small table of Python values: integers, strings, booleans."""

    @property
    @abstractmethod
    def rows_at_once(self) -> int | None:
        """How many rows are best grouped at once; None where the engine cuts its work itself."""

    @abstractmethod
    def keep(self, name: str, rows: ir.Table) -> ir.Table:
        """Compute rows once and keep them for the next few queries."""

    @abstractmethod
    def store(self, name: str, rows: ir.Table) -> ir.Table:
        """Compute rows once and keep them on disk, outside this process's memory."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Forget rows that were kept."""

    @abstractmethod
    def fetch(self, table: ir.Table) -> list[tuple[Any, ...]]:
        """Return the rows of a result as tuples of Python values."""

    def fetch_one(self, table: ir.Table) -> dict[str, Any]:
        """Return the only row of a result, by column."""
        return dict(zip(table.columns, self.fetch(table)[0], strict=True))

    @abstractmethod
    def close(self) -> None:
        """Free everything."""


class DuckDb(Engine):
    """DuckDB inside this process; what does not fit into its memory goes to a scratch folder."""

    name = DUCKDB

    def __init__(self, memory: str, scratch: Path | None, progress: Callable[[str], None]) -> None:
        import duckdb  # noqa: PLC0415 - heavy
        import ibis  # noqa: PLC0415 - heavy

        self.version = duckdb.__version__
        self._progress = progress
        if scratch:
            scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = Path(tempfile.mkdtemp(prefix="rewards-measure-", dir=scratch))
        self._stored: dict[str, Path] = {}
        self._scans = 0
        try:
            self._ibis = ibis.duckdb.connect(
                memory_limit=memory,
                temp_directory=str(self._scratch / "spill"),
                preserve_insertion_order=False,
            )
        except duckdb.Error as error:
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise InvalidInput(
                Finding("--memory", first_line(error), "write e.g. 1GB", value=memory)
            ) from error

        # Progress is counted, and told by us on stderr: DuckDB itself would write to stdout.
        self._ibis.con.execute("SET enable_progress_bar_print = false")
        self._ibis.con.execute("SET enable_progress_bar = true")

    def scan(self, source: Source) -> ir.Table:
        """Return the rows; CSV is rewritten as Parquet once, for it is read several times."""
        paths = list(source.paths)
        with self._reading(source.label):
            if source.format != CSV:
                # Values of `key=value` folders stay text, whatever they look like.
                return self._ibis.read_parquet(
                    paths, union_by_name=False, hive_partitioning=True, hive_types_autocast=False
                )
            table = self._ibis.read_csv(paths, **CSV_FORM, **_columns(source))
            self._scans += 1
            return self._write(f"csv_{self._scans}", table)

    def lookup(self, name: str, columns: Mapping[str, Sequence[Any]]) -> ir.Table:
        """Return the values as a table of the connection."""
        connection = self._ibis.con
        connection.register("given", arrow_table(columns))
        # The names are those of this package.
        connection.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT * FROM given')  # noqa: S608 - ours
        connection.unregister("given")
        return self._ibis.table(name)

    @property
    def rows_at_once(self) -> int:
        """ROWS_AT_ONCE."""
        return ROWS_AT_ONCE

    def keep(self, name: str, rows: ir.Table) -> ir.Table:
        """Make a table of the rows, in memory as long as there is room."""
        # The names are those of this package, the query is Ibis's.
        query = f'CREATE OR REPLACE TABLE "{name}" AS {self._ibis.compile(rows)}'
        with self._reading("telemetry"):
            self._ibis.con.execute(query)
            return self._ibis.table(name)

    def store(self, name: str, rows: ir.Table) -> ir.Table:
        """Write the rows to a Parquet file in the scratch folder and read them from there."""
        with self._reading("telemetry"):
            return self._write(name, rows)

    def _write(self, name: str, rows: ir.Table) -> ir.Table:
        path = self._scratch / f"{name}.parquet"
        self._ibis.to_parquet(rows, path, compression="lz4")
        self._stored[name] = path
        return self._ibis.read_parquet(path)

    def drop(self, name: str) -> None:
        """Delete the rows' file or table."""
        if name in self._stored:
            self._stored.pop(name).unlink()
        else:
            self._ibis.con.execute(f'DROP TABLE "{name}"')

    def fetch(self, table: ir.Table) -> list[tuple[Any, ...]]:
        """Return the rows, by way of Arrow."""
        with self._reading("telemetry"):
            result = self._ibis.to_pyarrow(table)
        return list(zip(*(column.to_pylist() for column in result.columns), strict=True))

    def close(self) -> None:
        """Close the connection and delete the scratch folder."""
        self._ibis.disconnect()
        shutil.rmtree(self._scratch, ignore_errors=True)

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Turn an engine's error into a finding; tell how far a long query is."""
        import duckdb  # noqa: PLC0415

        done = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(done,), daemon=True)
        ticker.start()
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise InvalidInput(
                Finding(what, f"does not fit: {first_line(error)}", "raise --memory, or use Spark")
            ) from error
        except duckdb.Error as error:
            raise unreadable(what, error) from error
        finally:
            done.set()
            ticker.join()

    def _tick(self, done: threading.Event) -> None:
        while not done.wait(TICK_SECONDS):
            percent = int(self._ibis.con.query_progress())
            if percent > 0:
                self._progress(f"  {percent} % of this step")


CSV_FORM: dict[str, Any] = {
    "header": True,
    "delim": ",",
    "quote": '"',
    "escape": '"',
    "nullstr": "",
    "strict_mode": True,
    "hive_partitioning": True,
    "hive_types_autocast": False,
}
"""CSV as RFC 4180 has it; nothing about it is guessed from the first rows."""


def _columns(source: Source) -> dict[str, Any]:
    """Return how DuckDB learns the columns; only in the cloud it must look by itself."""
    if source.header:
        return {"auto_detect": False, "columns": dict.fromkeys(source.header, "VARCHAR")}
    return {"all_varchar": True}


class Spark(Engine):
    """Apache Spark: a cluster, or `local[N]`; its executors must see the same paths."""

    name = SPARK

    def __init__(self, master: str | None, settings: Mapping[str, str]) -> None:
        try:
            import ibis  # noqa: PLC0415
            from pyspark.errors import PySparkException  # noqa: PLC0415
            from pyspark.sql import SparkSession  # noqa: PLC0415
        except ImportError as error:
            raise InvalidInput(
                Finding("--engine", "needs PySpark", "pip install 'wct-rewards[spark]'")
            ) from error
        builder = SparkSession.builder.appName("rewards measure")
        if master:
            builder = builder.master(master)
        for key, value in {**SPARK_SETTINGS, **settings}.items():
            builder = builder.config(key, value)
        try:
            self._session = builder.getOrCreate()
        except PySparkException as error:
            raise InvalidInput(
                Finding(
                    "--engine",
                    f"does not start: {first_line(error)}",
                    "Spark needs Java 17: install openjdk-17-jre-headless, set JAVA_HOME",
                )
            ) from error
        except Exception as error:  # whatever the gateway to the JVM raises
            raise InvalidInput(
                Finding(
                    "--master",
                    f"cannot be used: {first_line(error)}",
                    "write spark://host:7077, local[2], yarn or k8s://…",
                    value=master or "",
                )
            ) from error
        self._quieten()
        self.version = self._session.version
        self._ibis = ibis.pyspark.connect(self._session)
        self._kept: dict[str, Any] = {}
        self._scans = 0

    def _quieten(self) -> None:
        """Leave stderr to progress and findings: an error is raised, its traces say nothing new."""
        self._session.sparkContext.setLogLevel("OFF")
        logging.getLogger("SQLQueryContextLogger").disabled = True

    def scan(self, source: Source) -> ir.Table:
        """Return the rows as a view of the session."""
        reader = self._session.read
        if source.root:
            reader = reader.option("basePath", source.root)
        with self._reading(source.label):
            if source.format == CSV:
                reader = reader.options(
                    header=True, sep=",", quote='"', escape='"', mode="FAILFAST", nullValue=""
                )
                if source.header:
                    reader = reader.schema(", ".join(f"`{name}` STRING" for name in source.header))
                frame = reader.csv(list(source.paths))
            else:
                frame = reader.parquet(*source.paths)
            self._scans += 1
            view = f"telemetry_{self._scans}"
            frame.createOrReplaceTempView(view)
            return self._ibis.table(view)

    def lookup(self, name: str, columns: Mapping[str, Sequence[Any]]) -> ir.Table:
        """Return the values as a view that joins by broadcast."""
        from pyspark.sql.functions import broadcast  # noqa: PLC0415

        with self._reading(name):
            frame = self._session.createDataFrame(arrow_table(columns))
            broadcast(frame).createOrReplaceTempView(name)
            return self._ibis.table(name)

    @property
    def rows_at_once(self) -> None:
        """None: Spark's shuffle distributes the rows."""

    def keep(self, name: str, rows: ir.Table) -> ir.Table:
        """Let the executors keep the rows, in memory and on their disks."""
        with self._reading(name):
            frame = self._session.sql(self._ibis.compile(rows)).persist()
            frame.createOrReplaceTempView(name)
            self._kept[name] = frame
            return self._ibis.table(name)

    def store(self, name: str, rows: ir.Table) -> ir.Table:
        """As `keep`: what does not fit into the executors' memory goes to their disks."""
        return self.keep(name, rows)

    def drop(self, name: str) -> None:
        """Free the executors' copy."""
        self._kept.pop(name).unpersist()

    def fetch(self, table: ir.Table) -> list[tuple[Any, ...]]:
        """Return the rows; `collect` keeps integers exact where pandas would not."""
        with self._reading("telemetry"):
            return [tuple(row) for row in self._session.sql(self._ibis.compile(table)).collect()]

    def close(self) -> None:
        """End the application on the cluster."""
        self._session.stop()

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        from py4j.protocol import Py4JError  # noqa: PLC0415
        from pyspark.errors import PySparkException  # noqa: PLC0415

        try:
            yield
        except (PySparkException, Py4JError) as error:
            raise unreadable(what, error) from error


SPARK_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow is an error, never a wrapped value
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    # What a user calls s3:// and gs:// is served by the connectors' own schemes.
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
}
"""Settings without which the same rows could give another result; the user's own come on top."""


def open_engine(
    name: str,
    progress: Callable[[str], None],
    *,
    memory: str = DEFAULT_MEMORY,
    scratch: Path | None = None,
    master: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Engine:
    """Start an engine.

    Args:
        name: `duckdb` or `spark`.
        progress: Gets a line now and then.
        memory: What DuckDB may use, e.g. `1GB`.
        scratch: Where DuckDB's scratch folder is made; by default the system's.
        master: Spark's master URL; by default what Spark's own configuration says.
        settings: More Spark settings.

    Raises:
        InvalidInput: It cannot be started.
    """
    if name == DUCKDB:
        return DuckDb(memory, scratch, progress)
    progress("starting Spark")
    return Spark(master, settings or {})


def arrow_table(columns: Mapping[str, Sequence[Any]]) -> Any:  # noqa: ANN401 - pyarrow's
    """Return Python values as an Arrow table: text, 64-bit integers, booleans."""
    import pyarrow as pa  # noqa: PLC0415

    kinds = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
    return pa.table(
        {
            name: pa.array(values, kinds[type(values[0])] if values else pa.string())
            for name, values in columns.items()
        }
    )


def first_line(error: BaseException) -> str:
    """Return the beginning of an engine's message, without its plan and its advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines[:SHOWN_LINES]) or "no message"


def unreadable(what: str, error: BaseException) -> InvalidInput:
    """Return an engine's error as a finding about the telemetry."""
    return InvalidInput(
        Finding(
            what,
            f"cannot be read: {first_line(error)}",
            "check the files: a broken copy, a wrong delimiter or quote, another schema",
        )
    )
