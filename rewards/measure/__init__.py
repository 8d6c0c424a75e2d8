"""Measurement: raw telemetry to the score rows that an epoch starts from (`measure-1`).

The aggregations are written once as Ibis expressions (`probes`, `events`); an engine (`engines`)
runs them, DuckDB inside this process or Apache Spark on a cluster. Everything after that is small
and done here in Python integers, so nothing that is published depends on the engine.
"""
