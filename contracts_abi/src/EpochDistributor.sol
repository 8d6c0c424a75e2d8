// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IEpochDistributor} from "./IEpochDistributor.sol";

/// @title  EpochDistributor
/// @notice Every function is described in IEpochDistributor, from which the documentation is inherited. NOT AUDITED.
contract EpochDistributor is IEpochDistributor, EIP712, ReentrancyGuardTransient {
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    uint256 private constant MAX_SKIP = 400; // a mistyped epoch must not use up the numbers
    uint256 private constant MAX_DELAY = 14 days;
    uint256 private constant MAX_CHANGE_DELAY = 30 days;
    uint256 private constant PROPOSAL_LIFETIME = 30 days; // outlasts two pauses of activation
    uint256 private constant CHANGE_LIFETIME = 14 days;
    uint256 private constant PAUSE_DURATION = 14 days;

    bytes32 private constant ATTESTATION_TYPEHASH =
        keccak256(
            "Attestation(uint256 previousEpoch,uint256 epoch,uint256 attempt,bytes32 root,"
            "uint256 cumulativeTotal,bytes32 manifestHash,uint256 rise)"
        );

    /// @dev All that a claim reads besides its root and its account, in one slot.
    struct Ledger {
        uint128 outstanding;
        uint48 epoch; // the active one
        uint40 claimsPausedUntil;
        uint8 slot; // of `_records`, the active one
        bool retired;
    }

    struct Record {
        bytes32 root;
        bytes32 manifestHash;
        uint128 cumulativeTotal;
        uint48 epoch;
        uint32 attempt;
        uint40 activatableAt;
        bool vetoed;
    }

    /// @dev A leaky bucket: `used` drains by `perDay`, and a rise must fit between it and `burst`.
    struct Cap {
        uint128 burst;
        uint128 perDay;
    }

    /// @dev What else a proposal is held against, in one slot.
    struct Rules {
        uint128 used; // of the cap, at `usedAt`
        uint40 usedAt;
        uint32 delay;
        uint32 reductionDelay;
        uint8 threshold;
        uint8 attesterCount;
    }

    struct Account {
        uint128 claimed;
        bool redirected; // so that only accounts with a recipient pay for reading it
    }

    struct Change {
        uint40 readyAt;
        bool ofGuardian;
    }

    struct Rest {
        uint40 claims;
        uint40 activation;
    }

    IERC20 public immutable token;
    address public immutable treasury;
    uint256 public immutable initialEpoch;
    uint256 public immutable minimumDelay;
    uint256 public immutable changeDelay;

    Ledger private _ledger;

    /// @dev One is active, the other takes the next proposal; activation swaps them. Nothing is copied or cleared.
    ///      The other is about a proposal on top of the active epoch exactly if its epoch is greater.
    Record[2] private _records;

    Cap private _cap;
    Rules private _rules;
    address private _admin;
    uint40 private _activationPausedUntil;
    address private _pendingAdmin;
    mapping(address account => uint256) private _roles; // one bit per Role
    mapping(address guardian => Rest) private _rests;
    mapping(address account => Account) private _accounts;
    mapping(address account => address) private _recipients;
    mapping(bytes32 id => Change) private _changes;

    modifier onlyAdmin() {
        if (msg.sender != _admin) revert NotAdmin(msg.sender);
        _;
    }

    modifier onlyRole(Role role) {
        if (!hasRole(role, msg.sender)) revert MissingRole(role, msg.sender);
        _;
    }

    modifier notRetired() {
        if (_ledger.retired) revert AlreadyRetired();
        _;
    }

    constructor(Config memory config) EIP712("EpochDistributor", "1") {
        if (address(config.token).code.length == 0) revert NotAToken(address(config.token));
        if (config.admin == address(0)) revert ZeroAddress();
        if (config.minimumDelay == 0 || config.changeDelay < config.minimumDelay) revert InvalidDelays();
        if (config.changeDelay > MAX_CHANGE_DELAY) revert InvalidDelays();

        token = config.token;
        treasury = config.treasury;
        initialEpoch = config.initialEpoch.toUint48();
        minimumDelay = config.minimumDelay;
        changeDelay = config.changeDelay;
        if (!_isPayable(config.treasury, config.token)) revert NotPayable(config.treasury);

        _admin = config.admin;
        emit AdminTransferred(address(0), config.admin);
        _grantAll(Role.Proposer, config.proposers);
        _grantAll(Role.Attester, config.attesters);
        _grantAll(Role.Guardian, config.guardians);
        _setDelays(config.delay, config.reductionDelay, config.minimumDelay);
        _setThreshold(config.threshold);
        _setCap(config.capBurst, config.capPerDay);
    }

    // -------------------------------------------------------------------------------------------------- settlement

    function propose(
        Proposal calldata proposal,
        bytes32[] calldata sentinelProof,
        Attestation[] calldata attestations
    ) external onlyRole(Role.Proposer) notRetired {
        _checkPlace(proposal.previousEpoch, proposal.epoch, proposal.attempt);
        bytes32 sentinel = leafHash(proposal.epoch, address(this), proposal.cumulativeTotal);
        if (sentinelProof.length == 0 || !MerkleProof.verifyCalldata(sentinelProof, proposal.root, sentinel)) {
            revert InvalidSentinelProof();
        }

        uint256 activatableAt = block.timestamp + _checkTotal(proposal.cumulativeTotal);
        _checkAttestations(proposal, attestations);

        _records[1 - _ledger.slot] = Record({
            root: proposal.root,
            manifestHash: proposal.manifestHash,
            cumulativeTotal: proposal.cumulativeTotal.toUint128(),
            epoch: proposal.epoch.toUint48(),
            attempt: proposal.attempt.toUint32(),
            activatableAt: activatableAt.toUint40(),
            vetoed: false
        });
        emit Proposed(
            proposal.epoch,
            proposal.attempt,
            msg.sender,
            proposal.previousEpoch,
            proposal.root,
            proposal.cumulativeTotal,
            proposal.manifestHash,
            activatableAt
        );
    }

    function veto(uint256 epoch, uint256 attempt, string calldata reason) external onlyRole(Role.Guardian) {
        _pendingRecord(epoch, attempt).vetoed = true;
        emit Vetoed(epoch, attempt, msg.sender, reason);
    }

    function activate(uint256 epoch, uint256 attempt) external nonReentrant notRetired {
        Record storage next = _pendingRecord(epoch, attempt);
        if (block.timestamp < next.activatableAt) revert TooEarly(next.activatableAt);
        if (block.timestamp < _activationPausedUntil) revert ActivationPaused(_activationPausedUntil);

        uint256 total = next.cumulativeTotal;
        uint256 claimedTotal = _claimedTotal();
        if (total < claimedTotal) revert TotalBelowClaimed(total, claimedTotal);
        uint256 outstanding = total - claimedTotal;
        uint256 balance = token.balanceOf(address(this));
        if (balance < outstanding) revert Underfunded(balance, outstanding);

        // The cap was checked at proposal; here it is only used up. A cap tightened since may leave less than the
        // rise, and must not stop it.
        uint256 used = _used(block.timestamp) + _rise(total);
        _rules.used = uint128(Math.min(used, type(uint128).max));
        _rules.usedAt = uint40(block.timestamp);

        _ledger.outstanding = uint128(outstanding);
        _ledger.epoch = uint48(epoch);
        _ledger.slot = 1 - _ledger.slot;
        emit Activated(epoch, attempt, next.root, total, next.manifestHash, outstanding);
    }

    // ------------------------------------------------------------------------------------------------------ claims

    function claim(uint256 epoch, address account, uint256 cumulative, bytes32[] calldata proof)
        external
        nonReentrant
        returns (uint256 amount)
    {
        return _claim(_claimableRoot(epoch), epoch, account, cumulative, proof);
    }

    function claimMany(uint256 epoch, Claim[] calldata claims) external nonReentrant returns (uint256 total) {
        bytes32 root = _claimableRoot(epoch);
        address last;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata item = claims[i];
            address account = item.account;
            if (account <= last) revert AccountsNotAscending(account);
            last = account;
            total += _claim(root, epoch, account, item.cumulative, item.proof);
        }
    }

    function setRecipient(address recipient) external {
        bool redirected = recipient != address(0) && recipient != msg.sender;
        if (redirected && !_isPayable(recipient, token)) revert NotPayable(recipient);
        _accounts[msg.sender].redirected = redirected;
        _recipients[msg.sender] = redirected ? recipient : address(0);
        emit RecipientSet(msg.sender, redirected ? recipient : msg.sender);
    }

    // ------------------------------------------------------------------------------------------------------ brakes

    function pause(bool claims, bool activation) external onlyRole(Role.Guardian) {
        if (!claims && !activation) revert NothingToPause();
        uint40 until = uint40(block.timestamp + PAUSE_DURATION);
        uint40 rested = uint40(block.timestamp + 2 * PAUSE_DURATION);
        Rest storage rest = _rests[msg.sender];
        if (claims) {
            if (block.timestamp < rest.claims) revert MustRest(rest.claims);
            rest.claims = rested;
            _ledger.claimsPausedUntil = until;
        }
        if (activation) {
            if (block.timestamp < rest.activation) revert MustRest(rest.activation);
            rest.activation = rested;
            _activationPausedUntil = until;
        }
        emit Paused(msg.sender, claims, activation, until);
    }

    function unpause(bool claims, bool activation) external onlyAdmin {
        if (claims) _ledger.claimsPausedUntil = 0;
        if (activation) _activationPausedUntil = 0;
        emit Unpaused(claims, activation);
    }

    // --------------------------------------------------------------------------------------------------- the admin

    function sweep(address asset) external nonReentrant onlyAdmin returns (uint256 amount) {
        amount = sweepable(asset);
        if (amount == 0) revert NothingToSweep(asset);
        uint256 kept = Math.min(token.balanceOf(address(this)), reserved());
        IERC20(asset).safeTransfer(treasury, amount);
        // A second address of the reward token would pass as another token.
        uint256 balance = token.balanceOf(address(this));
        if (balance < kept) revert ReserveTouched(balance, kept);
        emit Swept(asset, amount);
    }

    function schedule(bytes calldata change) external onlyAdmin returns (bytes32 id) {
        id = keccak256(change);
        uint256 readyAt = scheduledAt(id);
        if (readyAt != 0 && block.timestamp <= readyAt + CHANGE_LIFETIME) revert AlreadyScheduled(id, readyAt);
        readyAt = block.timestamp + changeDelay;
        _changes[id] = Change({readyAt: uint40(readyAt), ofGuardian: bytes4(change) == this.setGuardian.selector});
        emit ChangeScheduled(id, change, readyAt);
    }

    function cancel(bytes32[] calldata ids) external returns (uint256 cancelled) {
        bool isAdmin = msg.sender == _admin;
        if (!isAdmin && !hasRole(Role.Guardian, msg.sender)) revert MissingRole(Role.Guardian, msg.sender);
        for (uint256 i = 0; i < ids.length; ++i) {
            Change memory change = _changes[ids[i]];
            if (change.readyAt == 0) continue;
            if (change.ofGuardian && !isAdmin) revert GuardianChange(ids[i]);
            delete _changes[ids[i]];
            ++cancelled;
            emit ChangeCancelled(ids[i], msg.sender);
        }
        if (cancelled == 0) revert NothingToCancel();
    }

    function setProposer(address account, bool granted) external onlyAdmin {
        if (granted) _useScheduled();
        _setRole(Role.Proposer, account, granted);
    }

    function setAttester(address account, bool granted) external onlyAdmin {
        if (granted) _useScheduled();
        _setRole(Role.Attester, account, granted);
    }

    function setGuardian(address account, bool granted) external onlyAdmin {
        if (granted) {
            // Otherwise a stolen admin key could trap the holders: appoint guardians who pause claims at once.
            Rest storage rest = _rests[account];
            rest.claims = uint40(Math.max(rest.claims, block.timestamp + changeDelay));
        } else {
            _useScheduled();
        }
        _setRole(Role.Guardian, account, granted);
    }

    function setDelays(uint256 delay_, uint256 reductionDelay_) external onlyAdmin {
        if (delay_ < _rules.delay || reductionDelay_ < _rules.reductionDelay) _useScheduled();
        _setDelays(delay_, reductionDelay_, minimumDelay);
    }

    function setThreshold(uint256 threshold_) external onlyAdmin {
        if (threshold_ < _rules.threshold) _useScheduled();
        _setThreshold(threshold_);
    }

    function setCap(uint256 burst, uint256 perDay) external onlyAdmin {
        if (burst > _cap.burst || perDay > _cap.perDay) _useScheduled();
        // The time until now drains at the old rate.
        _rules.used = uint128(_used(block.timestamp));
        _rules.usedAt = uint40(block.timestamp);
        _setCap(burst, perDay);
    }

    function transferAdmin(address newAdmin) external onlyAdmin {
        if (newAdmin != address(0)) _useScheduled();
        _pendingAdmin = newAdmin;
        emit AdminTransferStarted(newAdmin);
    }

    function acceptAdmin() external {
        if (msg.sender != _pendingAdmin) revert NotPendingAdmin(msg.sender);
        emit AdminTransferred(_admin, msg.sender);
        _admin = msg.sender;
        delete _pendingAdmin;
    }

    function retire() external nonReentrant onlyAdmin notRetired {
        _useScheduled();
        emit Retired(_ledger.epoch, _records[_ledger.slot].cumulativeTotal, _claimedTotal());
        _ledger.retired = true;
    }

    // ------------------------------------------------------------------------------------------------------- views

    function active() external view returns (ActiveState memory) {
        Record storage record = _records[_ledger.slot];
        return ActiveState({
            epoch: record.epoch,
            root: record.root,
            manifestHash: record.manifestHash,
            cumulativeTotal: record.cumulativeTotal,
            claimedTotal: _claimedTotal(),
            outstanding: _ledger.retired ? 0 : _ledger.outstanding
        });
    }

    function pending() external view returns (PendingState memory state) {
        Record storage next = _records[1 - _ledger.slot];
        state.status = _status(next);
        state.nextAttempt = 1;
        if (state.status == Status.None) return state;
        state.epoch = next.epoch;
        state.attempt = next.attempt;
        state.root = next.root;
        state.manifestHash = next.manifestHash;
        state.cumulativeTotal = next.cumulativeTotal;
        state.activatableAt = next.activatableAt;
        state.lapsesAt = state.activatableAt + PROPOSAL_LIFETIME;
        state.required = Math.saturatingSub(state.cumulativeTotal, _claimedTotal());
        state.nextAttempt = state.attempt + 1;
    }

    function settings() external view returns (Settings memory) {
        return Settings({
            admin: _admin,
            pendingAdmin: _pendingAdmin,
            delay: _rules.delay,
            reductionDelay: _rules.reductionDelay,
            threshold: _rules.threshold,
            attesterCount: _rules.attesterCount,
            capBurst: _cap.burst,
            capPerDay: _cap.perDay,
            claimsPausedUntil: _ledger.claimsPausedUntil,
            activationPausedUntil: _activationPausedUntil,
            retired: _ledger.retired
        });
    }

    function claimed(address account) external view returns (uint256) {
        return _accounts[account].claimed;
    }

    function recipientOf(address account) public view returns (address) {
        return _accounts[account].redirected ? _recipients[account] : account;
    }

    function hasRole(Role role, address account) public view returns (bool) {
        return _roles[account] & (1 << uint256(role)) != 0;
    }

    function restsUntil(address guardian) external view returns (uint256 claims, uint256 activation) {
        Rest storage rest = _rests[guardian];
        return (rest.claims, rest.activation);
    }

    function scheduledAt(bytes32 id) public view returns (uint256) {
        return _changes[id].readyAt;
    }

    function reserved() public view returns (uint256 amount) {
        if (_ledger.retired) return 0;
        amount = _ledger.outstanding;
        Record storage next = _records[1 - _ledger.slot];
        if (_status(next) == Status.Pending) {
            amount = Math.max(amount, Math.saturatingSub(next.cumulativeTotal, _claimedTotal()));
        }
    }

    function sweepable(address asset) public view returns (uint256) {
        uint256 balance = IERC20(asset).balanceOf(address(this));
        return asset == address(token) ? Math.saturatingSub(balance, reserved()) : balance;
    }

    function capAvailable(uint256 timestamp) public view returns (uint256) {
        return Math.saturatingSub(_cap.burst, _used(timestamp));
    }

    function leafHash(uint256 epoch, address account, uint256 cumulative) public view returns (bytes32) {
        bytes32 inner = keccak256(abi.encode(block.chainid, address(this), epoch, account, cumulative));
        return keccak256(bytes.concat(inner));
    }

    function attestationDigest(Proposal calldata proposal) public view returns (bytes32) {
        uint256 rise = _rise(proposal.cumulativeTotal);
        return _hashTypedDataV4(keccak256(abi.encode(ATTESTATION_TYPEHASH, proposal, rise)));
    }

    // --------------------------------------------------------------------------------------------------- internals

    function _status(Record storage next) private view returns (Status) {
        if (_ledger.retired || next.epoch <= _ledger.epoch) return Status.None;
        if (next.vetoed) return Status.Vetoed;
        return block.timestamp > next.activatableAt + PROPOSAL_LIFETIME ? Status.Lapsed : Status.Pending;
    }

    function _pendingRecord(uint256 epoch, uint256 attempt) private view returns (Record storage next) {
        next = _records[1 - _ledger.slot];
        if (_status(next) != Status.Pending || next.epoch != epoch || next.attempt != attempt) {
            revert NotPending(epoch, attempt);
        }
    }

    function _claimedTotal() private view returns (uint256) {
        return _records[_ledger.slot].cumulativeTotal - _ledger.outstanding;
    }

    function _rise(uint256 total) private view returns (uint256) {
        return Math.saturatingSub(total, _records[_ledger.slot].cumulativeTotal);
    }

    /// @dev Rounded up: what drains is rounded down.
    function _used(uint256 timestamp) private view returns (uint256) {
        uint256 drained = (uint256(_cap.perDay) * Math.saturatingSub(timestamp, _rules.usedAt)) / 1 days;
        return Math.saturatingSub(_rules.used, drained);
    }

    /// @dev Compare and set, and the bound on the skip.
    function _checkPlace(uint256 previousEpoch, uint256 epoch, uint256 attempt) private view {
        Record storage next = _records[1 - _ledger.slot];
        Status status = _status(next);
        if (status == Status.Pending) revert AlreadyPending(next.epoch, next.attempt);
        uint256 activeEpoch = _ledger.epoch;
        if (previousEpoch != activeEpoch) revert WrongPreviousEpoch(previousEpoch, activeEpoch);
        uint256 expected = status == Status.None ? 1 : uint256(next.attempt) + 1;
        if (attempt != expected) revert WrongAttempt(attempt, expected);
        uint256 last = activeEpoch == 0 ? initialEpoch : activeEpoch;
        if (epoch <= last || epoch > last + MAX_SKIP) revert EpochOutOfRange(epoch, last + 1, last + MAX_SKIP);
    }

    /// @return delay until a proposal with this total can be activated
    function _checkTotal(uint256 total) private view returns (uint256 delay) {
        uint256 activeTotal = _records[_ledger.slot].cumulativeTotal;
        if (total < activeTotal) {
            uint256 claimedTotal = activeTotal - _ledger.outstanding;
            if (total < claimedTotal) revert TotalBelowClaimed(total, claimedTotal);
            return _rules.reductionDelay;
        }
        delay = _rules.delay;
        uint256 rise = total - activeTotal;
        uint256 available = capAvailable(block.timestamp + delay);
        if (rise > available) revert CapExceeded(rise, available);
    }

    function _checkAttestations(Proposal calldata proposal, Attestation[] calldata attestations) private {
        uint256 threshold = _rules.threshold;
        if (attestations.length < threshold) revert TooFewAttestations(attestations.length, threshold);
        if (attestations.length == 0) return;
        bytes32 digest = attestationDigest(proposal);
        address last;
        for (uint256 i = 0; i < attestations.length; ++i) {
            address attester = attestations[i].attester;
            if (attester <= last) revert AttestersNotAscending(attester);
            last = attester;
            if (!hasRole(Role.Attester, attester)) revert NotAttester(attester);
            if (!_isSignedBy(attester, digest, attestations[i].signature)) revert InvalidSignature(attester);
            emit Attested(proposal.epoch, proposal.attempt, attester);
        }
    }

    /// @dev ECDSA first: an account with an EIP-7702 delegation has code, and still signs with its key.
    function _isSignedBy(address signer, bytes32 digest, bytes calldata signature) private view returns (bool) {
        (address recovered, ECDSA.RecoverError err, ) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, signature);
    }

    function _claimableRoot(uint256 epoch) private view returns (bytes32) {
        Ledger memory ledger = _ledger;
        if (ledger.retired) revert AlreadyRetired();
        if (block.timestamp < ledger.claimsPausedUntil) revert ClaimsPaused(ledger.claimsPausedUntil);
        if (epoch != ledger.epoch) revert NotActiveEpoch(epoch, ledger.epoch);
        return _records[ledger.slot].root;
    }

    function _claim(bytes32 root, uint256 epoch, address account, uint256 cumulative, bytes32[] calldata proof)
        private
        returns (uint256 amount)
    {
        // The sentinel is this contract's own leaf.
        if (!_isPayable(account, token)) revert NotPayable(account);
        if (!MerkleProof.verifyCalldata(proof, root, leafHash(epoch, account, cumulative))) {
            revert InvalidProof(account);
        }
        Account storage holder = _accounts[account];
        uint256 before = holder.claimed;
        if (cumulative <= before) return 0;
        amount = cumulative - before;
        uint256 outstanding = _ledger.outstanding;
        if (amount > outstanding) revert ExceedsOutstanding(account, amount, outstanding);
        // Both fit: what is claimed and what is outstanding sum up to the total, which is below 2**128.
        _ledger.outstanding = uint128(outstanding - amount);
        holder.claimed = uint128(cumulative);
        address recipient = holder.redirected ? _recipients[account] : account;
        emit Claimed(epoch, account, recipient, amount, cumulative);
        token.safeTransfer(recipient, amount);
    }

    /// @dev As off chain: not the precompiles and their neighbours (zero among them), the token, this contract.
    function _isPayable(address account, IERC20 token_) private view returns (bool) {
        return uint160(account) > 0xffff && account != address(this) && account != address(token_);
    }

    /// @dev Consumes the schedule of the very call being made.
    function _useScheduled() private {
        bytes32 id = keccak256(msg.data);
        uint256 readyAt = scheduledAt(id);
        if (readyAt == 0) revert NotScheduled(id);
        if (block.timestamp < readyAt) revert ChangeNotReady(id, readyAt);
        if (block.timestamp > readyAt + CHANGE_LIFETIME) revert ChangeLapsed(id, readyAt + CHANGE_LIFETIME);
        delete _changes[id];
        emit ChangeExecuted(id);
    }

    function _grantAll(Role role, address[] memory accounts) private {
        for (uint256 i = 0; i < accounts.length; ++i) _setRole(role, accounts[i], true);
    }

    function _setRole(Role role, address account, bool granted) private {
        if (account == address(0)) revert ZeroAddress();
        if (hasRole(role, account) == granted) revert RoleUnchanged(role, account);
        _roles[account] ^= 1 << uint256(role);
        if (role == Role.Attester) {
            if (granted) ++_rules.attesterCount;
            else --_rules.attesterCount;
        }
        emit RoleSet(role, account, granted);
    }

    function _setDelays(uint256 delay, uint256 reductionDelay, uint256 minimum) private {
        if (delay < minimum || reductionDelay < delay || reductionDelay > MAX_DELAY) revert InvalidDelays();
        _rules.delay = uint32(delay);
        _rules.reductionDelay = uint32(reductionDelay);
        emit DelaysSet(delay, reductionDelay);
    }

    function _setThreshold(uint256 threshold) private {
        uint256 count = _rules.attesterCount;
        if (threshold > count) revert ThresholdAboveAttesters(threshold, count);
        _rules.threshold = uint8(threshold);
        emit ThresholdSet(threshold);
    }

    function _setCap(uint256 burst, uint256 perDay) private {
        _cap = Cap({burst: burst.toUint128(), perDay: perDay.toUint128()});
        emit CapSet(burst, perDay);
    }
}
