// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A token with a second address (as some tokens behind two proxies have): `face` moves the same balances.
contract TwoFacedToken is ERC20("Two", "TWO") {
    SecondFace public immutable face = new SecondFace(this);

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function transferFor(address from, address to, uint256 value) external returns (bool) {
        require(msg.sender == address(face));
        _transfer(from, to, value);
        return true;
    }
}

contract SecondFace {
    TwoFacedToken private immutable _token;

    constructor(TwoFacedToken token) {
        _token = token;
    }

    function balanceOf(address account) external view returns (uint256) {
        return _token.balanceOf(account);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        return _token.transferFor(msg.sender, to, value);
    }
}
