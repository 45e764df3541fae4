// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title IGate
/// @notice Whether something may go on.
interface IGate {
    /// @notice Whether enough was said about a drop.
    /// @param root the drop's content root
    function open(bytes32 root) external view returns (bool);
}

/// @title AttestationGate
/// @notice Whether so many of a named set of verifiers have rendered a drop again and signed that every token of it is equal.
/// @dev It has no owner, no switch and no power over any token: it only answers. Who asks it, and what waits for its answer,
/// is decided elsewhere (a Safe's owners, a sale). Its set never changes; another set is another gate. A verifier signs off
/// chain, typed data (EIP-712) over the drop's content root; anybody brings the signatures here. Verifiers are keys: a
/// contract's signature (ERC-1271) isn't taken.
contract AttestationGate is IGate {
    /// @notice What a verifier has signed about a drop, beside its content root.
    struct Signed {
        /// @dev Merkle root over the drop's facts: prompt, file and pixels of each token.
        bytes32 facts;
        /// @dev Merkle root over the verifier's attestations of single tokens.
        bytes32 attestations;
        /// @dev 65 bytes: r, s, v.
        bytes signature;
    }

    bytes32 private constant _DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant _DROP = keccak256("Drop(bytes32 contentRoot,bytes32 facts,bytes32 attestations,bool equal)");

    /// @notice The ArtMint contract whose drops are spoken of.
    address public collection;
    /// @notice How many verifiers have to agree.
    uint256 public needed;
    /// @notice The facts that so many verifiers agree on, by content root; zero: not enough do.
    mapping(bytes32 root => bytes32 facts) public factsOf;
    /// @notice Whether an address is a verifier of this gate.
    mapping(address verifier => bool named) public isVerifier;
    /// @notice Whether a verifier has been counted for a drop.
    mapping(bytes32 root => mapping(address verifier => bool counted)) public hasSigned;
    /// @notice How many verifiers have signed the same facts about a drop.
    mapping(bytes32 root => mapping(bytes32 facts => uint256 count)) public countOf;

    address[] private _verifiers;

    /// @notice A verifier's signature was counted.
    event Attested(bytes32 indexed root, address indexed verifier, bytes32 facts, bytes32 attestations);
    /// @notice Enough verifiers agree on a drop.
    event Opened(bytes32 indexed root, bytes32 facts);

    /// @notice No set of verifiers, or more needed than there are.
    error BadSet(uint256 verifiers, uint256 needed);
    /// @notice Nobody, or a verifier that is named already.
    error BadVerifier(address verifier);
    /// @notice A signature of somebody who isn't asked, or of something else.
    error NotAVerifier(address signer);
    /// @notice Roots that stand for nothing.
    error EmptyRoot();

    /// @param collection_ the ArtMint contract
    /// @param verifiers_ whose signatures count
    /// @param needed_ how many of them have to agree
    constructor(address collection_, address[] memory verifiers_, uint256 needed_) {
        if (needed_ == 0 || needed_ > verifiers_.length) revert BadSet(verifiers_.length, needed_);
        for (uint256 i = 0; i < verifiers_.length; ++i) {
            address verifier = verifiers_[i];
            if (verifier == address(0) || isVerifier[verifier]) revert BadVerifier(verifier);
            isVerifier[verifier] = true;
        }
        collection = collection_;
        needed = needed_;
        _verifiers = verifiers_;
    }

    /// @notice Count signatures about a drop. Anybody may bring them; one that was counted is passed over.
    /// @param root the drop's content root
    /// @param signed what verifiers have signed about it
    function attest(bytes32 root, Signed[] calldata signed) external {
        if (root == 0) revert EmptyRoot();
        for (uint256 i = 0; i < signed.length; ++i) {
            Signed calldata one = signed[i];
            if (one.facts == 0) revert EmptyRoot();
            (address signer,,) = ECDSA.tryRecoverCalldata(digestOf(root, one.facts, one.attestations), one.signature);
            if (!isVerifier[signer]) revert NotAVerifier(signer);
            if (hasSigned[root][signer]) continue;
            hasSigned[root][signer] = true;
            emit Attested(root, signer, one.facts, one.attestations);
            if (++countOf[root][one.facts] == needed && factsOf[root] == 0) {
                factsOf[root] = one.facts;
                emit Opened(root, one.facts);
            }
        }
    }

    /// @inheritdoc IGate
    function open(bytes32 root) external view returns (bool) {
        return factsOf[root] != 0;
    }

    /// @notice Whose signatures count.
    function verifiers() external view returns (address[] memory) {
        return _verifiers;
    }

    /// @notice What a verifier signs who found every token of a drop equal.
    /// @param root the drop's content root
    /// @param facts Merkle root over the drop's facts
    /// @param attestations Merkle root over the verifier's attestations
    function digestOf(bytes32 root, bytes32 facts, bytes32 attestations) public view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(_DOMAIN, keccak256("artmint attestation"), keccak256("1"), block.chainid, collection)
        );
        bytes32 drop = keccak256(abi.encode(_DROP, root, facts, attestations, true));
        return keccak256(abi.encodePacked(hex"1901", domain, drop));
    }
}
