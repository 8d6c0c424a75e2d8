// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title  A stand-in for WalletConnect's RewardManager, for tests only
/// @notice Written anew from its interface. Unlike the real one it shows what it works out: an event
///         per share, where the real one does nothing with it.
contract StandInRewardManager {
    struct PerformanceData {
        address[] nodes;
        uint256[] performance;
        uint256 reportingEpoch;
    }

    error Refused(string why);

    event Share(address node, uint256 amount);

    address public immutable owner;
    address public immutable walletConnectConfig;
    uint256 public immutable maxRewardsPerEpoch;
    uint256 public lastUpdatedEpoch;

    constructor(address firstOwner, address config, uint256 maxRewards) {
        owner = firstOwner;
        walletConnectConfig = config;
        maxRewardsPerEpoch = maxRewards;
    }

    function postPerformanceRecords(PerformanceData calldata data) external {
        if (msg.sender != owner) revert Refused("owner only");
        if (data.reportingEpoch <= lastUpdatedEpoch) revert Refused("epochs rise");
        if (data.nodes.length != data.performance.length) revert Refused("lengths");
        uint256 total;
        for (uint256 i; i < data.performance.length; i++) total += data.performance[i];
        if (total == 0) revert Refused("all zero");
        lastUpdatedEpoch = data.reportingEpoch;
        for (uint256 i; i < data.nodes.length; i++) {
            if (data.performance[i] == 0) continue;
            emit Share(data.nodes[i], maxRewardsPerEpoch * data.performance[i] / total);
        }
    }
}

/// @title  A stand-in for WalletConnectConfig and PermissionedNodeRegistry in one, for tests only
contract StandInRegistry {
    uint8 public immutable maxNodes;
    mapping(address => bool) public isNodeWhitelisted;

    constructor(uint8 most, address[] memory nodes) {
        maxNodes = most;
        for (uint256 i; i < nodes.length; i++) isNodeWhitelisted[nodes[i]] = true;
    }

    function getPermissionedNodeRegistry() external view returns (address) {
        return address(this);
    }
}
