// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Vm.sol";
import {ArtMintDrawn, IPainter} from "../ArtMintDrawn.sol";
import {ArtMintPainter} from "../ArtMintPainter.sol";

/// @dev A small vocabulary behind weights that dice threw, and a page: what a painter is made of.
abstract contract Painted is Base {
    uint256 constant WEIGHTS = 47_120;
    address admin = address(0xA11CE);
    address minter = address(0xB0B);
    address pauser = address(0xCAFE);
    address treasury = address(0x7EA);
    uint256 constant SUPPLY = 5000;

    /// @dev Two shapes of three and two values, two palettes, a ground: values 3, 2, 1, 2.
    function vocabulary() internal pure returns (bytes memory) {
        bytes memory words = abi.encodePacked(
            hex"04", hex"0300", hex"04", "form", hex"03", "one", hex"03", "two", hex"05", "three"
        );
        words = abi.encodePacked(words, hex"0201", hex"03", "ink", hex"03", "red", hex"04", "blue");
        words = abi.encodePacked(words, hex"0102", hex"06", "ground", hex"04", "dark");
        words = abi.encodePacked(words, hex"0200", hex"04", "many", hex"03", "few", hex"03", "lot");
        words = abi.encodePacked(words, hex"09", hex"03", " ", hex"00", " in ", hex"01", ".");
        for (uint256 i = 0; i < 11; ++i) words = abi.encodePacked(words, uint24(i * 70_000 + 9));
        return abi.encodePacked(words, hex"000102030102");
    }

    function weights(uint256 seed) internal pure returns (bytes memory all) {
        all = new bytes(WEIGHTS);
        uint256 state = seed | 1;
        for (uint256 i = 32; i <= WEIGHTS + 31; i += 32) {
            state = uint256(keccak256(abi.encode(state)));
            assembly ("memory-safe") {
                if lt(i, 47121) { mstore(add(all, i), state) }
            }
        }
    }

    function written(bytes memory part) internal returns (address where) {
        bytes memory made = abi.encodePacked(hex"61", uint16(part.length + 1), hex"80600a3d393df300", part);
        assembly ("memory-safe") {
            where := create(0, add(made, 32), mload(made))
        }
        yes(where != address(0), "a chunk wasn't written");
    }

    function slice(bytes memory all, uint256 from, uint256 to) internal pure returns (bytes memory part) {
        part = new bytes(to - from);
        assembly ("memory-safe") {
            mcopy(add(part, 32), add(add(all, 32), from), sub(to, from))
        }
    }

    function painter(uint256 seed) internal returns (ArtMintPainter) {
        bytes memory model = abi.encodePacked(weights(seed), vocabulary());
        bytes memory all = abi.encodePacked(model, uint16(5), "<page", ">end");
        address[] memory chunks = new address[](2);
        chunks[0] = written(slice(all, 0, 24_575));
        chunks[1] = written(slice(all, 24_575, all.length));
        return new ArtMintPainter(chunks, model.length, sha256(all));
    }

    function terms(string memory name_, string memory description) internal view returns (ArtMintDrawn.Terms memory) {
        return ArtMintDrawn.Terms(name_, "TEST", description, SUPPLY, admin, 1 days, treasury, treasury, 500);
    }

    function drawn(ArtMintPainter by) internal returns (ArtMintDrawn art) {
        art = new ArtMintDrawn(terms("Test", "Drawn by the chain."), IPainter(address(by)));
        vm.startPrank(admin);
        art.grantRole(art.MINTER_ROLE(), minter);
        art.grantRole(art.PAUSER_ROLE(), pauser);
        art.setAllowance(minter, SUPPLY, 0, 0);
        vm.stopPrank();
    }

    /// @dev A recipe that can be drawn, of any number.
    function recipe(uint256 seed) internal pure returns (bytes12) {
        uint256 h = uint256(keccak256(abi.encode(seed)));
        bytes memory all = abi.encodePacked(
            uint8(h % 3), uint8((h >> 8) % 2), uint8(0), uint8((h >> 16) % 2), uint32(0), uint32(h >> 32)
        );
        return bytes12(all);
    }

    function recipes(uint256 seed, uint256 quantity) internal pure returns (bytes memory all) {
        all = new bytes(12 * quantity);
        for (uint256 i = 0; i < quantity; ++i) {
            bytes12 one = recipe(seed + i);
            assembly ("memory-safe") {
                let spot := add(add(all, 32), mul(12, i))
                let rest := and(mload(spot), sub(shl(160, 1), 1)) // the last word ends beyond the array: what is there stays
                mstore(spot, or(one, rest))
            }
        }
    }
}

