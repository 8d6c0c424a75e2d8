"""The report: its numbers, its bytes, its scripts, and how it behaves in a browser."""
