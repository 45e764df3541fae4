// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Vm.sol";
import {ArtMint} from "../ArtMint.sol";
import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";

/// @dev What two collections that share their code have to do with each other: nothing.
contract ClonesTest is Base {
    ArtMint code;
    address admin = address(0xA11CE);
    address maker = address(0x3A4E);
    address treasury = address(0x7EA);

    function setUp() public {
        code = new ArtMint("Code", "CODE", 7, address(0xC0DE), 0, address(0xC0DE), address(0), 0);
    }

    function terms() internal view returns (ArtMint.Terms memory) {
        return ArtMint.Terms("Test", "TEST", 1000, admin, 1 days, treasury, treasury, 500);
    }

    function cloned(bytes32 salt) internal returns (ArtMint) {
        vm.prank(maker);
        return ArtMint(code.clone(salt, terms()));
    }

    function testFuzz_aCloneIsWhereItWasSaidToBe(bytes32 salt) public {
        eq(code.cloneOf(maker, salt), address(cloned(salt)));
    }

    function test_aCloneHasWhatItWasMadeWith() public {
        ArtMint art = cloned(0);
        eq(address(art).code.length, 45);
        eq(uint256(keccak256(bytes(art.name()))), uint256(keccak256("Test")));
        eq(art.owner(), admin);
        eq(art.treasury(), treasury);
        eq(art.maxSupply(), 1000);
        eq(art.nextToken(), 1);
        eq(art.defaultAdminDelay(), 1 days);
    }

    function test_nobodyInitialisesTwice() public {
        ArtMint art = cloned(0);
        vm.expectRevert(abi.encodeWithSelector(Initializable.InvalidInitialization.selector));
        art.initialize(terms());
        vm.expectRevert(abi.encodeWithSelector(Initializable.InvalidInitialization.selector));
        code.initialize(terms());
    }

    function test_aSaltIsUsedOnce() public {
        cloned(0);
        vm.prank(maker);
        vm.expectRevert();
        code.clone(0, terms());
    }

    function testFuzz_nobodyElseTakesAMakersPlace(address other, bytes32 salt) public {
        vm.assume(other != maker);
        vm.prank(other);
        address made = code.clone(salt, terms());
        yes(made != code.cloneOf(maker, salt), "somebody else took the place");
        cloned(salt);
    }

    function test_aCloneMakesNoClones() public {
        ArtMint art = cloned(0);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.CloneOfClone.selector));
        art.clone(0, terms());
    }

    function test_badTermsMakeNothing() public {
        ArtMint.Terms memory bad = terms();
        bad.maxSupply = 0;
        vm.prank(maker);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.BadMaxSupply.selector, 0));
        code.clone(0, bad);
        eq(code.cloneOf(maker, 0).code.length, 0);
        bad = terms();
        bad.treasury = code.cloneOf(maker, 0);
        vm.prank(maker);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.TreasuryIsThisContract.selector));
        code.clone(0, bad);
    }

    function test_theCodesAdminHasNoSay() public {
        ArtMint art = cloned(0);
        vm.prank(address(0xC0DE));
        vm.expectRevert();
        art.commitDrop(1, 1, bytes32(uint256(1)), bytes32(uint256(1)));
        vm.prank(admin);
        art.commitDrop(1, 1, bytes32(uint256(1)), bytes32(uint256(1)));
        eq(code.dropCount(), 0);
        eq(code.maxSupply(), 7);
    }
}
