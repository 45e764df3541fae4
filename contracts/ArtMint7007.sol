// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// @title IERC7007
/// @notice Verifiable AI-generated content (ERC-7007). Its ERC-165 identifier is 0x702c55a6.
interface IERC7007 is IERC165 {
    /// @notice Content was added to a token.
    event AigcData(uint256 indexed tokenId, bytes indexed prompt, bytes aigcData, bytes proof);

    /// @notice Add content to a token.
    /// @param tokenId the token
    /// @param prompt what it was made from
    /// @param aigcData what was made
    /// @param proof that the one gives the other
    function addAigcData(uint256 tokenId, bytes calldata prompt, bytes calldata aigcData, bytes calldata proof)
        external;

    /// @notice Whether a prompt gives this content.
    /// @param prompt what it was made from
    /// @param aigcData what was made
    /// @param proof that the one gives the other
    function verify(bytes calldata prompt, bytes calldata aigcData, bytes calldata proof)
        external
        view
        returns (bool success);
}

/// @title IReplay
/// @notice A renderer on chain: it computes a drawn token's pixels again.
interface IReplay {
    /// @notice SHA-256 of a token's pixels, RGB, row by row.
    /// @param tokenId the token
    function pixelDigest(uint256 tokenId) external view returns (bytes32);
    /// @notice What a token is drawn from, in words.
    /// @param tokenId the token
    function prompt(uint256 tokenId) external view returns (string memory);
}

/// @title IFacts
/// @notice As much of AttestationGate as is asked here.
interface IFacts {
    /// @notice The facts that enough verifiers agree on; zero: not enough do.
    /// @param root a drop's content root
    function factsOf(bytes32 root) external view returns (bytes32);
}

/// @title ICollection
/// @notice As much of ArtMint as is asked here.
interface ICollection {
    /// @notice Who has a token.
    function ownerOf(uint256 tokenId) external view returns (address);
    /// @notice How many tokens somebody has.
    function balanceOf(address owner) external view returns (uint256);
    /// @notice Where a token's JSON is.
    function tokenURI(uint256 tokenId) external view returns (string memory);
    /// @notice Who may move a token.
    function getApproved(uint256 tokenId) external view returns (address);
    /// @notice Whether somebody may move another's tokens.
    function isApprovedForAll(address owner, address operator) external view returns (bool);
    /// @notice The content root of a token's drop.
    function contentRootOf(uint256 tokenId) external view returns (bytes32);
}

