// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Vm.sol";
import {ArtMint} from "../ArtMint.sol";

/// @dev Unit and fuzz tests: what each party may do, and what is refused. The same contract is tested from Python.
contract ArtMintTest is Base {
    ArtMint art;
    address admin = address(0xA11CE);
    address minter = address(0xB0B);
    address pauser = address(0xCAFE);
    address treasury = address(0x7EA);
    uint256 constant SUPPLY = 1000;

    function made() internal virtual returns (ArtMint) {
        return new ArtMint("Test", "TEST", SUPPLY, admin, 1 days, treasury, treasury, 500);
    }

    function setUp() public {
        art = made();
        vm.warp(1_000_000);
        vm.startPrank(admin);
        art.grantRole(art.MINTER_ROLE(), minter);
        art.grantRole(art.PAUSER_ROLE(), pauser);
        art.setAllowance(minter, SUPPLY, 0, 0);
        vm.stopPrank();
    }

    function commit(uint256 quantity, bytes32 seed) internal {
        uint256 first = art.nextUncommitted();
        vm.prank(admin);
        art.commitDrop(first, quantity, keccak256(abi.encode(seed)), keccak256(abi.encode(seed, 1)));
    }

    // Drops

    function testFuzz_everyTokenFindsItsDrop(uint8[12] calldata sizes) public {
        uint256 first = 1;
        for (uint256 i = 0; i < sizes.length; ++i) {
            uint256 size = uint256(sizes[i]) % 40 + 1;
            commit(size, bytes32(i));
            for (uint256 id = first; id < first + size; ++id) {
                eq(art.dropNumberOf(id), i + 1);
                eq(uint256(art.contentRootOf(id)), uint256(keccak256(abi.encode(bytes32(i)))));
            }
            first += size;
        }
        eq(art.dropCount(), sizes.length);
    }

    function testFuzz_aDropBeginsWhereTheLastEnded(uint256 first, uint256 quantity) public {
        commit(10, 0);
        vm.assume(first != 11);
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.NotNextUncommitted.selector, 11, first));
        art.commitDrop(first, quantity, bytes32(uint256(1)), bytes32(uint256(1)));
    }

    function testFuzz_noDropAboveTheSupply(uint256 quantity) public {
        quantity = quantity > SUPPLY ? quantity : quantity + SUPPLY + 1;
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.AboveMaxSupply.selector, quantity, SUPPLY));
        art.commitDrop(1, quantity, bytes32(uint256(1)), bytes32(uint256(1)));
    }

    function testFuzz_onlyTheOpeningRevealsADrop(bytes32 root, bytes32 cid, bytes32 salt, bytes32 wrong) public {
        vm.assume(root != 0 && cid != 0 && wrong != 0 && wrong != root && wrong != cid && wrong != salt);
        bytes32 commitment = art.commitmentOf(1, root, cid, salt);
        vm.startPrank(admin);
        art.setPlaceholderURI("ipfs://sealed");
        art.commitSealedDrop(1, 5, commitment);
        vm.stopPrank();
        vm.prank(minter);
        art.mintBatch(1, 5, 0);
        yes(same(art.tokenURI(3), "ipfs://sealed"), "placeholder");
        vm.startPrank(admin);
        vm.expectRevert();
        art.reveal(1, wrong, cid, salt);
        vm.expectRevert();
        art.reveal(1, root, wrong, salt);
        vm.expectRevert();
        art.reveal(1, root, cid, wrong);
        art.reveal(1, root, cid, salt);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.NotSealed.selector, 1));
        art.reveal(1, root, cid, salt);
        vm.stopPrank();
        eq(uint256(art.contentRootOf(3)), uint256(root));
    }

    function test_aCommitmentOfAnotherDropOpensNothing() public {
        bytes32 one = bytes32(uint256(1));
        bytes32 commitment = art.commitmentOf(1, one, one, one);
        vm.startPrank(admin);
        art.commitSealedDrop(1, 5, commitment);
        art.commitSealedDrop(6, 5, commitment);
        vm.expectRevert();
        art.reveal(2, one, one, one);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.NoSuchDrop.selector, 3, 2));
        art.reveal(3, one, one, one);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.NoSuchDrop.selector, 0, 2));
        art.reveal(0, one, one, one);
        vm.stopPrank();
    }

    function testFuzz_onlyTheLastUnmintedDropIsCancelled(uint8 minted) public {
        commit(10, "a");
        commit(10, "b");
        minted = minted % 21;
        if (minted > 0) {
            vm.prank(minter);
            art.mintBatch(1, minted, 0);
        }
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.NotLastDrop.selector, 11, 1));
        art.cancelDrop(1);
        if (minted > 10) vm.expectRevert(abi.encodeWithSelector(ArtMint.AlreadyMinting.selector, 11, uint256(minted) + 1));
        art.cancelDrop(11);
        vm.stopPrank();
        eq(art.nextUncommitted(), minted > 10 ? 21 : 11);
        if (minted <= 10) commit(3, "c");
    }

    function test_nothingToCancel() public {
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.NoSuchDrop.selector, 0, 0));
        art.cancelDrop(0);
    }

    function testFuzz_supplyOnlyFalls(uint256 to) public {
        commit(100, 0);
        bool fine = to < SUPPLY && to >= 100;
        vm.startPrank(admin);
        if (to == 0) vm.expectRevert(abi.encodeWithSelector(ArtMint.BadMaxSupply.selector, 0));
        else if (!fine) vm.expectRevert(abi.encodeWithSelector(ArtMint.SupplyNotLowered.selector, SUPPLY, 100, to));
        art.lowerMaxSupply(to);
        eq(art.maxSupply(), fine ? to : SUPPLY);
        if (art.maxSupply() > 100) art.burnRemainder();
        eq(art.maxSupply(), 100);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.AboveMaxSupply.selector, 1, 0));
        art.commitDrop(101, 1, bytes32(uint256(1)), bytes32(uint256(1)));
        vm.stopPrank();
    }

    // Minting

    function testFuzz_aBatchIsMintedOnce(uint256 first, uint8 quantity, uint8 inner) public {
        commit(500, 0);
        uint256 n = uint256(quantity) % 100 + 1;
        vm.assume(first != n + 1);
        vm.startPrank(minter);
        art.mintBatch(1, n, inner);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.NotNextToken.selector, n + 1, first));
        art.mintBatch(first, n, inner);
        vm.stopPrank();
        eq(art.totalSupply(), n);
        for (uint256 id = 1; id <= n; ++id) eq(art.ownerOf(id), treasury);
    }

    function testFuzz_noOtherKeyMints(address who, uint8 quantity) public {
        vm.assume(who != minter);
        commit(500, 0);
        vm.prank(who);
        vm.expectRevert();
        art.mintBatch(1, quantity, 0);
    }

    function testFuzz_aMinterDoesNothingElse(bytes calldata junk, uint8 which) public {
        commit(5, 0);
        bytes[12] memory calls = [
            abi.encodeCall(art.commitDrop, (6, 5, bytes32(uint256(1)), bytes32(uint256(1)))),
            abi.encodeCall(art.commitSealedDrop, (6, 5, bytes32(uint256(1)))),
            abi.encodeCall(art.reveal, (1, bytes32(uint256(1)), bytes32(uint256(1)), 0)),
            abi.encodeCall(art.cancelDrop, (1)),
            abi.encodeCall(art.setAllowance, (minter, 1e9, 0, 0)),
            abi.encodeCall(art.setTreasury, (minter)),
            abi.encodeCall(art.setRoyalty, (minter, 10_000)),
            abi.encodeCall(art.lowerMaxSupply, (5)),
            abi.encodeCall(art.burnRemainder, ()),
            abi.encodeCall(art.setPlaceholderURI, (string(junk))),
            abi.encodeCall(art.grantRole, (art.PAUSER_ROLE(), minter)),
            abi.encodeCall(art.beginDefaultAdminTransfer, (minter))
        ];
        vm.prank(minter);
        (bool held,) = address(art).call(calls[which % calls.length]);
        yes(!held, "a minter did something else");
    }

    function testFuzz_anyBytesFromAMinterMintToTheTreasuryOrNothing(bytes calldata junk, uint256 first, uint256 quantity) public {
        commit(50, 0);
        vm.startPrank(minter);
        (bool ignored,) = address(art).call(junk);
        (ignored,) = address(art).call(abi.encodeCall(art.mintBatch, (first, quantity, 3)));
        vm.stopPrank();
        eq(art.totalSupply(), art.balanceOf(treasury));
        eq(art.balanceOf(minter), 0);
    }

    function testFuzz_theWindowHoldsWhereverItBegins(uint24 window, uint16 limit, uint32[20] calldata pauses, uint8[20] calldata sizes) public {
        window = uint24(bound(window, 3, 100_000));
        limit = uint16(bound(limit, 1, 300));
        vm.startPrank(admin);
        art.commitDrop(1, SUPPLY, bytes32(uint256(1)), bytes32(uint256(1)));
        art.setAllowance(minter, SUPPLY, limit, window);
        vm.stopPrank();
        uint256[20] memory times;
        uint256[20] memory minted;
        uint256 time = 1_000_000;
        for (uint256 i = 0; i < 20; ++i) {
            time += pauses[i] % (uint256(window) * 2 / 3 + 1);
            vm.warp(time);
            uint256 size = uint256(sizes[i]) % 60 + 1;
            (,,,, uint256 left) = art.allowanceOf(minter);
            bytes memory call = abi.encodeCall(art.mintBatch, (art.totalSupply() + 1, size, 0));
            vm.prank(minter);
            (bool held,) = address(art).call(call);
            yes(held == (size <= left), "what is left is what can be minted");
            (times[i], minted[i]) = (time, held ? size : 0);
            uint256 inWindow;
            for (uint256 j = 0; j <= i; ++j) if (times[j] + window > time) inWindow += minted[j];
            yes(inWindow <= limit, "more than the limit in a window");
        }
    }

    function testFuzz_aLifetimeIsLimited(uint8 limit) public {
        uint256 total = uint256(limit) % 99 + 1;
        commit(200, 0);
        vm.prank(admin);
        art.setAllowance(minter, total, 0, 0);
        vm.startPrank(minter);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.AllowanceTooSmall.selector, minter, total, total + 1));
        art.mintBatch(1, total + 1, 0);
        art.mintBatch(1, total, 0);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.AllowanceTooSmall.selector, minter, 0, 1));
        art.mintBatch(total + 1, 1, 0);
        vm.stopPrank();
    }

    function testFuzz_onlyThePauserPauses(address who) public {
        vm.assume(who != pauser);
        vm.prank(who);
        vm.expectRevert();
        art.pause();
    }

    function test_aWindowOpensAgain() public {
        commit(100, 0);
        vm.prank(admin);
        art.setAllowance(minter, 100, 10, 3 hours);
        vm.prank(minter);
        art.mintBatch(1, 10, 0);
        vm.warp(1_000_000 + 3 hours);
        vm.prank(minter);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.WindowTooSmall.selector, minter, 0, 1));
        art.mintBatch(11, 1, 0);
        vm.warp(1_000_000 + 4 hours);
        vm.prank(minter);
        art.mintBatch(11, 10, 0);
    }

    function test_anotherWindowForgetsNothing() public {
        commit(100, 0);
        vm.prank(admin);
        art.setAllowance(minter, 100, 10, 3 hours);
        vm.prank(minter);
        art.mintBatch(1, 10, 0);
        vm.prank(admin);
        art.setAllowance(minter, 100, 12, 6 hours);
        vm.prank(minter);
        vm.expectRevert(abi.encodeWithSelector(ArtMint.WindowTooSmall.selector, minter, 2, 3));
        art.mintBatch(11, 3, 0);
    }

    function testFuzz_badAllowances(uint256 total, uint256 perWindow, uint256 window) public {
        bool bad = total >= 1 << 40 || perWindow >= 1 << 24 || window >= 1 << 24 || window == 1 || window == 2 || (perWindow == 0) != (window == 0);
        vm.prank(admin);
        if (bad) vm.expectRevert(abi.encodeWithSelector(ArtMint.BadAllowance.selector, total, perWindow, window));
        art.setAllowance(minter, total, perWindow, window);
    }

    // Pause, admin, standards

    function test_pauseStopsMintingAndNoTransfer() public {
        commit(10, 0);
        vm.prank(minter);
        art.mintBatch(1, 5, 0);
        vm.prank(pauser);
        art.pause();
        vm.prank(minter);
        vm.expectRevert(abi.encodeWithSelector(bytes4(keccak256("EnforcedPause()"))));
        art.mintBatch(6, 5, 0);
        vm.prank(treasury);
        art.transferFrom(treasury, minter, 3);
        eq(art.ownerOf(3), minter);
        vm.prank(pauser);
        vm.expectRevert();
        art.unpause();
        vm.prank(admin);
        art.unpause();
    }

    function test_theAdminIsHandedOverAfterTheDelay() public {
        vm.prank(admin);
        art.beginDefaultAdminTransfer(minter);
        vm.warp(1_000_000 + 1 days);
        vm.prank(minter);
        vm.expectRevert();
        art.acceptDefaultAdminTransfer();
        vm.warp(1_000_001 + 1 days);
        vm.prank(minter);
        art.acceptDefaultAdminTransfer();
        eq(art.owner(), minter);
        vm.prank(admin);
        vm.expectRevert();
        art.setTreasury(admin);
    }

    function test_interfaces() public view {
        bytes4[8] memory known = [bytes4(0x01ffc9a7), 0x80ac58cd, 0x5b5e139f, 0x2a55205a, 0x7965db0b, 0x31498786, 0x49064906, 0xe8a3d485];
        for (uint256 i = 0; i < known.length; ++i) yes(art.supportsInterface(known[i]), "interface");
        yes(!art.supportsInterface(0xffffffff), "0xffffffff");
    }

    function same(string memory a, string memory b) internal pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}

/// @dev The same, of a clone.
contract ArtMintCloneTest is ArtMintTest {
    function made() internal override returns (ArtMint) {
        ArtMint code = new ArtMint("Code", "CODE", 1, address(1), 0, address(1), address(0), 0);
        ArtMint.Terms memory terms = ArtMint.Terms("Test", "TEST", SUPPLY, admin, 1 days, treasury, treasury, 500);
        return ArtMint(code.clone(0, terms));
    }
}
