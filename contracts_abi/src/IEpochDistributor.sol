// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title  EpochDistributor: cumulative Merkle rewards, one contract per token and chain
/// @notice Amounts are base units of `token`, times are Unix seconds, durations are seconds, epochs are plain numbers.
///         A proposal names the new root on top of the last activated epoch, waits out a delay in which guardians may
///         veto it, and is then activated by anyone, if the contract holds the money. Accounts (or anyone for them)
///         claim the difference between their cumulative amount and what they were paid before.
/// @dev    Every refusal is a named error, every change of state an event; the events replay to the storage.
interface IEpochDistributor {
    // ------------------------------------------------------------------------------------------------------- types

    /// @dev What is set once, at deployment, or set first.
    struct Config {
        IERC20 token; // paid out; plain ERC-20 only: no rebasing, no fee taken from the sender
        address treasury; // the only receiver of `sweep`, for ever
        address admin; // settings and roles; loosening waits `changeDelay`
        uint256 initialEpoch; // last epoch settled elsewhere before this contract; 0 for a new history
        uint256 minimumDelay; // no proposal can ever be activated sooner after it was made; at least 1
        uint256 changeDelay; // between scheduling and making a loosening change; from minimumDelay to 30 days
        uint256 delay; // from proposal to activation
        uint256 reductionDelay; // the same where the cumulative total falls; at least `delay`
        uint256 threshold; // M: attestations a proposal needs
        uint256 capBurst; // largest rise of the cumulative total at once ...
        uint256 capPerDay; // ... and how fast it may be used again
        address[] proposers;
        address[] attesters; // N
        address[] guardians; // have at least two: a lone bad one can only be removed after `changeDelay`
    }

    /// @dev `attempt` counts the proposals on top of one active epoch from 1, so that neither a late veto nor a
    ///      repeated transaction can hit another proposal than the one it was meant for.
    struct Proposal {
        uint256 previousEpoch; // the last activated epoch; 0 for the first proposal
        uint256 epoch; // greater; epochs in between are settled by it too, as amounts are cumulative
        uint256 attempt;
        bytes32 root;
        uint256 cumulativeTotal; // of all accounts, ever
        bytes32 manifestHash; // keccak256 of the bytes of the published manifest.json
    }

    struct Attestation {
        address attester; // strictly ascending in a list
        bytes signature; // of `attestationDigest(proposal)`: 65 bytes ECDSA, or what an ERC-1271 wallet accepts
    }

    struct Claim {
        address account; // strictly ascending in a list
        uint256 cumulative;
        bytes32[] proof;
    }

    enum Role {
        Proposer,
        Attester,
        Guardian
    }

    /// @dev None: nothing was proposed on top of the active epoch (or the contract is retired).
    enum Status {
        None,
        Pending,
        Vetoed,
        Lapsed
    }

    struct ActiveState {
        uint256 epoch; // 0 before the first activation
        bytes32 root;
        bytes32 manifestHash;
        uint256 cumulativeTotal;
        uint256 claimedTotal;
        uint256 outstanding; // cumulativeTotal - claimedTotal; 0 once retired
    }

    struct PendingState {
        Status status; // what follows describes the latest attempt, whatever became of it; for None it is all 0
        uint256 epoch;
        uint256 attempt;
        bytes32 root;
        bytes32 manifestHash;
        uint256 cumulativeTotal;
        uint256 activatableAt;
        uint256 lapsesAt; // the last second in which it can be activated
        uint256 required; // the balance that activation asks for
        uint256 nextAttempt; // what the next proposal has to carry; 1 for None
    }

    struct Settings {
        address admin;
        address pendingAdmin;
        uint256 delay;
        uint256 reductionDelay;
        uint256 threshold;
        uint256 attesterCount;
        uint256 capBurst;
        uint256 capPerDay;
        uint256 claimsPausedUntil; // paused while the time is less
        uint256 activationPausedUntil;
        bool retired;
    }

