"""Settlement targets beside our own contract: other people's contracts behind one interface.

settling         what of a published epoch is to be settled: cumulative, and since the last time
target           the interface, and what a plan gets from it: calls, checks, claims
abi, reading     calldata, and what a contract says of itself
ordered_tree     the Airdrop's tree; the URD's is OpenZeppelin's, in `rewards.merkle`
airdrop          WalletConnect's Airdrop: one contract per settlement
urd              Morpho's Universal Rewards Distributor: cumulative amounts
reward_manager   WalletConnect's RewardManager: a record of scores, which pays nothing
kinds            from the name of a target to the target

The default, `epoch-distributor`, is not here: an epoch's folder is its distribution already, and
`rewards.chain` plans and checks it.
"""
