// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @title  A stand-in for WalletConnect's Airdrop, for tests only
/// @notice Written anew from its interface: the same functions, leaf and rules, none of its code.
contract StandInAirdrop {
    error Refused(string why);

    bytes32 private constant PAUSER = keccak256("PAUSER_ROLE");

    address public immutable reserveAddress;
    bytes32 public immutable merkleRoot;
    address public immutable token;
    bool public paused;
    mapping(address => bool) public claimed;
    mapping(bytes32 => mapping(address => bool)) public hasRole;

    constructor(address admin, address pauser, address reserve, bytes32 root, address paidToken) {
        if (reserve == address(0) || root == 0 || paidToken == address(0)) revert Refused("a zero");
        reserveAddress = reserve;
        merkleRoot = root;
        token = paidToken;
        hasRole[0][admin] = true;
        hasRole[PAUSER][pauser] = true;
    }

    function claimTokens(uint256 index, uint256 amount, bytes32[] calldata merkleProof) external {
        if (paused) revert Refused("paused");
        if (amount == 0) revert Refused("nothing");
        if (claimed[msg.sender]) revert Refused("claimed already");
        claimed[msg.sender] = true;
        bytes32 leaf = keccak256(abi.encodePacked(index, msg.sender, amount));
        if (!MerkleProof.verify(merkleProof, merkleRoot, leaf)) revert Refused("no such leaf");
        if (!IERC20(token).transferFrom(reserveAddress, msg.sender, amount)) revert Refused("no transfer");
    }

    function pause() external {
        if (!hasRole[PAUSER][msg.sender]) revert Refused("no role");
        paused = true;
    }
}

/// @notice Answers as the other one does, but is another contract.
contract StrangeAirdrop is StandInAirdrop {
    uint256 public strange = 1;

    constructor(address admin, address pauser, address reserve, bytes32 root, address paidToken)
        StandInAirdrop(admin, pauser, reserve, root, paidToken)
    {}
}
