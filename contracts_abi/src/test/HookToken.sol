// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Makes one call set beforehand in the middle of the next transfer, as a token with hooks lets a receiver do,
///         and keeps what came of it.
contract HookToken is ERC20("Hook", "HOOK") {
    address public target;
    bytes public call;
    bool public succeeded;
    bytes public result;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setHook(address target_, bytes calldata call_) external {
        (target, call) = (target_, call_);
    }

    function _update(address from, address to, uint256 value) internal override {
        address target_ = target;
        if (target_ != address(0) && from != address(0)) {
            delete target;
            (succeeded, result) = target_.call(call);
        }
        super._update(from, to, value);
    }
}
