"""Benchmarks: run by `make benchmarks`, never asserted by a test."""
