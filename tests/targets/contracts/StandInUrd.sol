// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @title  A stand-in for Morpho's Universal Rewards Distributor, for tests only
/// @notice Written anew from its interface: the same functions, leaf and rules, none of its code.
contract StandInUrd {
    struct Pending {
        bytes32 root;
        bytes32 ipfsHash;
        uint256 validAt;
    }

    error Refused(string why);

    address public owner;
    uint256 public timelock;
    bytes32 public root;
    bytes32 public ipfsHash;
    Pending public pendingRoot;
    mapping(address => bool) public isUpdater;
    mapping(address => mapping(address => uint256)) public claimed;

    constructor(address firstOwner, uint256 firstTimelock) {
        owner = firstOwner;
        timelock = firstTimelock;
    }

    function setRootUpdater(address updater, bool active) external {
        if (msg.sender != owner) revert Refused("owner only");
        isUpdater[updater] = active;
    }

    function submitRoot(bytes32 newRoot, bytes32 newIpfsHash) external {
        _mayUpdate();
        if (newRoot == pendingRoot.root && newIpfsHash == pendingRoot.ipfsHash) revert Refused("pending already");
        pendingRoot = Pending(newRoot, newIpfsHash, block.timestamp + timelock);
    }

    function acceptRoot() external {
        if (pendingRoot.validAt == 0) revert Refused("nothing pending");
        if (block.timestamp < pendingRoot.validAt) revert Refused("too early");
        _store(pendingRoot.root, pendingRoot.ipfsHash);
    }

    function revokePendingRoot() external {
        _mayUpdate();
        if (pendingRoot.validAt == 0) revert Refused("nothing pending");
        delete pendingRoot;
    }

    function setRoot(bytes32 newRoot, bytes32 newIpfsHash) external {
        _mayUpdate();
        if (timelock != 0 && msg.sender != owner) revert Refused("the timelock holds");
        if (newRoot == root && newIpfsHash == ipfsHash) revert Refused("set already");
        _store(newRoot, newIpfsHash);
    }

    function claim(address account, address reward, uint256 claimable, bytes32[] calldata proof)
        external
        returns (uint256 amount)
    {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(account, reward, claimable))));
        if (root == 0 || !MerkleProof.verifyCalldata(proof, root, leaf)) revert Refused("no such leaf");
        uint256 before = claimed[account][reward];
        if (claimable <= before) revert Refused("nothing more");
        claimed[account][reward] = claimable;
        amount = claimable - before;
        if (!IERC20(reward).transfer(account, amount)) revert Refused("no transfer");
    }

    function _mayUpdate() private view {
        if (msg.sender != owner && !isUpdater[msg.sender]) revert Refused("no role");
    }

    function _store(bytes32 newRoot, bytes32 newIpfsHash) private {
        root = newRoot;
        ipfsHash = newIpfsHash;
        delete pendingRoot;
    }
}
