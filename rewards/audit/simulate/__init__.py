"""Policies side by side over published epochs: what would have been paid, to whom, and why not.

`scenario` says what is changed, `replay` computes the range under it, `measures` compares,
`incentives` asks what splitting and merging would pay, `document` and `plots` hand it out.
"""