    // ------------------------------------------------------------------------------------------------------ events

    event Proposed(
        uint256 indexed epoch,
        uint256 indexed attempt,
        address indexed proposer,
        uint256 previousEpoch,
        bytes32 root,
        uint256 cumulativeTotal,
        bytes32 manifestHash,
        uint256 activatableAt
    );
    event Attested(uint256 indexed epoch, uint256 indexed attempt, address indexed attester);
    event Vetoed(uint256 indexed epoch, uint256 indexed attempt, address indexed guardian, string reason);
    event Activated(
        uint256 indexed epoch,
        uint256 indexed attempt,
        bytes32 root,
        uint256 cumulativeTotal,
        bytes32 manifestHash,
        uint256 outstanding
    );
    event Claimed(
        uint256 indexed epoch,
        address indexed account,
        address indexed recipient,
        uint256 amount,
        uint256 cumulative
    );
    event RecipientSet(address indexed account, address indexed recipient);
    event Paused(address indexed guardian, bool claims, bool activation, uint256 until);
    event Unpaused(bool claims, bool activation);
    event Swept(address indexed token, uint256 amount);
    event Retired(uint256 indexed epoch, uint256 cumulativeTotal, uint256 claimedTotal);
    event ChangeScheduled(bytes32 indexed id, bytes change, uint256 readyAt);
    event ChangeCancelled(bytes32 indexed id, address indexed by);
    event ChangeExecuted(bytes32 indexed id);
    event RoleSet(Role indexed role, address indexed account, bool granted);
    event DelaysSet(uint256 delay, uint256 reductionDelay);
    event ThresholdSet(uint256 threshold);
    event CapSet(uint256 burst, uint256 perDay);
    event AdminTransferStarted(address indexed pendingAdmin);
    event AdminTransferred(address indexed previousAdmin, address indexed admin);

    // ------------------------------------------------------------------------------------------------------ errors

    /// @dev Construction, settings.
    error ZeroAddress();
    error NotAToken(address token);
    error InvalidDelays();
    error ThresholdAboveAttesters(uint256 threshold, uint256 attesters);
    error RoleUnchanged(Role role, address account);
    /// @dev Who may call.
    error NotAdmin(address caller);
    error NotPendingAdmin(address caller);
    error MissingRole(Role role, address caller);
    error GuardianChange(bytes32 id);
    /// @dev Scheduled changes.
    error AlreadyScheduled(bytes32 id, uint256 readyAt);
    error NotScheduled(bytes32 id);
    error NothingToCancel();
    error ChangeNotReady(bytes32 id, uint256 readyAt);
    error ChangeLapsed(bytes32 id, uint256 lapsedAt);
    /// @dev Proposals.
    error AlreadyPending(uint256 epoch, uint256 attempt);
    error WrongPreviousEpoch(uint256 given, uint256 active);
    error WrongAttempt(uint256 given, uint256 expected);
    error EpochOutOfRange(uint256 epoch, uint256 lowest, uint256 highest);
    error InvalidSentinelProof();
    error TotalBelowClaimed(uint256 cumulativeTotal, uint256 claimedTotal);
    error CapExceeded(uint256 rise, uint256 available);
    error TooFewAttestations(uint256 given, uint256 threshold);
    error AttestersNotAscending(address attester);
    error NotAttester(address attester);
    error InvalidSignature(address attester);
    error NotPending(uint256 epoch, uint256 attempt);
    error TooEarly(uint256 activatableAt);
    error ActivationPaused(uint256 until);
    error Underfunded(uint256 balance, uint256 required);
    /// @dev Claims.
    error ClaimsPaused(uint256 until);
    error NotActiveEpoch(uint256 given, uint256 active);
    error NotPayable(address account);
    error InvalidProof(address account);
    error ExceedsOutstanding(address account, uint256 amount, uint256 outstanding);
    error AccountsNotAscending(address account);
    /// @dev Pause, sweep, retirement.
    error NothingToPause();
    error MustRest(uint256 until);
    error NothingToSweep(address token);
    error ReserveTouched(uint256 balance, uint256 reserved);
    error AlreadyRetired();

