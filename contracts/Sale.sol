// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// @notice Something that says whether a sale may go on: that a set of proofs was attested, for instance.
interface IGate {
    /// @notice Whether what `root` stands for is open.
    function open(bytes32 root) external view returns (bool);
}

/// @title Sale
/// @notice Sells a range of tokens out of a treasury, in order, in stages that are fixed when it is deployed.
/// @dev Nobody owns it and nothing in it can be changed. It holds no tokens: it moves them from the treasury by ERC-721
/// approval, so the treasury ends a sale by taking the approval back, and that is all that anybody can do to it. What is paid
/// lies here until anybody calls `withdraw`, and goes to one address that was fixed at the beginning.
contract Sale {
    /// @notice When tokens are sold, to whom, and for how much.
    struct Stage {
        /// @dev The first second.
        uint40 start;
        /// @dev The first second after it; must be later than `start`.
        uint40 end;
        /// @dev How many tokens a wallet may buy in a public stage.
        uint32 limit;
        /// @dev What a token costs in a public stage, in wei.
        uint128 price;
        /// @dev Merkle root over `leafOf`, whose leaves have a limit and a price of their own; zero: a public stage.
        bytes32 root;
    }

    /// @notice The collection.
    IERC721 public immutable token;
    /// @notice Who holds the tokens until they are sold.
    address public immutable treasury;
    /// @notice Who gets what is paid: the treasury, or a contract that splits it.
    address public immutable payee;
    /// @notice The first token that is sold.
    uint256 public immutable first;
    /// @notice The last one.
    uint256 public immutable last;
    /// @notice What must be open; the zero address: nothing.
    IGate public immutable gate;
    /// @notice What the gate is asked for.
    bytes32 public immutable gateRoot;

    /// @notice The lowest token that may still be sold. Those between that the treasury gave away are passed over.
    uint256 public next;
    Stage[] private _stages;
    mapping(uint256 stage => mapping(address buyer => uint256)) private _bought;

    /// @notice A token was sold.
    event Sold(uint256 indexed tokenId, address indexed buyer, uint256 indexed stage, uint256 price);
    /// @notice What was paid went to the payee.
    event Withdrawn(address indexed payee, uint256 amount);

    /// @notice An address that must be given is zero, or is the sale itself.
    error BadAddress(address got);
    /// @notice A range that holds no token, or ends beyond all ids.
    error BadRange(uint256 first, uint256 last);
    /// @notice A sale without stages, or with more than can be read.
    error BadStageCount(uint256 got);
    /// @notice A stage that ends before it begins, or that sells nothing (no limit and no list), or that has both a list and a price.
    error BadStage(uint256 stage);
    /// @notice There is no such stage.
    error NoSuchStage(uint256 stage, uint256 stages);
    /// @notice The stage isn't open: it is `time` now.
    error StageClosed(uint256 stage, uint256 start, uint256 end, uint256 time);
    /// @notice The gate is shut.
    error GateClosed(address gate, bytes32 root);
    /// @notice A purchase of nothing.
    error NothingAsked();
    /// @notice The buyer may buy `left` more tokens in this stage, not `wanted`.
    error LimitReached(address buyer, uint256 left, uint256 wanted);
    /// @notice The buyer isn't on the stage's list with this limit and price.
    error NotOnList(address buyer, uint256 stage);
    /// @notice Exactly `expected` wei are due.
    error WrongPayment(uint256 expected, uint256 got);
    /// @notice `left` tokens are left, at most.
    error SoldOut(uint256 left, uint256 wanted);
    /// @notice The payee didn't take the money.
    error PayeeRefused(address payee, uint256 amount);

    /// @param token_ the collection
    /// @param treasury_ who holds the tokens
    /// @param payee_ who gets what is paid
    /// @param first_ the first token that is sold
    /// @param last_ the last one
    /// @param gate_ what must be open; the zero address: nothing
    /// @param gateRoot_ what the gate is asked for
    /// @param stages_ when, to whom, for how much; they may overlap
    constructor(
        IERC721 token_,
        address treasury_,
        address payee_,
        uint256 first_,
        uint256 last_,
        IGate gate_,
        bytes32 gateRoot_,
        Stage[] memory stages_
    ) {
        if (address(token_).code.length == 0) revert BadAddress(address(token_));
        if (treasury_ == address(0)) revert BadAddress(treasury_);
        if (payee_ == address(0) || payee_ == address(this)) revert BadAddress(payee_);
        if (address(gate_) != address(0) && address(gate_).code.length == 0) revert BadAddress(address(gate_));
        if (first_ > last_ || last_ > type(uint128).max) revert BadRange(first_, last_);
        if (stages_.length == 0 || stages_.length > 100) revert BadStageCount(stages_.length);
        for (uint256 i = 0; i < stages_.length; ++i) {
            Stage memory stage = stages_[i];
            bool listed = stage.root != 0;
            bool public_ = stage.limit != 0;
            if (stage.start >= stage.end || listed == public_ || (listed && stage.price != 0)) revert BadStage(i);
            _stages.push(stage);
        }
        token = token_;
        treasury = treasury_;
        payee = payee_;
        first = first_;
        last = last_;
        next = first_;
        gate = gate_;
        gateRoot = gateRoot_;
    }

    /// @notice Buy the next tokens in a public stage.
    /// @param stage its number, from 0
    /// @param quantity how many; exactly their price is sent along
    function buy(uint256 stage, uint256 quantity) external payable {
        Stage memory terms = _open(stage);
        if (terms.root != 0) revert NotOnList(msg.sender, stage);
        _sell(stage, quantity, terms.limit, terms.price);
    }

    /// @notice Buy the next tokens in a stage with a list.
    /// @param stage its number, from 0
    /// @param quantity how many; exactly their price is sent along
    /// @param limit how many the list allows the buyer in all
    /// @param price what a token costs the buyer, in wei
    /// @param proof sibling hashes from the buyer's leaf to the stage's root (each pair sorted before hashing)
    function buyListed(uint256 stage, uint256 quantity, uint256 limit, uint256 price, bytes32[] calldata proof)
        external
        payable
    {
        Stage memory terms = _open(stage);
        bytes32 leaf = leafOf(msg.sender, limit, price);
        bool listed = terms.root != 0 && MerkleProof.verifyCalldata(proof, terms.root, leaf);
        if (!listed) revert NotOnList(msg.sender, stage);
        _sell(stage, quantity, limit, price);
    }

    /// @notice Send what was paid to the payee. Anybody may call.
    function withdraw() external {
        uint256 amount = address(this).balance;
        if (amount == 0) revert NothingAsked();
        emit Withdrawn(payee, amount);
        (bool taken,) = payee.call{value: amount}("");
        if (!taken) revert PayeeRefused(payee, amount);
    }

    /// @notice Pass over tokens that the treasury gave away, `most` at most, so that the next buyer needn't pay for it. Anybody may call.
    /// @param most how many
    function skip(uint256 most) external {
        uint256 id = next;
        uint256 end = most > last - first ? last + 1 : id + most;
        if (end > last + 1) end = last + 1;
        while (id < end && token.ownerOf(id) != treasury) ++id;
        next = id;
    }

    /// @notice How many stages there are.
    function stageCount() external view returns (uint256) {
        return _stages.length;
    }

    /// @notice A stage's terms.
    /// @param stage its number, from 0
    function stageOf(uint256 stage) public view returns (Stage memory) {
        if (stage >= _stages.length) revert NoSuchStage(stage, _stages.length);
        return _stages[stage];
    }

    /// @notice How many tokens a wallet has bought in a stage.
    /// @param stage its number, from 0
    /// @param buyer the wallet
    function boughtBy(uint256 stage, address buyer) external view returns (uint256) {
        return _bought[stage][buyer];
    }

    /// @notice The Merkle leaf of a buyer: hashed twice, so that a leaf is never taken for an inner node.
    /// @param buyer who may buy
    /// @param limit how many tokens in all
    /// @param price for how much each, in wei
    function leafOf(address buyer, uint256 limit, uint256 price) public pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(buyer, limit, price))));
    }

    /// @dev The terms of a stage that is open now.
    function _open(uint256 stage) private view returns (Stage memory terms) {
        terms = stageOf(stage);
        if (block.timestamp < terms.start || block.timestamp >= terms.end) {
            revert StageClosed(stage, terms.start, terms.end, block.timestamp);
        }
        if (address(gate) != address(0) && !gate.open(gateRoot)) revert GateClosed(address(gate), gateRoot);
    }

    /// @dev Check limit and payment, write all of it down, and hand over.
    function _sell(uint256 stage, uint256 quantity, uint256 limit, uint256 price) private {
        if (quantity == 0) revert NothingAsked();
        uint256 bought = _bought[stage][msg.sender];
        uint256 left = limit > bought ? limit - bought : 0;
        if (quantity > left) revert LimitReached(msg.sender, left, quantity);
        if (msg.value != quantity * price) revert WrongPayment(quantity * price, msg.value);
        _bought[stage][msg.sender] = bought + quantity;
        uint256[] memory ids = _take(quantity);
        for (uint256 i = 0; i < quantity; ++i) {
            emit Sold(ids[i], msg.sender, stage, price);
            token.transferFrom(treasury, msg.sender, ids[i]);
        }
    }

    /// @dev The next tokens that the treasury holds, which are sold from here on.
    function _take(uint256 quantity) private returns (uint256[] memory ids) {
        uint256 id = next;
        uint256 left = id > last ? 0 : last - id + 1;
        if (quantity > left) revert SoldOut(left, quantity);
        ids = new uint256[](quantity);
        for (uint256 taken = 0; taken < quantity; ++id) {
            if (id > last) revert SoldOut(taken, quantity);
            if (token.ownerOf(id) == treasury) ids[taken++] = id;
        }
        next = id;
    }
}
