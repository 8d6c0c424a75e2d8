"""The chain: contract bindings, endpoints, accounts, sending, the settlement check."""