/// @title ArtMint7007
/// @notice Speaks ERC-7007 for the tokens of an ArtMint collection, which stay where they are.
/// @dev The ERC's reference numbers a token by the hash of its prompt. ArtMint's ids run from 1, and several tokens may share
/// a prompt (their seeds differ); so this adapter keeps which tokens have which prompt. Content is 32 bytes: of an attested
/// token the SHA-256 of its picture's file, of a token that is drawn on chain the SHA-256 of its pixels. Two proofs:
///   1, tokenId, pixels, siblings…: enough verifiers of a gate have signed facts in which this prompt, file and pixels are the token's
///   2, tokenId, 0: the renderer on chain says this prompt of the token, and gives these pixels now
/// An empty proof, or a single zero byte, asks whether the pair was added here before. The adapter has no owner and can do
/// nothing to a token; moving one is the collection's business.
contract ArtMint7007 is IERC7007 {
    uint256 private constant _ATTESTED = 1;
    uint256 private constant _REPLAYED = 2;

    /// @notice The collection.
    ICollection public collection;
    /// @notice Whose verifiers are believed; the zero address: nobody's.
    IFacts public gate;
    /// @notice The renderer on chain; the zero address: there is none.
    IReplay public replay;

    mapping(uint256 tokenId => bytes) private _prompts;
    mapping(uint256 tokenId => bytes) private _data;
    mapping(bytes32 promptHash => uint256[]) private _tokens;
    mapping(bytes32 pair => bool) private _added;

    /// @notice Content is added to a token once.
    error AlreadyAdded(uint256 tokenId);
    /// @notice The proof proves nothing.
    error InvalidProof(uint256 tokenId);
    /// @notice Nothing was added to the token yet.
    error NothingAdded(uint256 tokenId);
    /// @notice A prompt of several tokens, or of none: `tokensOf` lists them.
    error NotOneToken(uint256 count);
    /// @notice The renderer gave no answer: it was given too little gas to draw with.
    error NoAnswer(uint256 tokenId);
    /// @notice The adapter moves nothing.
    error AskTheCollection(address collection);

    /// @param collection_ an ArtMint contract
    /// @param gate_ an AttestationGate over it; the zero address: none
    /// @param replay_ its renderer on chain; the zero address: none
    constructor(ICollection collection_, IFacts gate_, IReplay replay_) {
        collection = collection_;
        gate = gate_;
        replay = replay_;
    }

    /// @inheritdoc IERC7007
    function addAigcData(uint256 id, bytes calldata prompt_, bytes calldata aigcData_, bytes calldata proof)
        external
    {
        collection.ownerOf(id); // refuses one that isn't minted
        if (_data[id].length != 0) revert AlreadyAdded(id);
        bool proven = _wellFormed(proof) && uint256(_word(proof, 1)) == id && _proven(id, prompt_, aigcData_, proof);
        if (!proven) revert InvalidProof(id);
        _prompts[id] = prompt_;
        _data[id] = aigcData_;
        _tokens[keccak256(prompt_)].push(id);
        _added[_pair(prompt_, aigcData_)] = true;
        emit AigcData(id, prompt_, aigcData_, proof);
    }

    /// @inheritdoc IERC7007
    function verify(bytes calldata prompt_, bytes calldata aigcData_, bytes calldata proof)
        external
        view
        returns (bool success)
    {
        if (proof.length == 0 || (proof.length == 1 && proof[0] == 0)) return _added[_pair(prompt_, aigcData_)];
        if (!_wellFormed(proof)) return false;
        return _proven(uint256(_word(proof, 1)), prompt_, aigcData_, proof);
    }

    /// @notice The only token that has a prompt.
    /// @param prompt_ the prompt
    function tokenId(bytes calldata prompt_) external view returns (uint256) {
        uint256[] storage found = _tokens[keccak256(prompt_)];
        if (found.length != 1) revert NotOneToken(found.length);
        return found[0];
    }

    /// @notice All tokens that have a prompt, in the order in which they were added.
    /// @param prompt_ the prompt
    function tokensOf(bytes calldata prompt_) external view returns (uint256[] memory) {
        return _tokens[keccak256(prompt_)];
    }

    /// @notice A token's prompt.
    /// @param tokenId_ the token
    function prompt(uint256 tokenId_) external view returns (string memory) {
        if (_data[tokenId_].length == 0) revert NothingAdded(tokenId_);
        return string(_prompts[tokenId_]);
    }

    /// @notice A token's content: 32 bytes.
    /// @param tokenId_ the token
    function aigcData(uint256 tokenId_) external view returns (bytes memory) {
        if (_data[tokenId_].length == 0) revert NothingAdded(tokenId_);
        return _data[tokenId_];
    }

    /// @notice As the collection says.
    /// @param tokenId_ the token
    function ownerOf(uint256 tokenId_) external view returns (address) {
        return collection.ownerOf(tokenId_);
    }

    /// @notice As the collection says.
    /// @param owner whose tokens are counted
    function balanceOf(address owner) external view returns (uint256) {
        return collection.balanceOf(owner);
    }

    /// @notice As the collection says.
    /// @param tokenId_ the token
    function tokenURI(uint256 tokenId_) external view returns (string memory) {
        return collection.tokenURI(tokenId_);
    }

    /// @notice As the collection says.
    /// @param tokenId_ the token
    function getApproved(uint256 tokenId_) external view returns (address) {
        return collection.getApproved(tokenId_);
    }

    /// @notice As the collection says.
    /// @param owner whose tokens
    /// @param operator who may move them
    function isApprovedForAll(address owner, address operator) external view returns (bool) {
        return collection.isApprovedForAll(owner, operator);
    }

    /// @notice Refused: tokens are moved in the collection.
    function transferFrom(address, address, uint256) external view {
        revert AskTheCollection(address(collection));
    }

    /// @notice Refused: tokens are moved in the collection.
    function safeTransferFrom(address, address, uint256) external view {
        revert AskTheCollection(address(collection));
    }

    /// @notice Refused: tokens are moved in the collection.
    function safeTransferFrom(address, address, uint256, bytes calldata) external view {
        revert AskTheCollection(address(collection));
    }

    /// @notice Refused: approvals are given in the collection.
    function approve(address, uint256) external view {
        revert AskTheCollection(address(collection));
    }

    /// @notice Refused: approvals are given in the collection.
    function setApprovalForAll(address, bool) external view {
        revert AskTheCollection(address(collection));
    }

    /// @notice ERC-165 and ERC-7007. Not ERC-721: wallets would show every token twice.
    /// @param interfaceId an identifier
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERC165).interfaceId || interfaceId == type(IERC7007).interfaceId;
    }

    /// @dev Whether a proof of either kind holds.
    function _proven(uint256 id, bytes calldata prompt_, bytes calldata aigcData_, bytes calldata proof)
        private
        view
        returns (bool)
    {
        if (uint256(_word(proof, 0)) == _ATTESTED) return _attested(id, prompt_, aigcData_, proof);
        return uint256(_word(proof, 0)) == _REPLAYED && _replays(id, prompt_, aigcData_, proof);
    }

    /// @dev Whether the gate's verifiers agree on facts in which prompt, file and pixels are the token's.
    function _attested(uint256 id, bytes calldata prompt_, bytes calldata aigcData_, bytes calldata proof)
        private
        view
        returns (bool)
    {
        if (aigcData_.length != 32 || address(gate) == address(0)) return false;
        try collection.contentRootOf(id) returns (bytes32 root) {
            bytes32 facts = gate.factsOf(root);
            bytes memory leaf = abi.encode(id, keccak256(prompt_), bytes32(aigcData_), _word(proof, 2));
            bytes32[] memory siblings = new bytes32[](proof.length / 32 - 3);
            for (uint256 i = 0; i < siblings.length; ++i) {
                siblings[i] = _word(proof, i + 3);
            }
            return facts != 0 && MerkleProof.verify(siblings, facts, keccak256(bytes.concat(keccak256(leaf))));
        } catch {
            return false;
        }
    }

    /// @dev Whether the renderer says this prompt, and gives these pixels now.
    function _replays(uint256 id, bytes calldata prompt_, bytes calldata aigcData_, bytes calldata proof)
        private
        view
        returns (bool)
    {
        if (proof.length != 96 || _word(proof, 2) != 0 || aigcData_.length != 32) return false;
        if (address(replay) == address(0)) return false;
        try replay.prompt(id) returns (string memory words) {
            if (keccak256(bytes(words)) != keccak256(prompt_)) return false;
        } catch (bytes memory reason) {
            return _refused(id, reason);
        }
        try replay.pixelDigest(id) returns (bytes32 pixels) {
            return pixels == bytes32(aigcData_);
        } catch (bytes memory reason) {
            return _refused(id, reason);
        }
    }

    /// @dev False where the renderer has refused with a reason. Without one it has run out of gas, which says nothing of the token.
    function _refused(uint256 id, bytes memory reason) private pure returns (bool) {
        if (reason.length == 0) revert NoAnswer(id);
        return false;
    }

    /// @dev Whether a proof is three words or more.
    function _wellFormed(bytes calldata proof) private pure returns (bool) {
        return proof.length >= 96 && proof.length % 32 == 0;
    }

    /// @dev A word of a proof.
    function _word(bytes calldata proof, uint256 place) private pure returns (bytes32) {
        return bytes32(proof[place * 32:place * 32 + 32]);
    }

    /// @dev What stands for a prompt and its content.
    function _pair(bytes calldata prompt_, bytes calldata aigcData_) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(prompt_), keccak256(aigcData_)));
    }
}
