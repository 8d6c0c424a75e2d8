"""The rehearsal: a settlement played through on a chain without value, to the last claim."""
