"""Epoch rewards of the WalletConnect Network, computed to the wei and settled on chain."""

__version__ = "0.1.0"