/// @dev Unit and fuzz tests of a collection that is drawn on chain: what each party may do, and what is refused.
/// forge-config: default.fuzz.runs = 24
/// forge-config: long.fuzz.runs = 300
contract DrawnTest is Painted {
    ArtMintPainter by;
    ArtMintDrawn art;

    function setUp() public {
        vm.warp(1_000_000);
        by = painter(7);
        art = drawn(by);
    }

    function commit(uint256 seed, uint256 quantity) internal {
        uint256 first = art.nextUncommitted();
        bytes32 digest = by.digest();
        vm.prank(admin);
        art.commitDrawn(first, quantity, digest, recipes(seed, quantity));
    }

    function refusedCommit(uint256 first, uint256 quantity, bytes32 digest, bytes memory all) internal {
        vm.prank(admin);
        (bool held,) = address(art).call(abi.encodeCall(art.commitDrawn, (first, quantity, digest, all)));
        yes(!held, "a commitment that must be refused was taken");
    }

    // Commitments

    function testFuzz_everyTokenHasItsRecipe(uint8[6] calldata sizes, uint128 seed) public {
        uint256 first = 1;
        for (uint256 i = 0; i < sizes.length; ++i) {
            uint256 size = uint256(sizes[i]) % 40 + 1;
            commit(uint256(seed) + 1000 * i, size);
            for (uint256 j = 0; j < size; ++j) {
                yes(art.recipeOf(first + j) == recipe(uint256(seed) + 1000 * i + j), "another recipe");
                ArtMintDrawn.Drop memory drop = art.dropOf(first + j);
                eq(drop.firstTokenId, first);
                eq(drop.quantity, size);
                eq(uint256(drop.contentRoot), uint256(sha256(recipes(uint256(seed) + 1000 * i, size))));
                eq(uint256(drop.cidDigest), uint256(by.digest()));
            }
            first += size;
        }
        eq(art.dropCount(), sizes.length);
    }

    function testFuzz_aDropBeginsWhereTheLastEnded(uint256 first) public {
        commit(1, 10);
        vm.assume(first != 11);
        bytes32 digest = by.digest();
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(ArtMintDrawn.NotNextUncommitted.selector, 11, first));
        art.commitDrawn(first, 1, digest, recipes(3, 1));
    }

    function testFuzz_onlyThisPainterIsCommitted(bytes32 other) public {
        bytes32 digest = by.digest();
        vm.assume(other != digest);
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(ArtMintDrawn.OtherPainter.selector, digest, other));
        art.commitDrawn(1, 1, other, recipes(3, 1));
    }

    function testFuzz_onlyRecipesThatCanBeDrawn(uint8 place, uint8 value, uint8 which) public {
        uint8[8] memory radix = [3, 2, 1, 2, 1, 1, 1, 1];
        bytes memory all = recipes(5, 4);
        all[12 * (which % 4) + place % 8] = bytes1(value);
        bytes32 digest = by.digest();
        vm.prank(admin);
        (bool held,) = address(art).call(abi.encodeCall(art.commitDrawn, (1, 4, digest, all)));
        yes(held == (value < radix[place % 8]), "another answer than the vocabulary's");
    }

    function testFuzz_lengthsMustFit(uint256 quantity, uint16 length) public {
        quantity = bound(quantity, 1, SUPPLY);
        vm.assume(length != 12 * quantity || quantity > art.MAX_DROP());
        refusedCommit(1, quantity, by.digest(), new bytes(length));
    }

    function test_theLargestDropAndNoLarger() public {
        uint256 most = art.MAX_DROP();
        commit(9, most);
        yes(art.recipeOf(most) == recipe(9 + most - 1), "the last recipe");
        eq(art.dropOf(most).recipes.code.length, 12 * most + 1);
        refusedCommit(most + 1, most + 1, by.digest(), recipes(1, most + 1));
        refusedCommit(most + 1, 0, by.digest(), "");
    }

    function test_noDropAboveTheSupply() public {
        vm.prank(admin);
        art.lowerMaxSupply(12);
        commit(1, 10);
        bytes32 digest = by.digest();
        vm.prank(admin);
        vm.expectRevert(abi.encodeWithSelector(ArtMintDrawn.AboveMaxSupply.selector, 3, 2));
        art.commitDrawn(11, 3, digest, recipes(1, 3));
        commit(2, 2);
    }

    function test_whatLiesOnChainCantRun() public {
        commit(1, 3);
        (bool held,) = art.dropOf(1).recipes.call("");
        held; // a zero byte stops at once, and does nothing
        eq(art.dropOf(1).recipes.balance, 0);
        eq(uint256(uint8(art.dropOf(1).recipes.code[0])), 0);
    }

    // Minting and limits

    function testFuzz_mintsOnlyTheNextCommittedTokens(uint256 first, uint256 quantity, uint256 inner) public {
        commit(1, 60);
        quantity = bound(quantity, 0, 120);
        vm.prank(minter);
        (bool held,) = address(art).call(abi.encodeCall(art.mintBatch, (first, quantity, inner)));
        yes(held == (first == 1 && quantity > 0 && quantity <= 60), "another answer than the rule's");
        eq(art.totalSupply(), held ? quantity : 0);
        eq(art.balanceOf(treasury), art.totalSupply());
    }

    function testFuzz_everyOwnerIsTheTreasury(uint256 quantity, uint256 inner) public {
        commit(1, 100);
        quantity = bound(quantity, 1, 100);
        vm.prank(minter);
        art.mintBatch(1, quantity, inner);
        for (uint256 id = 1; id <= quantity; ++id) eq(art.ownerOf(id), treasury);
    }

    /// The total lies one below, at and one above what two mints come to: elsewhere a limit is seldom at stake.
    function testFuzz_noMoreThanAllowed(uint8 one, uint8 two, uint8 more) public {
        commit(1, 600);
        uint256[2] memory sizes = [uint256(one) % 100 + 1, uint256(two) % 100 + 1];
        uint256 total = sizes[0] + sizes[1] - 1 + more % 3;
        vm.prank(admin);
        art.setAllowance(minter, total, 0, 0);
        uint256 minted = 0;
        for (uint256 i = 0; i < 2; ++i) {
            uint256 size = sizes[i];
            vm.prank(minter);
            (bool held,) = address(art).call(abi.encodeCall(art.mintBatch, (minted + 1, size, 20)));
            yes(held == (minted + size <= total), "another answer than the allowance's");
            if (held) minted += size;
        }
    }

    function testFuzz_noMoreInAnyWindow(uint32[6] calldata waits, uint8[6] calldata sizes, uint24 window) public {
        window = uint24(bound(window, 3, 100_000));
        commit(1, 600);
        vm.prank(admin);
        art.setAllowance(minter, 600, 50, window);
        uint256[6] memory times;
        uint256[6] memory minted;
        uint256 time = 2_000_000;
        for (uint256 i = 0; i < 6; ++i) {
            time += uint256(waits[i]) % window;
            vm.warp(time);
            uint256 size = uint256(sizes[i]) % 50 + 1;
            uint256 next = art.nextToken();
            vm.prank(minter);
            (bool held,) = address(art).call(abi.encodeCall(art.mintBatch, (next, size, 20)));
            (times[i], minted[i]) = (time, held ? size : 0);
            uint256 inWindow = 0;
            for (uint256 j = 0; j <= i; ++j) {
                if (times[j] + window > time) inWindow += minted[j];
            }
            yes(inWindow <= 50, "more in a window than the limit");
        }
    }

    /// What was minted at the end of a third counts until its window is over, though three thirds have begun since.
    function test_whatIsNearlyOutOfTheWindowCounts() public {
        commit(1, 600);
        vm.prank(admin);
        art.setAllowance(minter, 600, 50, 99);
        vm.warp(33 * 60_000 + 32);
        vm.prank(minter);
        art.mintBatch(1, 50, 20);
        vm.warp(33 * 60_000 + 32 + 98);
        vm.prank(minter);
        (bool held,) = address(art).call(abi.encodeCall(art.mintBatch, (51, 1, 20)));
        yes(!held, "more in a window than the limit");
    }

    function test_whoMayNot() public {
        commit(1, 5);
        bytes32 digest = by.digest();
        address[4] memory others = [minter, pauser, treasury, address(0x07E4)];
        for (uint256 i = 0; i < 4; ++i) {
            vm.startPrank(others[i]);
            bytes[6] memory tries = [
                abi.encodeCall(art.commitDrawn, (6, 1, digest, recipes(1, 1))),
                abi.encodeCall(art.setAllowance, (others[i], 5, 0, 0)),
                abi.encodeCall(art.setTreasury, (others[i])),
                abi.encodeCall(art.setRoyalty, (others[i], 1)),
                abi.encodeCall(art.lowerMaxSupply, (5)),
                abi.encodeCall(art.unpause, ())
            ];
            for (uint256 j = 0; j < 6; ++j) {
                (bool done,) = address(art).call(tries[j]);
                yes(!done, "somebody did what only the admin may");
            }
            (bool minted,) = address(art).call(abi.encodeCall(art.mintBatch, (1, 1, 0)));
            yes(minted == (i == 0), "only the minter mints");
            (bool paused,) = address(art).call(abi.encodeCall(art.pause, ()));
            yes(paused == (i == 1), "only the pauser pauses");
            vm.stopPrank();
        }
        vm.prank(admin);
        (bool held,) = address(art).call(abi.encodeCall(art.mintBatch, (2, 1, 0)));
        yes(!held, "the admin minted");
    }

    function test_aPauseStopsMintingAndNothingElse() public {
        commit(1, 5);
        vm.prank(minter);
        art.mintBatch(1, 2, 0);
        vm.prank(pauser);
        art.pause();
        vm.prank(minter);
        vm.expectRevert();
        art.mintBatch(3, 1, 0);
        vm.prank(treasury);
        art.transferFrom(treasury, address(0x07E4), 1);
        commit(8, 2);
    }

    function test_noEtherGetsIn() public {
        commit(1, 2);
        vm.prank(minter);
        art.mintBatch(1, 2, 0);
        vm.deal(treasury, 1 ether);
        vm.startPrank(treasury);
        bytes[3] memory calls = [
            abi.encodeCall(art.approve, (admin, 1)),
            abi.encodeCall(art.transferFrom, (treasury, admin, 1)),
            abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", treasury, admin, uint256(1))
        ];
        for (uint256 i = 0; i < 3; ++i) {
            (bool held,) = address(art).call{value: 1}(calls[i]);
            yes(!held, "ether got in");
        }
        (bool sent,) = address(art).call{value: 1}("");
        yes(!sent, "ether got in by itself");
        vm.stopPrank();
    }

    // The constructor

    function test_badTermsAreRefused() public {
        for (uint256 i = 0; i < 6; ++i) {
            ArtMintDrawn.Terms memory bad = terms(i == 0 ? 'a "name"' : i == 1 ? "a\nname" : "Test", "words");
            if (i == 2) bad.maxSupply = 0;
            if (i == 3) bad.maxSupply = 2 ** 32;
            if (i == 4) bad.treasury = address(0);
            if (i == 5) bad.royaltyBasisPoints = 1001;
            (bool held,) = address(this).call(abi.encodeCall(this.make, (bad)));
            yes(!held, "bad terms were taken");
        }
        this.make(terms("Test", "words"));
    }

    function make(ArtMintDrawn.Terms calldata some) external returns (ArtMintDrawn) {
        return new ArtMintDrawn(some, IPainter(address(by)));
    }

    // What is told

    function test_thePageOfTheCollectionIsItsOwnWords() public {
        string memory before = art.contractURI();
        yes(starts(before, "data:application/json;base64,"), "no data URI");
        commit(1, 1);
        yes(keccak256(bytes(before)) != keccak256(bytes(art.contractURI())), "no picture after the first drop");
        yes(same(art.description(), "Drawn by the chain."), "another description");
    }

    function test_noTokenNoPage() public {
        commit(1, 2);
        vm.expectRevert();
        art.tokenURI(1);
        vm.prank(minter);
        art.mintBatch(1, 1, 0);
        yes(starts(art.tokenURI(1), "data:application/json;base64,"), "no data URI");
        vm.expectRevert();
        art.tokenURI(2);
    }

    function starts(string memory text, bytes memory with) internal pure returns (bool) {
        return keccak256(slice(bytes(text), 0, with.length)) == keccak256(with);
    }

    function same(string memory a, string memory b) internal pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }
}

