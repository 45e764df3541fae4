// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title TinyReplay
/// @notice The smallest renderer there is, for tests: four grey pixels that follow from a token's number.
contract TinyReplay {
    /// @notice What a token is drawn from, in words.
    function prompt(uint256 tokenId) external pure returns (string memory) {
        require(tokenId <= 100, "not drawn");
        return tokenId == 3 ? "rings, ocean" : "";
    }

    /// @notice SHA-256 of a token's pixels.
    /// @param tokenId the token; above a hundred nothing is drawn
    function pixelDigest(uint256 tokenId) external pure returns (bytes32) {
        require(tokenId <= 100, "not drawn");
        bytes memory pixels = new bytes(12);
        for (uint256 i = 0; i < 12; ++i) {
            pixels[i] = bytes1(uint8((tokenId * 31 + (i / 3) * 7) % 256));
        }
        return sha256(pixels);
    }
}