    // -------------------------------------------------------------------------------------------------- settlement

    /// @notice Proposes the distribution of `proposal.epoch`. Callable by a proposer.
    /// @dev    It binds to the last activated epoch (compare and set), so nothing can be forked, replayed or
    ///         back-dated. The delay, the attestations asked for and the cap are those of now: later changes of
    ///         settings never touch a pending proposal. A proposal not activated 30 days after it could be has lapsed,
    ///         and the next attempt may be made, so that an unfundable one cannot hold the place for ever.
    ///         The sentinel is the leaf of this contract itself with `cumulativeTotal`; its proof shows that the root
    ///         was made for this chain, contract, epoch, encoding and total. It says nothing about the sum of the
    ///         other leaves; the outstanding counter bounds what they can take.
    ///         The rise of the total is held against the cap as it will stand when activation becomes possible.
    ///         A total may also fall, as far as what is claimed, under `reductionDelay`.
    /// @param  proposal      see `Proposal`
    /// @param  sentinelProof proof of the sentinel leaf; never empty, as a tree of the sentinel alone pays nobody
    /// @param  attestations  at least `threshold`, each valid, attesters strictly ascending
    /// @custom:error AlreadyRetired, MissingRole, AlreadyPending, WrongPreviousEpoch, WrongAttempt, EpochOutOfRange,
    ///         InvalidSentinelProof, TotalBelowClaimed, CapExceeded, TooFewAttestations, AttestersNotAscending,
    ///         NotAttester, InvalidSignature; SafeCastOverflowedUintDowncast for a total of 2**128 and above
    function propose(
        Proposal calldata proposal,
        bytes32[] calldata sentinelProof,
        Attestation[] calldata attestations
    ) external;

    /// @notice Rejects the pending proposal for good. Callable by a guardian, at any time until it is activated.
    /// @param  reason free text for the log
    /// @custom:error MissingRole, NotPending
    function veto(uint256 epoch, uint256 attempt, string calldata reason) external;

    /// @notice Makes the pending proposal the active distribution. Callable by anyone: whoever wants to be paid.
    /// @dev    Needs the delay over, activation not paused, and this contract to hold all that will be outstanding.
    /// @custom:error AlreadyRetired, NotPending, TooEarly, ActivationPaused, TotalBelowClaimed, Underfunded
    function activate(uint256 epoch, uint256 attempt) external;

    // ------------------------------------------------------------------------------------------------------ claims

    /// @notice Pays `account` (or its recipient) what its leaf holds beyond what it was paid. Callable by anyone.
    /// @dev    A repeated claim, or one whose leaf was lowered below what is claimed, pays zero and succeeds, so that
    ///         nobody's claim fails because another was faster.
    /// @param  epoch      the active epoch, for which the proof was made
    /// @param  cumulative the amount in the leaf
    /// @return amount     paid now, in base units
    /// @custom:error AlreadyRetired, ClaimsPaused, NotActiveEpoch (tells the current one: fetch that proof),
    ///         NotPayable, InvalidProof, ExceedsOutstanding (the leaves sum up to more than the proposed total; it
    ///         ends with the next epoch); whatever the token reverts with
    function claim(
        uint256 epoch,
        address account,
        uint256 cumulative,
        bytes32[] calldata proof
    ) external returns (uint256 amount);

    /// @notice `claim` for many accounts, strictly ascending. Callable by anyone.
    /// @dev    One payee that the token refuses reverts the whole call: simulate first. About 150 first claims fit
    ///         into a transaction (128 KiB, 10 million gas).
    /// @return total paid now, in base units
    /// @custom:error as `claim`, and AccountsNotAscending
    function claimMany(uint256 epoch, Claim[] calldata claims) external returns (uint256 total);

    /// @notice Sends the caller's own future claims to `recipient`; zero or the caller itself undoes it.
    /// @custom:error NotPayable
    function setRecipient(address recipient) external;

