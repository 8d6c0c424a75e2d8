"""The fast paths, each held against its plain form."""
