// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControlDefaultAdminRulesUpgradeable} from "@openzeppelin/contracts-upgradeable/access/extensions/AccessControlDefaultAdminRulesUpgradeable.sol";
import {ContextUpgradeable} from "@openzeppelin/contracts-upgradeable/utils/ContextUpgradeable.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {Context} from "@openzeppelin/contracts/utils/Context.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ERC721AStorage} from "erc721a-upgradeable/contracts/ERC721AStorage.sol";
import {ERC721AUpgradeable} from "erc721a-upgradeable/contracts/ERC721AUpgradeable.sol";

/// @title ArtMint
/// @notice One collection of pictures whose content is fixed on chain before any of it is minted.
/// @dev Three parties. The admin (a Safe or a cold key) commits drops and hands out limits. A minter (a hot key) may mint
/// committed tokens to the treasury, within its allowance, and nothing else. A pauser may stop minting. Token ids run
/// from 1 without a gap, and a token's id is its slot in the collection. Drops are numbered from 1.
/// A collection is a contract of its own, made by the constructor, or a clone that shares the code of one (ERC-1167), made by
/// `clone`. The code is the same and nobody can change either; the libraries are the initializable ones because a clone's
/// constructor never runs.
contract ArtMint is ERC721AUpgradeable, ERC2981, AccessControlDefaultAdminRulesUpgradeable, Pausable {
    /// @notice What a collection is made with.
    struct Terms {
        /// @dev The collection's name.
        string name;
        /// @dev Its short name.
        string symbol;
        /// @dev The highest token id there can ever be.
        uint256 maxSupply;
        /// @dev Who commits drops and hands out limits.
        address admin;
        /// @dev Seconds that a change of admin has to wait.
        uint48 adminDelay;
        /// @dev Where every token is minted to.
        address treasury;
        /// @dev Who is owed royalties; the zero address: nobody.
        address royaltyReceiver;
        /// @dev How much, in hundredths of a percent of a sale.
        uint96 royaltyBasisPoints;
    }

    /// @notice A contiguous range of tokens whose content was committed together.
    struct Drop {
        /// @dev Merkle root over `leafOf` of every token of the drop; of a sealed drop, its commitment.
        bytes32 contentRoot;
        /// @dev sha2-256 digest of the CID of the drop's root directory, which holds `<id>.json`; of a sealed drop, zero.
        bytes32 cidDigest;
        uint32 firstTokenId;
        uint32 quantity;
    }

    /// @dev One slot, so that a mint reads and writes its limits once.
    struct Allowance {
        /// @dev What the minter may mint in its lifetime.
        uint40 total;
        /// @dev What it has minted.
        uint40 used;
        /// @dev What it may mint in any `window` seconds.
        uint24 perWindow;
        /// @dev Seconds; zero: only `total` counts.
        uint24 window;
        /// @dev The number of the newest third of a window that `recent` counts.
        uint32 part;
        /// @dev Four counters of 24 bits: what was minted in `part` (the lowest) and in the three thirds before it.
        uint96 recent;
    }

    /// @notice Who may call `mintBatch`.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    /// @notice Who may call `pause`.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice The most tokens one `mintBatch` may make. More would make the first transfer out of the batch expensive.
    uint256 public constant MAX_BATCH = 100;

    /// @notice The highest royalty, in hundredths of a percent of a sale: a tenth.
    uint256 public constant MAX_ROYALTY = 1_000;

    /// @notice Where every token is minted to.
    address public treasury;
    // Packed beside the treasury and the pause flag: minting and committing read one slot for all of them.
    uint32 private _lastCommitted;
    uint32 private _maxSupply;
    uint24 private _dropCount;

    mapping(uint256 number => Drop) private _drops;
    mapping(address minter => Allowance) private _allowances;
    string private _contractURI;
    /// @notice What `tokenURI` answers for the tokens of a drop that is still sealed.
    string public placeholderURI;

    /// @notice A drop's content is fixed from now on.
    event DropCommitted(uint256 indexed firstTokenId, uint256 quantity, bytes32 contentRoot, bytes32 cidDigest);
    /// @notice A drop's content is fixed from now on, and not yet told.
    event DropSealed(uint256 indexed firstTokenId, uint256 quantity, bytes32 commitment);
    /// @notice A sealed drop's content is told, and is what was committed.
    event DropRevealed(uint256 indexed firstTokenId, uint256 quantity, bytes32 contentRoot, bytes32 cidDigest);
    /// @notice A drop of which nothing was minted is taken back.
    event DropCancelled(uint256 indexed firstTokenId, uint256 quantity);
    /// @notice `minter` may mint `total` tokens in its lifetime, of which it has minted `used`, and `perWindow` in any
    /// `window` seconds.
    event AllowanceSet(address indexed minter, uint256 total, uint256 perWindow, uint256 window, uint256 used);
    /// @notice New tokens go to `treasury`. Tokens minted before stay where they are.
    event TreasurySet(address indexed treasury);
    /// @notice There will never be a token with a higher id.
    event MaxSupplyLowered(uint256 maxSupply);
    /// @notice `contractURI` answers something else (ERC-7572).
    event ContractURIUpdated();
    /// @notice Tokens have another `tokenURI` than before (ERC-4906).
    event BatchMetadataUpdate(uint256 fromTokenId, uint256 toTokenId);

    /// @notice `maker` has made a collection that shares this contract's code.
    event Cloned(address indexed maker, address indexed clone);

    /// @notice A drop must begin at the next uncommitted token.
    error NotNextUncommitted(uint256 expected, uint256 got);
    /// @notice A drop, or a batch, of nothing.
    error NothingAsked();
    /// @notice The drop has `quantity` tokens, and the maximum supply leaves `left`.
    error AboveMaxSupply(uint256 quantity, uint256 left);
    /// @notice Content root and CID digest (of a sealed drop, the commitment) must be given.
    error EmptyDigest(bytes32 contentRoot, bytes32 cidDigest);
    /// @notice There is no drop of this number.
    error NoSuchDrop(uint256 drop, uint256 dropCount);
    /// @notice The drop isn't sealed, or was revealed before.
    error NotSealed(uint256 drop);
    /// @notice The token belongs to a drop that is still sealed.
    error StillSealed(uint256 tokenId);
    /// @notice What was given to `reveal` isn't what was committed.
    error OtherCommitment(bytes32 expected, bytes32 got);
    /// @notice Only the last drop can be cancelled.
    error NotLastDrop(uint256 last, uint256 got);
    /// @notice Tokens of the drop are minted, so it stays.
    error AlreadyMinting(uint256 firstTokenId, uint256 nextToken);
    /// @notice The batch must begin at the next token. A repeated or a second sender's transaction ends here.
    error NotNextToken(uint256 expected, uint256 got);
    /// @notice The batch would end at token `last`, but tokens are committed only up to `lastCommitted`.
    error NotCommitted(uint256 last, uint256 lastCommitted);
    /// @notice The minter may mint `left` more tokens in its lifetime, not `wanted`.
    error AllowanceTooSmall(address minter, uint256 left, uint256 wanted);
    /// @notice The minter may mint `left` more tokens now, not `wanted`; more when its window has moved on.
    error WindowTooSmall(address minter, uint256 left, uint256 wanted);
    /// @notice More tokens in one batch than `MAX_BATCH`.
    error BatchTooLarge(uint256 quantity, uint256 limit);
    /// @notice The treasury can't be the zero address.
    error ZeroTreasury();
    /// @notice The treasury can't be this contract: nothing could move a token out of it.
    error TreasuryIsThisContract();
    /// @notice A royalty above `limit` hundredths of a percent.
    error RoyaltyTooHigh(uint256 basisPoints, uint256 limit);
    /// @notice Ether that was sent along: nothing here is paid for, and it couldn't be had back.
    error EtherRefused(uint256 amount);
    /// @notice The maximum supply must be at least 1 and fit 32 bits.
    error BadMaxSupply(uint256 maxSupply);
    /// @notice The maximum supply can only fall, and not below what is committed.
    error SupplyNotLowered(uint256 current, uint256 committed, uint256 got);
    /// @notice A clone's code is another contract's: ask that one, `implementation` of this clone, for another clone.
    error CloneOfClone();
    /// @notice An allowance must fit its fields, and a limit for a window needs a window (and the other way round).
    error BadAllowance(uint256 total, uint256 perWindow, uint256 window);

    /// @param name_ the collection's name
    /// @param symbol_ its short name
    /// @param maxSupply_ the highest token id there can ever be
    /// @param admin who commits drops and hands out limits
    /// @param adminDelay seconds that a change of admin has to wait
    /// @param treasury_ where every token is minted to
    /// @param royaltyReceiver who is owed royalties; the zero address: nobody
    /// @param royaltyBasisPoints how much, in hundredths of a percent of a sale
    constructor(
        string memory name_,
        string memory symbol_,
        uint256 maxSupply_,
        address admin,
        uint48 adminDelay,
        address treasury_,
        address royaltyReceiver,
        uint96 royaltyBasisPoints
    ) initializer {
        _make(
            Terms(
                name_, symbol_, maxSupply_, admin, adminDelay, treasury_, royaltyReceiver, royaltyBasisPoints
            )
        );
    }

    // Clones

    /// @notice Make another collection that shares this contract's code, and nothing else: it has its own admin, limits and
    /// tokens, and this contract's admin has no say in it. It is made and initialised in this one call. Anybody may call.
    /// @param salt what tells the caller's clones apart: one caller can use a salt once
    /// @param terms what the collection is made with
    /// @return made its address, `cloneOf(caller, salt)`
    function clone(bytes32 salt, Terms calldata terms) external returns (address made) {
        if (address(this).code.length < 100) revert CloneOfClone();
        made = Clones.cloneDeterministic(address(this), _saltOf(msg.sender, salt));
        emit Cloned(msg.sender, made);
        ArtMint(made).initialize(terms);
    }

    /// @notice Where a clone is, or would be.
    /// @param maker who makes it
    /// @param salt what tells the maker's clones apart
    function cloneOf(address maker, bytes32 salt) external view returns (address) {
        return Clones.predictDeterministicAddress(address(this), _saltOf(maker, salt));
    }

    /// @notice The constructor of clones; `clone` calls it. Everywhere else it was called before, and refuses.
    /// @param terms what the collection is made with
    function initialize(Terms calldata terms) external initializer {
        _make(terms);
    }

    // Admin: drops

    /// @notice Fix the content of the next `quantity` tokens, once and for all.
    /// @param firstTokenId must be `nextUncommitted()`, so that a transaction that waited in a queue can't be misaligned
    /// @param quantity how many tokens the drop has
    /// @param contentRoot Merkle root over the tokens' leaves (see `leafOf`)
    /// @param cidDigest sha2-256 digest of the CIDv1 (dag-pb) of the root directory
    function commitDrop(uint256 firstTokenId, uint256 quantity, bytes32 contentRoot, bytes32 cidDigest)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        if (contentRoot == 0 || cidDigest == 0) revert EmptyDigest(contentRoot, cidDigest);
        _addDrop(firstTokenId, quantity, contentRoot, cidDigest);
        emit DropCommitted(firstTokenId, quantity, contentRoot, cidDigest);
    }

    /// @notice Fix the content of the next `quantity` tokens without telling it. Until `reveal` their `tokenURI` is
    /// `placeholderURI`. They may be minted before that.
    /// @param firstTokenId must be `nextUncommitted()`
    /// @param quantity how many tokens the drop has
    /// @param commitment `commitmentOf(dropCount() + 1, contentRoot, cidDigest, salt)`, computed where nobody sees the salt
    function commitSealedDrop(uint256 firstTokenId, uint256 quantity, bytes32 commitment)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        if (commitment == 0) revert EmptyDigest(commitment, 0);
        _addDrop(firstTokenId, quantity, commitment, 0);
        emit DropSealed(firstTokenId, quantity, commitment);
    }

    /// @notice Tell the content of a sealed drop. Only what was committed is taken.
    /// @param drop the drop's number
    /// @param contentRoot Merkle root over the tokens' leaves
    /// @param cidDigest sha2-256 digest of the CIDv1 (dag-pb) of the root directory
    /// @param salt what kept the commitment from being guessed
    function reveal(uint256 drop, bytes32 contentRoot, bytes32 cidDigest, bytes32 salt)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        if (drop == 0 || drop > _dropCount) revert NoSuchDrop(drop, _dropCount);
        if (contentRoot == 0 || cidDigest == 0) revert EmptyDigest(contentRoot, cidDigest);
        Drop storage found = _drops[drop];
        if (found.cidDigest != 0) revert NotSealed(drop);
        bytes32 got = commitmentOf(drop, contentRoot, cidDigest, salt);
        if (got != found.contentRoot) revert OtherCommitment(found.contentRoot, got);
        found.contentRoot = contentRoot;
        found.cidDigest = cidDigest;
        uint256 first = found.firstTokenId;
        uint256 quantity = found.quantity;
        emit DropRevealed(first, quantity, contentRoot, cidDigest);
        emit BatchMetadataUpdate(first, first + quantity - 1);
    }

    /// @notice Take back the last drop, while nothing of it is minted. Its tokens can be committed again. A minter's
    /// transaction that waits in a queue may then mint what is committed in their place, to the treasury.
    /// @param firstTokenId the drop's first token, so that a transaction that waited can't take back another drop
    function cancelDrop(uint256 firstTokenId) external onlyRole(DEFAULT_ADMIN_ROLE) {
        uint256 number = _dropCount;
        if (number == 0) revert NoSuchDrop(0, 0);
        Drop storage last = _drops[number];
        if (last.firstTokenId != firstTokenId) revert NotLastDrop(last.firstTokenId, firstTokenId);
        if (_nextTokenId() > firstTokenId) revert AlreadyMinting(firstTokenId, _nextTokenId());
        uint256 quantity = last.quantity;
        _lastCommitted = uint32(firstTokenId - 1);
        _dropCount = uint24(number - 1);
        delete _drops[number];
        emit DropCancelled(firstTokenId, quantity);
    }

    /// @notice Lower the maximum supply. It can never be raised again.
    /// @param maxSupply_ the new one: below the old one, not below what is committed, and not zero: a collection of no
    /// token could never have one
    function lowerMaxSupply(uint256 maxSupply_) public onlyRole(DEFAULT_ADMIN_ROLE) {
        if (maxSupply_ == 0) revert BadMaxSupply(maxSupply_);
        if (maxSupply_ >= _maxSupply || maxSupply_ < _lastCommitted) {
            revert SupplyNotLowered(_maxSupply, _lastCommitted, maxSupply_);
        }
        _maxSupply = uint32(maxSupply_);
        emit MaxSupplyLowered(maxSupply_);
    }

    /// @notice Give up every token that isn't committed, for ever.
    function burnRemainder() external {
        lowerMaxSupply(_lastCommitted);
    }

    // Admin: limits and addresses

    /// @notice Say how many tokens `minter` may mint in its lifetime, and how many of them in any stretch of `window`
    /// seconds. What it has minted counts for `total`, so a repeated call changes nothing, and a mint that races with
    /// the call can't gain by it. A window remembers only what was minted while there was one, and a new length only what the
    /// old one still remembered: shorten a window, or take it away, and what it had counted is forgotten sooner.
    /// @dev Time is cut into thirds of a window, and what was minted in the newest third and the three before it counts. Any
    /// stretch of `window` seconds lies within four such thirds, so the limit holds wherever one begins to count, and
    /// what was minted is forgotten after a window and a third at the latest. When the length changes, all that counted
    /// before counts as if it had been minted now.
    /// @param minter the key; it needs MINTER_ROLE as well
    /// @param total the new limit; less than what was used stops the minter
    /// @param perWindow tokens in any `window` seconds; zero, with `window` zero: only `total` counts
    /// @param window seconds, from 3 to 16,777,215 (194 days)
    function setAllowance(address minter, uint256 total, uint256 perWindow, uint256 window)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        if (
            total > type(uint40).max || perWindow > type(uint24).max || window > type(uint24).max
                || (window < 3 && window != 0) || (perWindow == 0) != (window == 0)
        ) revert BadAllowance(total, perWindow, window);
        Allowance memory allowance = _allowances[minter];
        if (window != allowance.window) {
            uint256 counted = allowance.window == 0 ? 0 : _sum(_recent(allowance, _part(allowance.window)));
            allowance.recent = uint96(counted);
            allowance.part = window == 0 ? 0 : uint32(_part(window));
            allowance.window = uint24(window);
        }
        allowance.total = uint40(total);
        allowance.perWindow = uint24(perWindow);
        _allowances[minter] = allowance;
        emit AllowanceSet(minter, total, perWindow, window, allowance.used);
    }

    /// @notice Send new tokens to another address. It isn't asked whether it can hold tokens.
    /// @param treasury_ the new treasury
    function setTreasury(address treasury_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setTreasury(treasury_);
    }

    /// @notice Set the royalty of every token (ERC-2981).
    /// @param receiver who is owed
    /// @param basisPoints how much, in hundredths of a percent of a sale; at most `MAX_ROYALTY`
    function setRoyalty(address receiver, uint96 basisPoints) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setRoyalty(receiver, basisPoints);
    }

    /// @notice Say where the collection describes itself (ERC-7572). No token's metadata depends on it.
    /// @param uri the new address
    function setContractURI(string calldata uri) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _contractURI = uri;
        emit ContractURIUpdated();
    }

    /// @notice Say what `tokenURI` answers for sealed drops. Tokens whose content is told don't change.
    /// @param uri the new address
    function setPlaceholderURI(string calldata uri) external onlyRole(DEFAULT_ADMIN_ROLE) {
        placeholderURI = uri;
        emit BatchMetadataUpdate(1, type(uint256).max);
    }

    /// @notice Allow minting again. Where there is no admin any more, nobody can.
    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _unpause();
    }

    // Pauser

    /// @notice Stop minting. Transfers go on.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    // Minter

    /// @notice Mint the next `quantity` committed tokens to the treasury.
    /// @dev `_mint` writes one owner for each `inner` tokens. A larger `inner` is cheaper now, and makes the first transfer
    /// of a token dearer, by about 2,200 gas for each token between it and the one whose owner was written.
    /// @param firstTokenId must be `nextToken()`: whoever sends the same batch again, or at the same time, is refused
    /// @param quantity at most `MAX_BATCH`, what is committed, and what the caller's allowance leaves
    /// @param inner how many tokens share one written owner; zero, or `quantity` and more: all of them
    function mintBatch(uint256 firstTokenId, uint256 quantity, uint256 inner)
        external
        whenNotPaused
        onlyRole(MINTER_ROLE)
    {
        uint256 expected = _nextTokenId();
        if (firstTokenId != expected) revert NotNextToken(expected, firstTokenId);
        if (quantity == 0) revert NothingAsked();
        if (quantity > MAX_BATCH) revert BatchTooLarge(quantity, MAX_BATCH);
        uint256 last = firstTokenId + quantity - 1;
        if (last > _lastCommitted) revert NotCommitted(last, _lastCommitted);
        _spend(quantity);
        address to = treasury;
        if (inner == 0) inner = quantity;
        for (; quantity > inner; quantity -= inner) _mint(to, inner);
        _mint(to, quantity);
    }

    // Everybody

    /// @notice The highest token id there can ever be. It can fall, never rise.
    function maxSupply() external view returns (uint256) {
        return _maxSupply;
    }

    /// @notice The id that the next `mintBatch` must begin with.
    function nextToken() external view returns (uint256) {
        return _nextTokenId();
    }

    /// @notice The id that the next drop must begin with.
    function nextUncommitted() public view returns (uint256) {
        return uint256(_lastCommitted) + 1;
    }

    /// @notice A minter's limits, what it has minted in its lifetime, and what it may mint right now.
    /// @param minter the key asked about
    /// @return total tokens in its lifetime
    /// @return used tokens it has minted
    /// @return perWindow tokens in any `window` seconds
    /// @return window seconds; zero: only `total` counts
    /// @return left tokens it may mint now, its role and what is committed aside
    function allowanceOf(address minter)
        external
        view
        returns (uint256 total, uint256 used, uint256 perWindow, uint256 window, uint256 left)
    {
        Allowance memory allowance = _allowances[minter];
        (total, used, perWindow, window) = (allowance.total, allowance.used, allowance.perWindow, allowance.window);
        left = total > used ? total - used : 0;
        if (window != 0) {
            uint256 counted = _sum(_recent(allowance, _part(window)));
            uint256 now_ = perWindow > counted ? perWindow - counted : 0;
            if (now_ < left) left = now_;
        }
    }

    /// @notice How many drops are committed.
    function dropCount() external view returns (uint256) {
        return _dropCount;
    }

    /// @notice The drop that a committed token belongs to, minted or not.
    /// @param tokenId a token id from 1 to `nextUncommitted() - 1`
    function dropOf(uint256 tokenId) public view returns (Drop memory) {
        return _drops[dropNumberOf(tokenId)];
    }

    /// @notice The number of the drop that a committed token belongs to.
    /// @param tokenId a token id from 1 to `nextUncommitted() - 1`
    function dropNumberOf(uint256 tokenId) public view returns (uint256) {
        if (tokenId == 0 || tokenId > _lastCommitted) revert NotCommitted(tokenId, _lastCommitted);
        uint256 low = 1;
        uint256 high = _dropCount;
        while (low < high) {
            uint256 middle = (low + high + 1) / 2;
            if (_drops[middle].firstTokenId <= tokenId) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    /// @notice The Merkle root that a committed token's content is proven against.
    /// @param tokenId a token of a drop that isn't sealed
    function contentRootOf(uint256 tokenId) public view returns (bytes32) {
        Drop memory drop = dropOf(tokenId);
        if (drop.cidDigest == 0) revert StillSealed(tokenId);
        return drop.contentRoot;
    }

    /// @notice What a sealed drop is committed with.
    /// @param drop the drop's number
    /// @param contentRoot Merkle root over the tokens' leaves
    /// @param cidDigest sha2-256 digest of the CIDv1 (dag-pb) of the root directory
    /// @param salt 32 random bytes; without them the content could be guessed and compared
    function commitmentOf(uint256 drop, bytes32 contentRoot, bytes32 cidDigest, bytes32 salt)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, address(this), drop, contentRoot, cidDigest, salt));
    }

    /// @notice The Merkle leaf of a token: hashed twice, so that a leaf is never taken for an inner node.
    /// @param tokenId the token
    /// @param imageSha256 SHA-256 of its picture file
    /// @param metadataSha256 SHA-256 of its JSON file
    function leafOf(uint256 tokenId, bytes32 imageSha256, bytes32 metadataSha256) public view returns (bytes32) {
        bytes memory facts = abi.encode(block.chainid, address(this), tokenId, imageSha256, metadataSha256);
        return keccak256(bytes.concat(keccak256(facts)));
    }

    /// @notice Whether these bytes are what was committed for a token.
    /// @param tokenId a token of a drop that isn't sealed, minted or not
    /// @param imageSha256 SHA-256 of its picture file
    /// @param metadataSha256 SHA-256 of its JSON file
    /// @param proof sibling hashes from the leaf to the root (each pair sorted before hashing)
    function verifyToken(uint256 tokenId, bytes32 imageSha256, bytes32 metadataSha256, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        return MerkleProof.verifyCalldata(proof, contentRootOf(tokenId), leafOf(tokenId, imageSha256, metadataSha256));
    }

    /// @notice Let somebody else transfer a token (ERC-721). Takes no ether.
    /// @param to who may; the zero address: nobody any more
    /// @param tokenId the token
    function approve(address to, uint256 tokenId) public payable override {
        _refuseEther();
        super.approve(to, tokenId);
    }

    /// @notice Transfer a token (ERC-721). Takes no ether, and neither does `safeTransferFrom`, which comes by here.
    /// @param from who owns it
    /// @param to who will own it
    /// @param tokenId the token
    function transferFrom(address from, address to, uint256 tokenId) public payable override {
        _refuseEther();
        super.transferFrom(from, to, tokenId);
    }

    /// @notice `ipfs://<CIDv1 of the drop's root directory>/<id>.json`; `placeholderURI` while the drop is sealed.
    /// @param tokenId a minted token
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        if (!_exists(tokenId)) revert URIQueryForNonexistentToken();
        bytes32 digest = dropOf(tokenId).cidDigest;
        if (digest == 0) return placeholderURI;
        return string.concat("ipfs://", _cid(digest), "/", _toString(tokenId), ".json");
    }

    /// @notice Where the collection describes itself (ERC-7572).
    function contractURI() external view returns (string memory) {
        return _contractURI;
    }

    /// @notice ERC-165, ERC-721 and its metadata, ERC-2981, ERC-4906, ERC-7572, and OpenZeppelin's access control with its
    /// default-admin rules.
    /// @param interfaceId the interface asked about
    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(ERC721AUpgradeable, ERC2981, AccessControlDefaultAdminRulesUpgradeable)
        returns (bool)
    {
        return interfaceId == 0x49064906 || interfaceId == this.contractURI.selector
            || ERC721AUpgradeable.supportsInterface(interfaceId) || ERC2981.supportsInterface(interfaceId)
            || AccessControlDefaultAdminRulesUpgradeable.supportsInterface(interfaceId);
    }

    // Inside

    /// @dev Token ids are the collection's slots, which are counted from 1.
    function _startTokenId() internal pure override returns (uint256) {
        return 1;
    }

    /// @dev What a collection begins with, shared by the constructor and `initialize`.
    function _make(Terms memory terms) private onlyInitializing {
        uint256 supply = terms.maxSupply;
        if (supply == 0 || supply > type(uint32).max) revert BadMaxSupply(supply);
        // What ERC721A's own initialiser would write, without the slot that it keeps to be called once: this one is.
        ERC721AStorage.Layout storage token = ERC721AStorage.layout();
        token._name = terms.name;
        token._symbol = terms.symbol;
        token._currentIndex = _startTokenId();
        __AccessControlDefaultAdminRules_init(terms.adminDelay, terms.admin);
        _maxSupply = uint32(supply);
        _setTreasury(terms.treasury);
        if (terms.royaltyReceiver != address(0)) _setRoyalty(terms.royaltyReceiver, terms.royaltyBasisPoints);
    }

    /// @dev Somebody else's salt is another one.
    function _saltOf(address maker, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(maker, salt));
    }

    /// @dev Two libraries have it.
    function _msgSender() internal view override(Context, ContextUpgradeable) returns (address) {
        return msg.sender;
    }

    /// @dev Two libraries have it.
    function _msgData() internal pure override(Context, ContextUpgradeable) returns (bytes calldata) {
        return msg.data;
    }

    /// @dev Two libraries have it.
    function _contextSuffixLength() internal pure override(Context, ContextUpgradeable) returns (uint256) {
        return 0;
    }

    /// @dev Shared by the constructor and `setTreasury`.
    function _setTreasury(address treasury_) private {
        if (treasury_ == address(0)) revert ZeroTreasury();
        if (treasury_ == address(this)) revert TreasuryIsThisContract();
        treasury = treasury_;
        emit TreasurySet(treasury_);
    }

    /// @dev Shared by the constructor and `setRoyalty`.
    function _setRoyalty(address receiver, uint96 basisPoints) private {
        if (basisPoints > MAX_ROYALTY) revert RoyaltyTooHigh(basisPoints, MAX_ROYALTY);
        _setDefaultRoyalty(receiver, basisPoints);
    }

    /// @dev ERC-721 declares its transfers payable. Ether that came with one would be locked here for ever.
    function _refuseEther() private view {
        if (msg.value != 0) revert EtherRefused(msg.value);
    }

    /// @dev Shared by both ways to commit a drop.
    function _addDrop(uint256 firstTokenId, uint256 quantity, bytes32 contentRoot, bytes32 cidDigest) private {
        uint256 expected = nextUncommitted();
        if (firstTokenId != expected) revert NotNextUncommitted(expected, firstTokenId);
        if (quantity == 0) revert NothingAsked();
        uint256 left = _maxSupply - _lastCommitted;
        if (quantity > left) revert AboveMaxSupply(quantity, left);
        uint24 number = _dropCount + 1;
        _drops[number] = Drop(contentRoot, cidDigest, uint32(firstTokenId), uint32(quantity));
        _lastCommitted = uint32(firstTokenId + quantity - 1);
        _dropCount = number;
    }

    /// @dev Take `quantity` from the caller's allowance.
    function _spend(uint256 quantity) private {
        Allowance memory allowance = _allowances[msg.sender];
        uint256 used = allowance.used + quantity;
        if (used > allowance.total) {
            uint256 left = allowance.total > allowance.used ? allowance.total - allowance.used : 0;
            revert AllowanceTooSmall(msg.sender, left, quantity);
        }
        if (allowance.window != 0) {
            uint256 part = _part(allowance.window);
            uint256 recent = _recent(allowance, part);
            uint256 counted = _sum(recent);
            if (counted + quantity > allowance.perWindow) {
                uint256 left = allowance.perWindow > counted ? allowance.perWindow - counted : 0;
                revert WindowTooSmall(msg.sender, left, quantity);
            }
            allowance.part = uint32(part);
            allowance.recent = uint96(recent + quantity);
        }
        allowance.used = uint40(used);
        _allowances[msg.sender] = allowance;
    }

    /// @dev Which third of a window it is now. Thirds are rounded up, so that four of them always cover a window.
    function _part(uint256 window) private view returns (uint256) {
        return block.timestamp / ((window + 2) / 3);
    }

    /// @dev The four counters as they stand in third number `part`: what is older has moved out.
    function _recent(Allowance memory allowance, uint256 part) private pure returns (uint256) {
        uint256 passed = part - allowance.part;
        return passed > 3 ? 0 : uint96(uint256(allowance.recent) << (24 * passed));
    }

    /// @dev The four counters added up.
    function _sum(uint256 recent) private pure returns (uint256) {
        uint256 mask = type(uint24).max;
        return (recent & mask) + ((recent >> 24) & mask) + ((recent >> 48) & mask) + (recent >> 72);
    }

    /// @dev CIDv1, dag-pb, sha2-256 in multibase base32: "b" and 58 characters for 36 bytes.
    function _cid(bytes32 digest) private pure returns (string memory) {
        bytes memory alphabet = "abcdefghijklmnopqrstuvwxyz234567";
        bytes memory binary = abi.encodePacked(hex"01701220", digest);
        bytes memory text = new bytes(59);
        text[0] = "b";
        uint256 buffer = 0;
        uint256 bits = 0;
        uint256 index = 1;
        for (uint256 i = 0; i < binary.length; ++i) {
            buffer = (buffer << 8) | uint8(binary[i]);
            for (bits += 8; bits >= 5; ++index) {
                bits -= 5;
                text[index] = alphabet[(buffer >> bits) & 31];
            }
        }
        text[index] = alphabet[(buffer << (5 - bits)) & 31];
        return string(text);
    }
}
