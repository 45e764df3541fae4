// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Vm.sol";
import {ArtMint} from "../ArtMint.sol";

/// @dev Everybody acts in any order, with any values near the limits; what must never happen is noted while it runs.
contract Everybody is Base {
    ArtMint public art;
    address public admin = address(0xA11CE);
    address public pauser = address(0xCAFE);
    address public treasury = address(0x7EA);
    address public other = address(0x07E4);
    address[2] public minters = [address(0xB0B), address(0xB0B2)];
    uint256 public supply = 2000;

    struct Note {
        address minter;
        uint256 time;
        uint256 quantity;
    }

    struct Sealed {
        uint256 number;
        bytes32 root;
        bytes32 cid;
        bytes32 salt;
    }

    Note[] public notes;
    Sealed[] internal _sealed;
    mapping(uint256 id => bytes32) public uris; // of tokens whose content was told when they were seen last
    mapping(address minter => uint256) public limits; // the window's limit, fixed for each minter
    mapping(address minter => uint256) public windows;
    mapping(address minter => uint256) public highest; // the highest total a minter ever had
    mapping(address minter => uint256) public minted;
    uint256 public time = 1_000_000;
    uint256 public calls;
    uint256 public revealed;
    string public broken; // the first thing that must not happen and did

    constructor(bool cloned) {
        art = new ArtMint("Test", "TEST", supply, admin, 0, treasury, treasury, 500);
        if (cloned) {
            ArtMint.Terms memory terms = ArtMint.Terms("Test", "TEST", supply, admin, 0, treasury, treasury, 500);
            art = ArtMint(art.clone(0, terms));
        }
        (limits[minters[0]], windows[minters[0]]) = (90, 100);
        (limits[minters[1]], windows[minters[1]]) = (31, 1000);
        vm.startPrank(admin);
        art.grantRole(art.PAUSER_ROLE(), pauser);
        for (uint256 i = 0; i < 2; ++i) {
            art.grantRole(art.MINTER_ROLE(), minters[i]);
            art.setAllowance(minters[i], 500, limits[minters[i]], windows[minters[i]]);
            highest[minters[i]] = 500;
        }
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

    function commitDrop(uint256 seed, uint8 quantity, bool aligned) public counted {
        uint256 first = aligned ? art.nextUncommitted() : seed;
        uint256 before = art.dropCount();
        vm.prank(admin);
        (bool held,) = address(art).call(abi.encodeCall(art.commitDrop, (first, quantity % 80, keccak256(abi.encode(seed)), keccak256(abi.encode(seed, 2)))));
        note(!held || art.dropCount() == before + 1, "a drop was committed and not counted");
    }

    function commitSealed(uint256 seed, uint8 quantity) public counted {
        Sealed memory drop = Sealed(art.dropCount() + 1, keccak256(abi.encode(seed)), keccak256(abi.encode(seed, 2)), keccak256(abi.encode(seed, 3)));
        vm.startPrank(admin);
        try art.commitSealedDrop(art.nextUncommitted(), quantity % 80, art.commitmentOf(drop.number, drop.root, drop.cid, drop.salt)) {
            _sealed.push(drop);
        } catch {}
        vm.stopPrank();
    }

    function reveal(uint256 which, bool honest) public counted {
        if (_sealed.length == 0) return;
        Sealed memory drop = _sealed[which % _sealed.length];
        bytes32 cid = honest ? drop.cid : keccak256(abi.encode(which));
        vm.prank(admin);
        (bool held,) = address(art).call(abi.encodeCall(art.reveal, (drop.number, drop.root, cid, drop.salt)));
        if (held) revealed++;
        note(!held || honest, "a wrong opening was taken");
    }

    function cancelDrop(uint256 seed) public counted {
        uint256 last = art.nextUncommitted() - 1;
        if (last == 0) return;
        uint256 first = seed % 4 == 0 ? seed : art.dropOf(last).firstTokenId;
        uint256 next = art.nextToken();
        vm.prank(admin);
        (bool held,) = address(art).call(abi.encodeCall(art.cancelDrop, (first)));
        note(!held || next <= first, "a drop with minted tokens was cancelled");
    }

    function mint(uint256 who, uint256 first, uint8 quantity, uint8 inner, bool aligned) public counted {
        address minter = minters[who % 2];
        uint256 before = art.totalSupply();
        bytes memory call = abi.encodeCall(art.mintBatch, (aligned ? art.nextToken() : first, quantity % 110, inner));
        vm.prank(minter);
        (bool held,) = address(art).call(call);
        if (!held) return;
        notes.push(Note(minter, time, quantity % 110));
        minted[minter] += quantity % 110;
        note(!art.paused(), "minted while paused");
        note(art.totalSupply() == before + quantity % 110, "another number was minted");
        uint256 inWindow;
        for (uint256 i = notes.length; i > 0; --i) {
            Note memory one = notes[i - 1];
            if (one.time + windows[minter] <= time) break;
            if (one.minter == minter) inWindow += one.quantity;
        }
        note(inWindow <= limits[minter], "more in a window than the limit");
        note(minted[minter] <= highest[minter], "more in a lifetime than the limit");
    }

    function stranger(uint256 seed, bytes calldata junk) public counted {
        address who = seed % 3 == 0 ? minters[0] : seed % 3 == 1 ? pauser : other;
        uint256 count = art.dropCount();
        bytes[5] memory tries = [
            abi.encodeCall(art.commitDrop, (art.nextUncommitted(), 1, bytes32(uint256(1)), bytes32(uint256(1)))),
            abi.encodeCall(art.setTreasury, (who)),
            abi.encodeCall(art.cancelDrop, (1)),
            abi.encodeCall(art.setAllowance, (minters[0], 1e6, 0, 0)),
            junk
        ];
        vm.prank(who);
        (bool held,) = address(art).call(tries[seed % 5]);
        note(!held || seed % 5 == 4, "a stranger did what only the admin may");
        note(art.dropCount() == count, "a stranger changed the drops");
    }

    function allow(uint256 who, uint16 total) public counted {
        address minter = minters[who % 2];
        vm.prank(admin);
        art.setAllowance(minter, total, limits[minter], windows[minter]);
        if (total > highest[minter]) highest[minter] = total;
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

    function acts() external view returns (uint256 mints, uint256 reveals, uint256 drops) {
        return (notes.length, revealed, art.dropCount());
    }

    function lowerSupply(uint256 seed) public counted {
        if (seed % 50 != 0) return; // seldom, or the supply is gone at once
        uint256 before = art.maxSupply();
        vm.prank(admin);
        (bool held,) = address(art).call(abi.encodeCall(art.lowerMaxSupply, (before - seed % 20 - 1)));
        note(art.maxSupply() <= before && (held || art.maxSupply() == before), "the supply rose");
    }

    function look(uint256 seed) public counted {
        uint256 total = art.totalSupply();
        if (total == 0) return;
        uint256 id = seed % total + 1;
        if (art.dropOf(id).cidDigest == 0) return;
        bytes32 uri = keccak256(bytes(art.tokenURI(id)));
        note(uris[id] == 0 || uris[id] == uri, "a committed token's URI changed");
        uris[id] = uri;
    }
}

contract ArtMintInvariants is Base {
    Everybody everybody;
    ArtMint art;

    function cloned() internal pure virtual returns (bool) {
        return false;
    }

    function setUp() public {
        everybody = new Everybody(cloned());
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
        yes(art.maxSupply() <= everybody.supply(), "the supply rose");
    }

    function invariant_idsAreDense() public view {
        eq(art.nextToken(), art.totalSupply() + 1);
        if (art.totalSupply() > 0) {
            yes(art.ownerOf(1) != address(0), "the first token has no owner");
            yes(art.ownerOf(art.totalSupply()) != address(0), "the last token has no owner");
        }
    }

    function invariant_onlyTheTreasuryReceives() public view {
        eq(art.balanceOf(everybody.treasury()) + art.balanceOf(everybody.other()), art.totalSupply());
        eq(art.balanceOf(everybody.minters(0)) + art.balanceOf(everybody.minters(1)), 0);
    }

    function invariant_theAdminStays() public view {
        eq(art.owner(), everybody.admin());
        eq(art.treasury(), everybody.treasury());
    }
}

/// @dev The same, of a clone.
contract CloneInvariants is ArtMintInvariants {
    function cloned() internal pure override returns (bool) {
        return true;
    }
}
