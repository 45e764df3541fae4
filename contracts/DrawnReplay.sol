// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice As much of ArtMintPainter as is asked here.
interface IPictures {
    /// @notice A recipe's picture: an indexed PNG.
    function png(bytes12 recipe) external view returns (bytes memory);
    /// @notice What a recipe asks for, in words.
    function prompt(bytes12 recipe) external view returns (string memory);
}

/// @notice As much of ArtMintDrawn as is asked here.
interface IRecipes {
    /// @notice What a token is drawn from.
    function recipeOf(uint256 tokenId) external view returns (bytes12);
    /// @notice Who draws.
    function painter() external view returns (IPictures);
}

/// @title DrawnReplay
/// @notice Draws a token of an ArtMintDrawn collection again, for ArtMint7007: the collection's own painter, its committed recipe.
/// @dev It reads the one form of PNG that ArtMintPainter writes: 128 x 128 pixels, nine colours, four bits a pixel, stored as they
/// are. Nothing in it can be changed, and nobody owns it.
contract DrawnReplay {
    uint256 private constant _SIDE = 128;
    uint256 private constant _COLOURS = 41; // where the palette's bytes begin
    uint256 private constant _ROWS = 87; // where the rows' bytes begin: a zero and 64 bytes each
    uint256 private constant _LENGTH = _ROWS + _SIDE * 65 + 4 + 4 + 12; // checksums and the last chunk

    /// @notice The collection.
    IRecipes public immutable collection;

    /// @notice A picture of another form than ArtMintPainter's.
    error OtherForm(uint256 length);

    /// @param collection_ an ArtMintDrawn contract
    constructor(IRecipes collection_) {
        collection = collection_;
    }

    /// @notice SHA-256 of a token's pixels, RGB, row by row. A question of about 25 million gas.
    /// @param tokenId the token
    function pixelDigest(uint256 tokenId) external view returns (bytes32) {
        bytes memory file = collection.painter().png(collection.recipeOf(tokenId));
        if (file.length != _LENGTH) revert OtherForm(file.length);
        return sha256(_pixels(file));
    }

    /// @notice What a token was asked for, in words: read from the same twelve bytes.
    /// @param tokenId the token
    function prompt(uint256 tokenId) external view returns (string memory) {
        return collection.painter().prompt(collection.recipeOf(tokenId));
    }

    /// @dev Three bytes for each pixel.
    function _pixels(bytes memory file) private pure returns (bytes memory rgb) {
        rgb = new bytes(_SIDE * _SIDE * 3 + 32); // the last colour is written as a word
        assembly ("memory-safe") {
            let colours := add(add(file, 32), _COLOURS)
            let from := add(add(file, 32), _ROWS)
            let to := add(rgb, 32)
            for { let y := 0 } lt(y, _SIDE) { y := add(y, 1) } {
                from := add(from, 1) // no filter
                for { let end := add(from, 64) } lt(from, end) { from := add(from, 1) } {
                    let two := byte(0, mload(from))
                    mstore(to, mload(add(colours, mul(3, shr(4, two)))))
                    mstore(add(to, 3), mload(add(colours, mul(3, and(two, 15)))))
                    to := add(to, 6)
                }
            }
            mstore(rgb, mul(mul(_SIDE, _SIDE), 3))
        }
    }
}