    // ------------------------------------------------------------------------------------------------------ brakes

    /// @notice Pauses claims, activation or both for 14 days. Callable by a guardian.
    /// @dev    Apart, so that a bad active root can be replaced while claims rest. Each pause ends by itself, and the
    ///         same guardian must rest for 14 more days before the same kind again: none can freeze for ever.
    /// @custom:error MissingRole, NothingToPause, MustRest
    function pause(bool claims, bool activation) external;

    /// @notice Ends pauses at once. Callable by the admin.
    /// @custom:error NotAdmin
    function unpause(bool claims, bool activation) external;

    // --------------------------------------------------------------------------------------------------- the admin

    /// @notice Sends to the treasury what this contract holds of `asset` beyond `reserved`. Callable by the admin.
    /// @dev    Works for any token sent here by mistake. The reward token's balance is checked afterwards, for tokens
    ///         with two addresses.
    /// @return amount sent, in base units
    /// @custom:error NotAdmin, NothingToSweep, ReserveTouched
    function sweep(address asset) external returns (uint256 amount);

    /// @notice Announces a loosening change: the exact calldata of a later call by the admin. Callable by the admin.
    /// @dev    It can be made from `changeDelay` after now, for 14 days. Tightening changes need no schedule.
    ///         Loosening is: granting proposer or attester, revoking guardian, a shorter delay, a lower threshold, a
    ///         larger cap, a new admin, retirement.
    /// @param  change calldata: selector and arguments
    /// @return id     keccak256 of `change`
    /// @custom:error NotAdmin, AlreadyScheduled
    function schedule(bytes calldata change) external returns (bytes32 id);

    /// @notice Withdraws scheduled changes. Callable by the admin and by guardians.
    /// @dev    Guardians cannot cancel changes of guardians: a bad one could never be removed.
    ///         A list, and ids that are not scheduled are passed over, so that a flood of changes can be withdrawn at
    ///         once, and not be kept alive by cancelling one of them first.
    /// @return cancelled how many were
    /// @custom:error MissingRole, GuardianChange, NothingToCancel
    function cancel(bytes32[] calldata ids) external returns (uint256 cancelled);

    /// @notice Grants or revokes the right to propose. Callable by the admin; granting only as scheduled.
    /// @custom:error NotAdmin, ZeroAddress, RoleUnchanged, NotScheduled, ChangeNotReady, ChangeLapsed
    function setProposer(address account, bool granted) external;

    /// @notice Grants or revokes the right to attest. Callable by the admin; granting only as scheduled. At most 255.
    /// @dev    Revoking may leave fewer attesters than the threshold: a stolen key must go at once. Nothing can then
    ///         be proposed until one is granted or the threshold lowered.
    /// @custom:error as `setProposer`
    function setAttester(address account, bool granted) external;

    /// @notice Grants or revokes guardianship. Callable by the admin; revoking only as scheduled.
    /// @dev    A guardian granted after construction may veto and pause activation at once, claims from `changeDelay`
    ///         after its grant: a stolen admin key cannot keep the holders from claiming before that.
    /// @custom:error as `setProposer`
    function setGuardian(address account, bool granted) external;

    /// @notice Sets the delays, in seconds. Callable by the admin; shortening either only as scheduled.
    /// @dev    minimumDelay <= delay_ <= reductionDelay_ <= 14 days: no longer than a pause of claims, so that a bad
    ///         root can be replaced within one.
    /// @custom:error NotAdmin, InvalidDelays, NotScheduled, ChangeNotReady, ChangeLapsed
    function setDelays(uint256 delay_, uint256 reductionDelay_) external;

    /// @notice Sets how many attestations a proposal needs. Callable by the admin; lowering only as scheduled.
    /// @custom:error NotAdmin, ThresholdAboveAttesters, NotScheduled, ChangeNotReady, ChangeLapsed
    function setThreshold(uint256 threshold_) external;

