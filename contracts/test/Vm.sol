// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev The cheatcodes of forge that these tests use.
interface Vm {
    function prank(address) external;
    function startPrank(address) external;
    function stopPrank() external;
    function warp(uint256) external;
    function deal(address, uint256) external;
    function assume(bool) external pure;
    function expectRevert(bytes calldata) external;
    function expectRevert() external;
    function toString(uint256) external pure returns (string memory);
    function parseBytes32(string calldata) external pure returns (bytes32);
}

/// @dev What every test has.
abstract contract Base {
    bool public constant IS_TEST = true;
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error NotEqual(uint256 got, uint256 expected);
    error NotTrue(string what);

    function eq(uint256 got, uint256 expected) internal pure {
        if (got != expected) revert NotEqual(got, expected);
    }

    function eq(address got, address expected) internal pure {
        if (got != expected) revert NotEqual(uint160(got), uint160(expected));
    }

    function yes(bool held, string memory what) internal pure {
        if (!held) revert NotTrue(what);
    }

    function bound(uint256 x, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + x % (high - low + 1);
    }
}