/// @dev Unit and fuzz tests of what draws.
contract PainterTest is Painted {
    ArtMintPainter by;

    function setUp() public {
        by = painter(7);
    }

    function test_itHoldsTheBytesThatItWasTold() public {
        bytes memory all = by.data();
        eq(uint256(sha256(all)), uint256(by.digest()));
        eq(all.length, by.modelLength() + 2 + 9);
        address[] memory chunks = by.chunks();
        bytes32 digest = by.digest();
        uint256 length = by.modelLength();
        vm.expectRevert();
        new ArtMintPainter(chunks, length, bytes32(uint256(digest) ^ 1));
        vm.expectRevert();
        new ArtMintPainter(chunks, WEIGHTS - 1, digest);
        vm.expectRevert();
        new ArtMintPainter(chunks, all.length + 1, digest);
        (chunks[0], chunks[1]) = (chunks[1], chunks[0]);
        vm.expectRevert();
        new ArtMintPainter(chunks, length, digest);
    }

    function testFuzz_aRecipeIsDrawnOrRefusedByAll(bytes12 any) public view {
        uint8[8] memory radix = [3, 2, 1, 2, 1, 1, 1, 1];
        bool good = true;
        for (uint256 i = 0; i < 8; ++i) good = good && uint8(any[i]) < radix[i];
        (bool checked,) = address(by).staticcall(abi.encodeCall(by.check, (abi.encodePacked(any))));
        (bool told,) = address(by).staticcall(abi.encodeCall(by.prompt, (any)));
        yes(checked == good && told == good, "a recipe is checked in one way and told in another");
    }

    /// forge-config: default.fuzz.runs = 3
    /// forge-config: long.fuzz.runs = 60
    function testFuzz_theSameBytesEveryTime(uint128 seed) public view {
        bytes12 one = recipe(seed);
        bytes memory file = by.png(one);
        eq(uint256(keccak256(file)), uint256(keccak256(by.png(one))));
        eq(file.length, 87 + 128 * 65 + 4 + 4 + 12);
        eq(uint256(uint64(bytes8(slice(file, 0, 8)))), 0x89504e470d0a1a0a);
        for (uint256 i = 87; i < 87 + 128 * 65; ++i) {
            uint8 two = uint8(file[i]);
            yes((i - 87) % 65 == 0 ? two == 0 : two >> 4 < 9 && two & 15 < 9, "a colour that isn't there");
        }
    }

    function test_theWordsAreTheVocabularys() public view {
        bytes12 one = bytes12(abi.encodePacked(uint8(2), uint8(1), uint8(0), uint8(0), uint32(0), uint32(5)));
        yes(keccak256(bytes(by.prompt(one))) == keccak256("few three in blue."), "another prompt");
        bytes memory html = by.page(one);
        yes(keccak256(slice(html, 0, 5)) == keccak256("<page"), "the page's head");
        yes(keccak256(slice(html, html.length - 4, html.length)) == keccak256(">end"), "the page's end");
    }

    function testFuzz_noNameBreaksTheWords(bytes memory name) public view {
        bool good = true;
        for (uint256 i = 0; i < name.length; ++i) {
            good = good && uint8(name[i]) > 0x1f && name[i] != '"' && name[i] != "\\";
        }
        (bool held,) = address(by).staticcall(abi.encodeCall(by.checkName, (string(name))));
        yes(held == good, "another answer than the rule's");
    }

    function testFuzz_whateverIsSaidIsOneLineOfJson(bytes memory words) public view {
        bytes memory said = unbased(bytes(by.about("Name", "SYM", string(words), "")));
        bytes memory before = '{"name":"Name","symbol":"SYM","description":"';
        bytes memory end = abi.encodePacked('","model":"', hexed(by.digest()), '"}');
        uint256 place = before.length;
        yes(keccak256(slice(said, 0, place)) == keccak256(before), "the words before");
        for (uint256 i = 0; i < words.length; ++i) {
            uint8 code = uint8(words[i]);
            if (code > 0x1f && code != 0x22 && code != 0x5c) {
                eq(uint8(said[place++]), code);
                continue;
            }
            yes(keccak256(slice(said, place, place + 4)) == keccak256("\\u00"), "no escape");
            eq(digit(said[place + 4]) * 16 + digit(said[place + 5]), code);
            place += 6;
        }
        yes(keccak256(slice(said, place, said.length)) == keccak256(end), "the words after");
    }

    function test_aPageTakesARecipeOrNone() public view {
        (bool held,) = address(by).staticcall(abi.encodeCall(by.about, ("a", "b", "c", hex"00")));
        yes(!held, "a recipe of one byte");
    }

    function digit(bytes1 one) internal pure returns (uint256) {
        return uint8(one) < 58 ? uint8(one) - 48 : uint8(one) - 87;
    }

    function hexed(bytes32 word) internal pure returns (bytes memory text) {
        text = new bytes(64);
        for (uint256 i = 0; i < 64; ++i) {
            text[i] = bytes16("0123456789abcdef")[uint8(word[i / 2]) >> (i % 2 == 0 ? 4 : 0) & 15];
        }
    }

    /// @dev Plain base64, read character by character: another way than the painter writes it.
    function unbased(bytes memory uri) internal pure returns (bytes memory raw) {
        uint256 from = 29; // data:application/json;base64,
        raw = new bytes((uri.length - from) / 4 * 3);
        uint256 length = 0;
        for (uint256 i = from; i < uri.length; i += 4) {
            uint256 word = 0;
            uint256 kept = 3;
            for (uint256 j = 0; j < 4; ++j) {
                if (uri[i + j] == "=") (word, kept) = (word << 6, kept - 1);
                else word = word << 6 | value(uint8(uri[i + j]));
            }
            for (uint256 j = 0; j < kept; ++j) raw[length++] = bytes1(uint8(word >> (16 - 8 * j)));
        }
        assembly ("memory-safe") {
            mstore(raw, length)
        }
    }

    function value(uint8 c) internal pure returns (uint256) {
        if (c > 96) return c - 71;
        if (c > 64) return c - 65;
        if (c > 47) return c + 4;
        return c == 43 ? 62 : 63;
    }
}

