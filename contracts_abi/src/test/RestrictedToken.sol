// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Restricts transfers as WalletConnect's L2WCT does: while the restriction lasts, the sender must be in
///         `allowedFrom` or the receiver in `allowedTo`.
contract RestrictedToken is ERC20("Restricted WCT", "rWCT") {
    mapping(address => bool) public allowedFrom;
    mapping(address => bool) public allowedTo;
    uint256 public transferRestrictionsDisabledAfter = type(uint256).max;

    error TransferRestricted();

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setAllowedFrom(address account, bool allowed) external {
        allowedFrom[account] = allowed;
    }

    function setAllowedTo(address account, bool allowed) external {
        allowedTo[account] = allowed;
    }

    function disableTransferRestrictions() external {
        transferRestrictionsDisabledAfter = 0;
    }

    function _update(address from, address to, uint256 value) internal override {
        bool moves = from != address(0) && to != address(0);
        if (moves && block.timestamp <= transferRestrictionsDisabledAfter && !allowedFrom[from] && !allowedTo[to]) {
            revert TransferRestricted();
        }
        super._update(from, to, value);
    }
}