    /// @notice Sets the cap on the rise of the cumulative total. Callable by the admin; enlarging only as scheduled.
    /// @dev    Within any span of time the total rises by at most burst + perDay * days. What is used up stays so.
    /// @param  burst  largest rise at once, in base units; as large as the epochs ever bundled into one proposal
    /// @param  perDay base units that become usable again per day
    /// @custom:error NotAdmin, NotScheduled, ChangeNotReady, ChangeLapsed, SafeCastOverflowedUintDowncast
    function setCap(uint256 burst, uint256 perDay) external;

    /// @notice Begins the hand-over to `newAdmin`; zero withdraws it. Callable by the admin; begun only as scheduled.
    /// @custom:error NotAdmin, NotScheduled, ChangeNotReady, ChangeLapsed
    function transferAdmin(address newAdmin) external;

    /// @notice Completes the hand-over. Callable by the new admin, which proves that it can act.
    /// @custom:error NotPendingAdmin
    function acceptAdmin() external;

    /// @notice Ends this contract for good. Callable by the admin, only as scheduled: holders can claim until then.
    /// @dev    No more proposals, activations and claims, so `claimed` is final and a successor can start from
    ///         cumulative minus claimed, without anybody paid twice. What is unclaimed is released to the treasury,
    ///         which funds the successor.
    /// @custom:error NotAdmin, AlreadyRetired, NotScheduled, ChangeNotReady, ChangeLapsed
    function retire() external;

    // ------------------------------------------------------------------------------------------------------- views

    /// @notice The token paid out.
    function token() external view returns (IERC20);

    /// @notice The only receiver of `sweep`.
    function treasury() external view returns (address);

    /// @notice The last epoch settled elsewhere, against which the first proposal's epoch is bounded.
    function initialEpoch() external view returns (uint256);

    /// @notice Seconds below which `delay` can never be set.
    function minimumDelay() external view returns (uint256);

    /// @notice Seconds between scheduling and making a loosening change.
    function changeDelay() external view returns (uint256);

    /// @notice The active distribution.
    function active() external view returns (ActiveState memory);

    /// @notice The latest proposal on top of the active distribution.
    function pending() external view returns (PendingState memory);

    /// @notice All that can be set, the pauses, and whether this contract is retired.
    function settings() external view returns (Settings memory);

    /// @notice What `account` was paid so far, to whomever, in base units.
    function claimed(address account) external view returns (uint256);

    /// @notice Where claims of `account` go.
    function recipientOf(address account) external view returns (address);

    /// @notice Whether `account` holds `role`.
    function hasRole(Role role, address account) external view returns (bool);

    /// @notice Until when `guardian` may not pause claims and activation again.
    function restsUntil(address guardian) external view returns (uint256 claims, uint256 activation);

    /// @notice From when the change with this id (keccak256 of its calldata) can be made; 0 if it is not scheduled.
    function scheduledAt(bytes32 id) external view returns (uint256);

    /// @notice What of the reward token is not for `sweep`: the larger of what is outstanding and what will be once
    ///         the pending proposal is activated, in base units.
    function reserved() external view returns (uint256);

    /// @notice What `sweep(asset)` would send now, in base units.
    function sweepable(address asset) external view returns (uint256);

    /// @notice The rise that a proposal activatable at `timestamp` (not before now) may have, in base units.
    function capAvailable(uint256 timestamp) external view returns (uint256);

    /// @notice The leaf (hashed twice, as OpenZeppelin's StandardMerkleTree does) of
    ///         (uint256 chainId, address distributor, uint256 epoch, address account, uint256 cumulative).
    function leafHash(uint256 epoch, address account, uint256 cumulative) external view returns (bytes32);

    /// @notice The EIP-712 digest that attesters sign for `proposal`, on top of the active epoch. The rise is not
    ///         part of the proposal but of the digest, so that a signer sees it.
    function attestationDigest(Proposal calldata proposal) external view returns (bytes32);
}