/// @dev Everybody acts in any order on a collection that is drawn; what must never happen is noted while it runs.
contract DrawnEverybody is Painted {
    struct Note {
        uint256 time;
        uint256 quantity;
    }

    ArtMintPainter public by;
    ArtMintDrawn public art;
    address public other = address(0x07E4);
    Note[] public notes;
    mapping(uint256 id => bytes12) public seen; // recipes of committed tokens, as they were first told
    bytes32 public page; // of the collection, as it was after the first drop
    uint256 public minted;
    uint256 public highest = 500;
    uint256 public time = 1_000_000;
    uint256 public calls;
    string public broken;

    constructor() {
        vm.warp(time);
        by = painter(11);
        art = drawn(by);
        vm.startPrank(admin);
        art.lowerMaxSupply(2000);
        art.setAllowance(minter, highest, 90, 100);
        vm.stopPrank();
    }

    modifier counted() {
        calls++;
        time += calls % 7 == 0 ? 30 : 3;
        vm.warp(time);
        _;
    }

    function note(bool held, string memory what) internal {
        if (!held && bytes(broken).length == 0) broken = what;
    }

    function commit(uint256 seed, uint8 quantity, uint8 fault) public counted {
        uint256 first = fault % 8 == 1 ? seed : art.nextUncommitted();
        bytes memory all = recipes(seed >> 1, quantity % 60);
        if (fault % 8 == 2 && all.length != 0) all[12 * (seed % (quantity % 60))] = 0x03;
        bytes32 digest = fault % 8 == 3 ? bytes32(seed) : by.digest();
        uint256 before = art.nextUncommitted();
        vm.prank(admin);
        (bool held,) = address(art).call(abi.encodeCall(art.commitDrawn, (first, quantity % 60, digest, all)));
        note(!held || fault % 8 == 0 || fault % 8 > 3 || fault % 8 == 1 && seed == before, "a wrong drop was committed");
        note(held || art.nextUncommitted() == before, "a refused drop was committed");
        for (uint256 id = before; id < art.nextUncommitted(); ++id) seen[id] = art.recipeOf(id);
    }

    function mint(uint256 first, uint8 quantity, uint8 inner, bool aligned) public counted {
        uint256 before = art.totalSupply();
        uint256 begin = aligned ? art.nextToken() : first;
        vm.prank(minter);
        (bool held,) = address(art).call(abi.encodeCall(art.mintBatch, (begin, quantity % 110, inner)));
        if (!held) return;
        minted += quantity % 110;
        notes.push(Note(time, quantity % 110));
        note(!art.paused(), "minted while paused");
        note(art.totalSupply() == before + quantity % 110, "another number was minted");
        uint256 inWindow = 0;
        for (uint256 i = notes.length; i > 0 && notes[i - 1].time + 100 > time; --i) inWindow += notes[i - 1].quantity;
        note(inWindow <= 90, "more in a window than the limit");
        note(minted <= highest, "more in a lifetime than the limit");
    }

    function stranger(uint256 seed, bytes calldata junk) public counted {
        address who = seed % 3 == 0 ? minter : seed % 3 == 1 ? pauser : other;
        uint256 count = art.dropCount();
        bytes32 digest = by.digest();
        bytes[5] memory tries = [
            abi.encodeCall(art.commitDrawn, (art.nextUncommitted(), 1, digest, recipes(seed, 1))),
            abi.encodeCall(art.setTreasury, (who)),
            abi.encodeCall(art.setRoyalty, (who, 1000)),
            abi.encodeCall(art.setAllowance, (minter, 1e6, 0, 0)),
            junk
        ];
        vm.prank(who);
        (bool held,) = address(art).call(tries[seed % 5]);
        note(!held || seed % 5 == 4, "a stranger did what only the admin may");
        note(art.dropCount() == count, "a stranger changed the drops");
    }

    function allow(uint16 total) public counted {
        vm.prank(admin);
        art.setAllowance(minter, total, 90, 100);
        if (total > highest) highest = total;
    }

    function pause(bool on) public counted {
        vm.prank(on ? pauser : admin);
        (bool ignored,) = address(art).call(on ? abi.encodeCall(art.pause, ()) : abi.encodeCall(art.unpause, ()));
        ignored;
    }

    function transfer(uint256 seed) public counted {
        uint256 total = art.totalSupply();
        if (total == 0) return;
        uint256 id = seed % total + 1;
        address from = art.ownerOf(id);
        vm.prank(from);
        try art.transferFrom(from, other, id) {
            note(art.ownerOf(id) == other, "a transfer went elsewhere");
        } catch {
            note(false, "a transfer was stopped");
        }
    }

    function look(uint256 seed) public counted {
        uint256 committed = art.nextUncommitted() - 1;
        if (committed == 0) return;
        uint256 id = seed % committed + 1;
        note(art.recipeOf(id) == seen[id], "a committed token's recipe changed");
        note(address(art.painter()) == address(by), "another painter");
    }

    function roles() external view returns (address, address, address) {
        return (admin, minter, treasury);
    }
}

/// forge-config: long.invariant.runs = 40
contract DrawnInvariants is Base {
    DrawnEverybody everybody;
    ArtMintDrawn art;

    function setUp() public {
        everybody = new DrawnEverybody();
        art = everybody.art();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(everybody);
    }

    function invariant_nothingThatMustNotHappenDid() public view {
        yes(bytes(everybody.broken()).length == 0, everybody.broken());
    }

    function invariant_supplyIsBounded() public view {
        yes(art.totalSupply() < art.nextUncommitted(), "more minted than committed");
        yes(art.nextUncommitted() - 1 <= art.maxSupply(), "more committed than the supply");
    }

    function invariant_idsAreDenseAndTheTreasuryReceives() public view {
        (address admin, address minter, address treasury) = everybody.roles();
        eq(art.nextToken(), art.totalSupply() + 1);
        eq(art.balanceOf(treasury) + art.balanceOf(everybody.other()), art.totalSupply());
        eq(art.balanceOf(minter), 0);
        eq(art.owner(), admin);
        eq(art.treasury(), treasury);
    }
}
