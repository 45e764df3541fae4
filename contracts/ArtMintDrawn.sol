// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControlDefaultAdminRules} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ERC721A} from "erc721a/contracts/ERC721A.sol";

/// @notice What draws: see ArtMintPainter.
interface IPainter {
    function digest() external view returns (bytes32);
    function check(bytes calldata recipes) external view;
    function checkName(string calldata name) external pure;
    function uri(string calldata collection, string calldata tokenId, bytes12 recipe) external view returns (string memory);
    function about(string calldata collection, string calldata symbol, string calldata description, bytes calldata recipe)
        external
        view
        returns (string memory);
}

/// @title ArtMintDrawn
/// @notice One collection of pictures that the chain draws: every token is twelve bytes, and a network on chain draws it from them.
/// @dev It stands beside ArtMint, with the same parties and the same rules: the admin (a Safe or a cold key) commits drops and hands
/// out limits; a minter (a hot key) may mint committed tokens to the treasury, within its allowance, and nothing else; a pauser may stop
/// minting. Token ids run from 1 without a gap and are slots. A commitment here is the recipes themselves: it can't be taken back or
/// changed, nor can the painter.
contract ArtMintDrawn is ERC721A, ERC2981, AccessControlDefaultAdminRules, Pausable {
    /// @notice What a collection is made with.
    struct Terms {
        /// @dev The collection's name.
        string name;
        /// @dev Its short name.
        string symbol;
        /// @dev What marketplaces say of it.
        string description;
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

    /// @notice A contiguous range of tokens whose recipes were committed together.
    struct Drop {
        /// @dev SHA-256 of the drop's recipes, one after the other.
        bytes32 contentRoot;
        /// @dev SHA-256 of the painter's bytes: what draws them. A drop of ArtMint has a directory's CID in this place.
        bytes32 cidDigest;
        uint32 firstTokenId;
        uint32 quantity;
        /// @dev A contract whose code is a zero byte and the recipes.
        address recipes;
    }

    /// @dev One slot, so that a mint reads and writes its limits once.
    struct Allowance {
        uint40 total;
        uint40 used;
        uint24 perWindow;
        uint24 window;
        uint32 part;
        uint96 recent;
    }

    /// @notice Who may call `mintBatch`.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    /// @notice Who may call `pause`.
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice The most tokens one `mintBatch` may make.
    uint256 public constant MAX_BATCH = 100;
    /// @notice The highest royalty, in hundredths of a percent of a sale: a tenth.
    uint256 public constant MAX_ROYALTY = 1_000;
    /// @notice The most recipes one drop may have: what fits the code of a contract.
    uint256 public constant MAX_DROP = 2_000;

    /// @notice What draws every token. Nobody can set another.
    IPainter public painter;
    /// @notice What marketplaces say of the collection. Nobody can set another.
    string public description;
    /// @notice Where every token is minted to.
    address public treasury;
    uint32 private _lastCommitted;
    uint32 private _maxSupply;
    uint24 private _dropCount;
    mapping(uint256 number => Drop) private _drops;
    mapping(address minter => Allowance) private _allowances;

    /// @notice A drop's content is fixed from now on, and the chain draws it.
    event DropCommitted(uint256 indexed firstTokenId, uint256 quantity, bytes32 contentRoot, bytes32 cidDigest);
    /// @notice A minter's limits were set.
    event AllowanceSet(address indexed minter, uint256 total, uint256 perWindow, uint256 window, uint256 used);
    /// @notice New tokens go to `treasury`. Tokens minted before stay where they are.
    event TreasurySet(address indexed treasury);
    /// @notice There will never be a token with a higher id.
    event MaxSupplyLowered(uint256 maxSupply);

    /// @notice A drop must begin at the next uncommitted token.
    error NotNextUncommitted(uint256 expected, uint256 got);
    /// @notice A drop, or a batch, of nothing.
    error NothingAsked();
    /// @notice The drop has `quantity` tokens, and the maximum supply leaves `left`.
    error AboveMaxSupply(uint256 quantity, uint256 left);
    /// @notice The commitment says that something else draws than what this contract has.
    error OtherPainter(bytes32 expected, bytes32 got);
    /// @notice The recipes' bytes don't fit the quantity, or there are more than a drop may have.
    error RecipesLength(uint256 quantity, uint256 length);
    /// @notice The recipes couldn't be written.
    error NotWritten();
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
    /// @notice An allowance must fit its fields, and a limit for a window needs a window (and the other way round).
    error BadAllowance(uint256 total, uint256 perWindow, uint256 window);

    /// @param terms what the collection is made with
    /// @param painter_ what draws
    constructor(Terms memory terms, IPainter painter_)
        ERC721A(terms.name, terms.symbol)
        AccessControlDefaultAdminRules(terms.adminDelay, terms.admin)
    {
        if (terms.maxSupply == 0 || terms.maxSupply > type(uint32).max) revert BadMaxSupply(terms.maxSupply);
        painter_.checkName(terms.name);
        painter = painter_;
        description = terms.description;
        _maxSupply = uint32(terms.maxSupply);
        _setTreasury(terms.treasury);
        if (terms.royaltyReceiver != address(0)) _setRoyalty(terms.royaltyReceiver, terms.royaltyBasisPoints);
    }

    // Admin

    /// @notice Fix the next `quantity` tokens, once and for all: they are drawn on chain, by this painter, from these recipes.
    /// @param firstTokenId must be `nextUncommitted()`, so that a transaction that waited in a queue can't be misaligned
    /// @param quantity how many tokens the drop has
    /// @param painterDigest SHA-256 of the painter's bytes
    /// @param recipes twelve bytes for each token
    function commitDrawn(uint256 firstTokenId, uint256 quantity, bytes32 painterDigest, bytes calldata recipes)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        uint256 expected = nextUncommitted();
        if (firstTokenId != expected) revert NotNextUncommitted(expected, firstTokenId);
        if (quantity == 0) revert NothingAsked();
        uint256 left = _maxSupply - _lastCommitted;
        if (quantity > left) revert AboveMaxSupply(quantity, left);
        if (recipes.length != 12 * quantity || quantity > MAX_DROP) revert RecipesLength(quantity, recipes.length);
        bytes32 drawn = painter.digest();
        if (drawn != painterDigest) revert OtherPainter(drawn, painterDigest);
        painter.check(recipes);
        uint24 number = _dropCount + 1;
        bytes32 root = sha256(recipes);
        _drops[number] = Drop(root, drawn, uint32(firstTokenId), uint32(quantity), _written(recipes));
        _lastCommitted = uint32(firstTokenId + quantity - 1);
        _dropCount = number;
        emit DropCommitted(firstTokenId, quantity, root, drawn);
    }

    /// @notice Lower the maximum supply. It can never be raised again.
    /// @param maxSupply_ the new one: below the old one, not below what is committed, and not zero
    function lowerMaxSupply(uint256 maxSupply_) public onlyRole(DEFAULT_ADMIN_ROLE) {
        if (maxSupply_ == 0) revert BadMaxSupply(maxSupply_);
        if (maxSupply_ >= _maxSupply || maxSupply_ < _lastCommitted) {
            revert SupplyNotLowered(_maxSupply, _lastCommitted, maxSupply_);
        }
        _maxSupply = uint32(maxSupply_);
        emit MaxSupplyLowered(maxSupply_);
    }

    /// @notice Say how many tokens `minter` may mint in its lifetime, and how many of them in any stretch of `window` seconds, as
    /// in ArtMint: time is cut into thirds of a window, and the newest third and the three before it count.
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
        if (tokenId == 0 || tokenId > _lastCommitted) revert NotCommitted(tokenId, _lastCommitted);
        uint256 low = 1;
        uint256 high = _dropCount;
        while (low < high) {
            uint256 middle = (low + high + 1) / 2;
            if (_drops[middle].firstTokenId <= tokenId) low = middle;
            else high = middle - 1;
        }
        return _drops[low];
    }

    /// @notice The twelve bytes that a committed token is drawn from.
    /// @param tokenId a token id from 1 to `nextUncommitted() - 1`
    function recipeOf(uint256 tokenId) public view returns (bytes12 recipe) {
        Drop memory drop = dropOf(tokenId);
        address from = drop.recipes;
        uint256 place = 1 + 12 * (tokenId - drop.firstTokenId);
        assembly ("memory-safe") {
            mstore(0, 0)
            extcodecopy(from, 0, place, 12)
            recipe := mload(0)
        }
    }

    /// @notice A token's metadata as a data URI, drawn now: JSON with the picture, a page that draws it, and its traits.
    /// @param tokenId a minted token
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        if (!_exists(tokenId)) revert URIQueryForNonexistentToken();
        return painter.uri(name(), _toString(tokenId), recipeOf(tokenId));
    }

    /// @notice The collection's page (ERC-7572) as a data URI: name, symbol, description, and, once there is one, the first token's
    /// picture, drawn now. Nobody can change it.
    function contractURI() external view returns (string memory) {
        bytes memory recipe = _lastCommitted == 0 ? bytes("") : abi.encodePacked(recipeOf(1));
        return painter.about(name(), symbol(), description, recipe);
    }

    /// @notice Let somebody else transfer a token (ERC-721). Takes no ether.
    /// @param to who may; the zero address: nobody any more
    /// @param tokenId the token
    function approve(address to, uint256 tokenId) public payable override {
        if (msg.value != 0) revert EtherRefused(msg.value);
        super.approve(to, tokenId);
    }

    /// @notice Transfer a token (ERC-721). Takes no ether, and neither does `safeTransferFrom`, which comes by here.
    /// @param from who owns it
    /// @param to who will own it
    /// @param tokenId the token
    function transferFrom(address from, address to, uint256 tokenId) public payable override {
        if (msg.value != 0) revert EtherRefused(msg.value);
        super.transferFrom(from, to, tokenId);
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
        if (treasury_ == address(this)) revert TreasuryIsThisContract();
        treasury = treasury_;
        emit TreasurySet(treasury_);
    }

    /// @dev Shared by the constructor and `setRoyalty`.
    function _setRoyalty(address receiver, uint96 basisPoints) private {
        if (basisPoints > MAX_ROYALTY) revert RoyaltyTooHigh(basisPoints, MAX_ROYALTY);
        _setDefaultRoyalty(receiver, basisPoints);
    }

    /// @dev Bytes as the code of a new contract, behind a zero byte, so that nothing can run.
    function _written(bytes calldata content) private returns (address where) {
        bytes memory made = abi.encodePacked(hex"61", uint16(content.length + 1), hex"80600a3d393df300", content);
        assembly ("memory-safe") {
            where := create(0, add(made, 32), mload(made))
        }
        if (where == address(0)) revert NotWritten();
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
}
