"""Files: strict reading, canonical bytes, atomic publication. Source: rulebook, section 1."""
