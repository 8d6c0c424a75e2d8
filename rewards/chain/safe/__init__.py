"""A plan as a Safe signs it, and whether what a Safe is about to sign is that plan.

Everything here is offline: no endpoint is asked, and no package beyond keccak is loaded.
"""
