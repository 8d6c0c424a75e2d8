// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title  A worthless stand-in for WCT, for rehearsals
/// @notice Plain ERC-20 with 18 decimals, minted by whoever deployed it.
contract TestToken is ERC20, Ownable {
    constructor() ERC20("Test WCT", "tWCT") Ownable(msg.sender) {}

    /// @notice Creates `amount` base units for `to`. Callable by the owner.
    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}
