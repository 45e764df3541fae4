// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControlDefaultAdminRules} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ERC721A} from "erc721a/contracts/ERC721A.sol";

/// @title ArtMint
/// @notice One collection of pictures whose content is fixed on chain before any of it is minted.
/// @dev Three parties. The admin (a Safe or a cold key) commits drops and hands out limits. A minter (a hot key) may mint
/// committed tokens to the treasury, within its allowance, and nothing else. A pauser may stop minting. Token ids run
/// from 1 without a gap, and a token's id is its slot in the collection.
contract ArtMint is ERC721A, ERC2981, AccessControlDefaultAdminRules, Pausable {
    /// @notice A contiguous range of tokens whose content was committed together.
    struct Drop {
        /// @dev Merkle root over `leafOf` of every token of the drop.
        bytes32 contentRoot;
        /// @dev sha2-256 digest of the CID of the drop's root directory, which holds `<id>.json`.
        bytes32 cidDigest;
        uint128 firstTokenId;
        uint128 quantity;
    }

    /// @notice How many tokens a minter may mint in its lifetime, and how many it has minted.
    struct Allowance {
        uint128 total;
        uint128 used;
    }

    /// @notice Who may call `mintBatch`.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    /// @notice Who may call `pause`.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice The most tokens one `mintBatch` may make. More would make the first transfer out of the batch expensive.
    uint256 public constant MAX_BATCH = 100;
    /// @notice The highest token id there can ever be.
    uint256 public immutable maxSupply;

    /// @notice Where every token is minted to.
    address public treasury;
    // Packed beside the treasury and the pause flag, so that minting reads one slot for the three of them.
    uint64 private _lastCommitted;

    Drop[] private _drops;
    mapping(address minter => Allowance) private _allowances;

    /// @notice A drop's content is fixed from now on.
    event DropCommitted(uint256 indexed firstTokenId, uint256 quantity, bytes32 contentRoot, bytes32 cidDigest);
    /// @notice `minter` may mint `total` tokens in its lifetime, of which it has minted `used`.
    event AllowanceSet(address indexed minter, uint256 total, uint256 used);
    /// @notice New tokens go to `treasury`. Tokens minted before stay where they are.
    event TreasurySet(address indexed treasury);

    /// @notice A drop must begin at the next uncommitted token.
    error NotNextUncommitted(uint256 expected, uint256 got);
    /// @notice A drop, or a batch, of nothing.
    error NothingAsked();
    /// @notice The drop has `quantity` tokens, and the maximum supply leaves `left`.
    error AboveMaxSupply(uint256 quantity, uint256 left);
    /// @notice Content root and CID digest must both be given.
    error EmptyDigest(bytes32 contentRoot, bytes32 cidDigest);
    /// @notice The batch must begin at the next token. A repeated or a second sender's transaction ends here.
    error NotNextToken(uint256 expected, uint256 got);
    /// @notice The batch would end at token `last`, but tokens are committed only up to `lastCommitted`.
    error NotCommitted(uint256 last, uint256 lastCommitted);
    /// @notice The minter may mint `left` more tokens, not `wanted`.
    error AllowanceTooSmall(address minter, uint256 left, uint256 wanted);
    /// @notice More tokens in one batch than `MAX_BATCH`.
    error BatchTooLarge(uint256 quantity, uint256 limit);
    /// @notice The treasury can't be the zero address.
    error ZeroTreasury();
    /// @notice The maximum supply must be at least 1 and fit 64 bits.
    error BadMaxSupply(uint256 maxSupply);
    /// @notice An allowance must fit 128 bits.
    error BadAllowance(uint256 total);

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
    ) ERC721A(name_, symbol_) AccessControlDefaultAdminRules(adminDelay, admin) {
        if (maxSupply_ == 0 || maxSupply_ > type(uint64).max) revert BadMaxSupply(maxSupply_);
        maxSupply = maxSupply_;
        _setTreasury(treasury_);
        if (royaltyReceiver != address(0)) _setDefaultRoyalty(royaltyReceiver, royaltyBasisPoints);
    }

    // Admin

    /// @notice Fix the content of the next `quantity` tokens, once and for all.
    /// @param firstTokenId must be `nextUncommitted()`, so that a transaction that waited in a queue can't be misaligned
    /// @param quantity how many tokens the drop has
    /// @param contentRoot Merkle root over the tokens' leaves (see `leafOf`)
    /// @param cidDigest sha2-256 digest of the CIDv1 (dag-pb) of the root directory
    function commitDrop(uint256 firstTokenId, uint256 quantity, bytes32 contentRoot, bytes32 cidDigest)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        uint256 expected = nextUncommitted();
        if (firstTokenId != expected) revert NotNextUncommitted(expected, firstTokenId);
        if (quantity == 0) revert NothingAsked();
        uint256 left = maxSupply - _lastCommitted;
        if (quantity > left) revert AboveMaxSupply(quantity, left);
        if (contentRoot == 0 || cidDigest == 0) revert EmptyDigest(contentRoot, cidDigest);
        _drops.push(Drop(contentRoot, cidDigest, uint128(firstTokenId), uint128(quantity)));
        _lastCommitted = uint64(firstTokenId + quantity - 1);
        emit DropCommitted(firstTokenId, quantity, contentRoot, cidDigest);
    }

    /// @notice Say how many tokens `minter` may mint in its lifetime. What it has minted already counts, so a
    /// repeated call changes nothing, and a mint that races with the call can't gain by it.
    /// @param minter the key; it needs MINTER_ROLE as well
    /// @param total the new limit; less than what was used stops the minter
    function setAllowance(address minter, uint256 total) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (total > type(uint128).max) revert BadAllowance(total);
        _allowances[minter].total = uint128(total);
        emit AllowanceSet(minter, total, _allowances[minter].used);
    }

    /// @notice Send new tokens to another address. It isn't asked whether it can hold tokens.
    /// @param treasury_ the new treasury
    function setTreasury(address treasury_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setTreasury(treasury_);
    }

    /// @notice Set the royalty of every token (ERC-2981).
    /// @param receiver who is owed
    /// @param basisPoints how much, in hundredths of a percent of a sale
    function setRoyalty(address receiver, uint96 basisPoints) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setDefaultRoyalty(receiver, basisPoints);
    }

    /// @notice Allow minting again.
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
    /// @param firstTokenId must be `nextToken()`: whoever sends the same batch again, or at the same time, is refused
    /// @param quantity at most `MAX_BATCH`, what is committed, and what the caller's allowance leaves
    function mintBatch(uint256 firstTokenId, uint256 quantity) external whenNotPaused onlyRole(MINTER_ROLE) {
        uint256 expected = _nextTokenId();
        if (firstTokenId != expected) revert NotNextToken(expected, firstTokenId);
        if (quantity == 0) revert NothingAsked();
        if (quantity > MAX_BATCH) revert BatchTooLarge(quantity, MAX_BATCH);
        uint256 last = firstTokenId + quantity - 1;
        if (last > _lastCommitted) revert NotCommitted(last, _lastCommitted);
        Allowance memory allowance = _allowances[msg.sender];
        uint256 used = allowance.used + quantity;
        if (used > allowance.total) {
            uint256 left = allowance.total > allowance.used ? allowance.total - allowance.used : 0;
            revert AllowanceTooSmall(msg.sender, left, quantity);
        }
        _allowances[msg.sender].used = uint128(used);
        _mint(treasury, quantity);
    }

    // Everybody

    /// @notice The id that the next `mintBatch` must begin with.
    function nextToken() external view returns (uint256) {
        return _nextTokenId();
    }

    /// @notice The id that the next `commitDrop` must begin with.
    function nextUncommitted() public view returns (uint256) {
        return uint256(_lastCommitted) + 1;
    }

    /// @notice What `minter` may mint in its lifetime, and what it has minted.
    /// @param minter the key asked about
    function allowanceOf(address minter) external view returns (uint256 total, uint256 used) {
        Allowance memory allowance = _allowances[minter];
        return (allowance.total, allowance.used);
    }

    /// @notice How many drops are committed.
    function dropCount() external view returns (uint256) {
        return _drops.length;
    }

    /// @notice The drop that a committed token belongs to, minted or not.
    /// @param tokenId a token id from 1 to `nextUncommitted() - 1`
    function dropOf(uint256 tokenId) public view returns (Drop memory) {
        if (tokenId == 0 || tokenId > _lastCommitted) revert NotCommitted(tokenId, _lastCommitted);
        uint256 low = 0;
        uint256 high = _drops.length - 1;
        while (low < high) {
            uint256 middle = (low + high + 1) / 2;
            if (_drops[middle].firstTokenId <= tokenId) low = middle;
            else high = middle - 1;
        }
        return _drops[low];
    }

    /// @notice The Merkle root that a committed token's content is proven against.
    /// @param tokenId a token id from 1 to `nextUncommitted() - 1`
    function contentRootOf(uint256 tokenId) external view returns (bytes32) {
        return dropOf(tokenId).contentRoot;
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
    /// @param tokenId a committed token, minted or not
    /// @param imageSha256 SHA-256 of its picture file
    /// @param metadataSha256 SHA-256 of its JSON file
    /// @param proof sibling hashes from the leaf to the root (each pair sorted before hashing)
    function verifyToken(uint256 tokenId, bytes32 imageSha256, bytes32 metadataSha256, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        return MerkleProof.verifyCalldata(proof, dropOf(tokenId).contentRoot, leafOf(tokenId, imageSha256, metadataSha256));
    }

    /// @notice `ipfs://<CIDv1 of the drop's root directory>/<id>.json`
    /// @param tokenId a minted token
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        if (!_exists(tokenId)) revert URIQueryForNonexistentToken();
        return string.concat("ipfs://", _cid(dropOf(tokenId).cidDigest), "/", _toString(tokenId), ".json");
    }

    /// @notice ERC-165, ERC-721 and its metadata, ERC-2981, and OpenZeppelin's access control with its default-admin rules.
    /// @param interfaceId the interface asked about
    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(ERC721A, ERC2981, AccessControlDefaultAdminRules)
        returns (bool)
    {
        return ERC721A.supportsInterface(interfaceId) || ERC2981.supportsInterface(interfaceId)
            || AccessControlDefaultAdminRules.supportsInterface(interfaceId);
    }

    // Inside

    /// @dev Token ids are the collection's slots, which are counted from 1.
    function _startTokenId() internal pure override returns (uint256) {
        return 1;
    }

    /// @dev Shared by the constructor and `setTreasury`.
    function _setTreasury(address treasury_) private {
        if (treasury_ == address(0)) revert ZeroTreasury();
        treasury = treasury_;
        emit TreasurySet(treasury_);
    }

    /// @dev CIDv1, dag-pb, sha2-256 in multibase base32: "b" and 58 characters for 36 bytes.
    function _cid(bytes32 digest) private pure returns (string memory) {
        bytes memory alphabet = "abcdefghijklmnopqrstuvwxyz234567";
        bytes memory binary = abi.encodePacked(hex"01701220", digest);
        bytes memory text = new bytes(59);
        text[0] = "b";
        uint256 buffer;
        uint256 bits;
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
