// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// What OP-stack chains and Arbitrum bring at fixed addresses, as far as artmint asks it. Compiled by the tests and put in place on anvil.

/// @dev The Ecotone/Fjord shape of the L1 fee: so much for each byte, and the operator fee of Isthmus.
contract GasPriceOracle {
    function getL1Fee(bytes memory data) external pure returns (uint256) {
        return 1000 + 16 * 7_000_000 * data.length;
    }

    function getOperatorFee(uint256 gas) external pure returns (uint256) {
        return gas * 3 + 11;
    }
}

/// @dev An oracle from before Isthmus.
contract OldGasPriceOracle {
    function getL1Fee(bytes memory data) external pure returns (uint256) {
        return data.length;
    }
}

/// @dev Arbitrum's estimate of the part for L1.
contract NodeInterface {
    function gasEstimateL1Component(address, bool, bytes calldata data) external pure returns (uint64, uint256, uint256) {
        return (uint64(500 + data.length), 1, 2);
    }
}
