"""The sample season: committed bytes, and a story that the rules must tell."""
