// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {Base} from "./Vm.sol";
import {ArtMint} from "../ArtMint.sol";
import {IGate, Sale} from "../Sale.sol";

/// @dev A gate that somebody opens.
contract Gate is IGate {
    mapping(bytes32 root => bool) public opened;

    function set(bytes32 root, bool held) external {
        opened[root] = held;
    }

    function open(bytes32 root) external view returns (bool) {
        return opened[root];
    }
}

/// @dev A payee that takes nothing.
contract Deaf {
    receive() external payable {
        revert();
    }
}

/// @dev A payee that calls back when it is paid.
contract Greedy {
    Sale public sale;

    function set(Sale sale_) external {
        sale = sale_;
    }

    receive() external payable {
        if (address(sale).balance != 0) sale.withdraw();
    }
}

/// @dev A collection of 30 tokens, all the treasury's, and a sale of tokens 3 to 12.
abstract contract Shop is Base {
    ArtMint public art;
    Sale public sale;
    Gate public gate = new Gate();
    address public treasury = address(0x7EA);
    address public payee = address(0x9A1D);
    address public alice = address(0xA11CE);
    address public bob = address(0xB0B);
    uint256 public constant PRICE = 0.5 ether;
    bytes32 public leaf;
    bytes32 public sibling = keccak256("somebody else");

    function _collection() internal {
        art = new ArtMint("Test", "TEST", 30, address(this), 0, treasury, treasury, 500);
        art.commitDrop(1, 30, keccak256("root"), keccak256("cid"));
        art.grantRole(art.MINTER_ROLE(), address(this));
        art.setAllowance(address(this), 30, 0, 0);
        art.mintBatch(1, 30, 10);
    }

    function _stages() internal view returns (Sale.Stage[] memory stages) {
        stages = new Sale.Stage[](2);
        stages[0] = Sale.Stage(1000, 2000, 0, 0, _pair(leaf, sibling));
        stages[1] = Sale.Stage(1500, 3000, 4, uint128(PRICE), 0);
    }

    function _new(address payee_, IGate gate_, Sale.Stage[] memory stages) internal returns (Sale made) {
        made = new Sale(IERC721(address(art)), treasury, payee_, 3, 12, gate_, keccak256("proofs"), stages);
        vm.prank(treasury);
        art.setApprovalForAll(address(made), true);
    }

    function _pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function _proof() internal view returns (bytes32[] memory proof) {
        proof = new bytes32[](1);
        proof[0] = sibling;
    }

    function _leaf(address buyer, uint256 limit, uint256 price) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(buyer, limit, price))));
    }

    function _open() internal {
        leaf = _leaf(alice, 3, 0.1 ether);
        _collection();
        sale = _new(payee, IGate(address(0)), _stages());
        vm.deal(alice, 100 ether);
        vm.deal(bob, 100 ether);
    }
}

contract SaleTest is Shop {
    constructor() {
        _open();
    }

    function _listed(address who, uint256 quantity, uint256 limit, uint256 price, uint256 paid) internal {
        vm.prank(who);
        sale.buyListed{value: paid}(0, quantity, limit, price, _proof());
    }

    function testEverybodyPaysTheirOwnPrice() public {
        vm.warp(1600);
        _listed(alice, 2, 3, 0.1 ether, 0.2 ether);
        vm.prank(bob);
        sale.buy{value: 2 ether}(1, 4);
        eq(art.ownerOf(3), alice);
        eq(art.ownerOf(4), alice);
        for (uint256 id = 5; id < 9; ++id) eq(art.ownerOf(id), bob);
        eq(sale.next(), 9);
        eq(address(sale).balance, 2.2 ether);
        sale.withdraw();
        eq(payee.balance, 2.2 ether);
        eq(sale.boughtBy(0, alice), 2);
        eq(sale.boughtBy(1, bob), 4);
    }

    function testLimitsCountForEachStage() public {
        vm.warp(1600);
        _listed(alice, 2, 3, 0.1 ether, 0.2 ether);
        vm.expectRevert(abi.encodeWithSelector(Sale.LimitReached.selector, alice, 1, 2));
        _listed(alice, 2, 3, 0.1 ether, 0.2 ether);
        _listed(alice, 1, 3, 0.1 ether, 0.1 ether);
        vm.expectRevert(abi.encodeWithSelector(Sale.LimitReached.selector, alice, 0, 1));
        _listed(alice, 1, 3, 0.1 ether, 0.1 ether);
        vm.prank(alice);
        sale.buy{value: 4 * PRICE}(1, 4);
        vm.expectRevert(abi.encodeWithSelector(Sale.LimitReached.selector, alice, 0, 1));
        vm.prank(alice);
        sale.buy{value: PRICE}(1, 1);
    }

    function testWhoIsNotOnTheListBuysNothing() public {
        vm.warp(1600);
        bytes memory refusal = abi.encodeWithSelector(Sale.NotOnList.selector, bob, 0);
        vm.expectRevert(refusal);
        _listed(bob, 1, 3, 0.1 ether, 0.1 ether);
        refusal = abi.encodeWithSelector(Sale.NotOnList.selector, alice, 0);
        vm.expectRevert(refusal);
        _listed(alice, 1, 4, 0.1 ether, 0.1 ether); // a higher limit than the list's
        vm.expectRevert(refusal);
        _listed(alice, 1, 3, 0.05 ether, 0.05 ether); // a lower price
        vm.expectRevert(refusal);
        vm.prank(alice);
        sale.buyListed{value: 0.1 ether}(0, 1, 3, 0.1 ether, new bytes32[](0));
        vm.expectRevert(refusal);
        vm.prank(alice);
        sale.buy(0, 1); // a stage with a list isn't public
        vm.expectRevert(abi.encodeWithSelector(Sale.NotOnList.selector, alice, 1));
        vm.prank(alice);
        sale.buyListed{value: 0.1 ether}(1, 1, 3, 0.1 ether, _proof()); // and a public one has no list
    }

    function testExactlyThePriceIsTaken() public {
        vm.warp(1600);
        uint256[4] memory wrong = [uint256(0), PRICE - 1, PRICE + 1, 2 * PRICE];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Sale.WrongPayment.selector, PRICE, wrong[i]));
            vm.prank(bob);
            sale.buy{value: wrong[i]}(1, 1);
        }
        vm.expectRevert(abi.encodeWithSelector(Sale.NothingAsked.selector));
        vm.prank(bob);
        sale.buy(1, 0);
    }

    function testStagesOpenAndClose() public {
        uint256[4] memory times = [uint256(0), 1499, 3000, 99999];
        for (uint256 i = 0; i < 4; ++i) {
            vm.warp(times[i]);
            vm.expectRevert(abi.encodeWithSelector(Sale.StageClosed.selector, 1, 1500, 3000, times[i]));
            vm.prank(bob);
            sale.buy{value: PRICE}(1, 1);
        }
        vm.warp(1500);
        vm.prank(bob);
        sale.buy{value: PRICE}(1, 1);
        vm.warp(2999);
        vm.prank(bob);
        sale.buy{value: PRICE}(1, 1);
        vm.expectRevert(abi.encodeWithSelector(Sale.NoSuchStage.selector, 2, 2));
        sale.buy(2, 1);
    }

    function testTokensThatWereGivenAwayArePassedOver() public {
        vm.warp(1600);
        vm.startPrank(treasury);
        art.transferFrom(treasury, address(1), 3);
        art.transferFrom(treasury, address(1), 5);
        art.transferFrom(treasury, address(1), 6);
        vm.stopPrank();
        vm.prank(bob);
        sale.buy{value: 2 * PRICE}(1, 2);
        eq(art.ownerOf(4), bob);
        eq(art.ownerOf(7), bob);
        eq(sale.next(), 8);
        vm.startPrank(treasury);
        for (uint256 id = 8; id < 12; ++id) art.transferFrom(treasury, address(1), id);
        vm.stopPrank();
        sale.skip(2);
        eq(sale.next(), 10);
        sale.skip(type(uint256).max);
        eq(sale.next(), 12);
        vm.expectRevert(abi.encodeWithSelector(Sale.SoldOut.selector, 1, 2));
        vm.prank(bob);
        sale.buy{value: 2 * PRICE}(1, 2);
        vm.prank(bob);
        sale.buy{value: PRICE}(1, 1);
        vm.expectRevert(abi.encodeWithSelector(Sale.SoldOut.selector, 0, 1));
        vm.prank(bob);
        sale.buy{value: PRICE}(1, 1);
        sale.skip(type(uint256).max);
        eq(sale.next(), 13);
        eq(art.ownerOf(13), treasury);
    }

    function testTheTreasuryEndsItByItsApproval() public {
        vm.warp(1600);
        vm.prank(treasury);
        art.setApprovalForAll(address(sale), false);
        vm.expectRevert();
        vm.prank(bob);
        sale.buy{value: PRICE}(1, 1);
        eq(bob.balance, 100 ether);
    }

    function testAGateIsAsked() public {
        sale = _new(payee, gate, _stages());
        vm.warp(1600);
        vm.expectRevert(abi.encodeWithSelector(Sale.GateClosed.selector, address(gate), keccak256("proofs")));
        vm.prank(bob);
        sale.buy{value: PRICE}(1, 1);
        vm.expectRevert(abi.encodeWithSelector(Sale.GateClosed.selector, address(gate), keccak256("proofs")));
        _listed(alice, 1, 3, 0.1 ether, 0.1 ether);
        gate.set(keccak256("proofs"), true);
        vm.prank(bob);
        sale.buy{value: PRICE}(1, 1);
    }

    function testMoneyGoesToThePayeeOnly() public {
        vm.expectRevert(abi.encodeWithSelector(Sale.NothingAsked.selector));
        sale.withdraw();
        (bool taken,) = address(sale).call{value: 0}("");
        yes(!taken, "a call without a name was taken");
        Deaf deaf = new Deaf();
        sale = _new(address(deaf), IGate(address(0)), _stages());
        vm.warp(1600);
        vm.prank(bob);
        sale.buy{value: PRICE}(1, 1);
        vm.expectRevert(abi.encodeWithSelector(Sale.PayeeRefused.selector, address(deaf), PRICE));
        sale.withdraw();
        eq(address(sale).balance, PRICE);
    }

    function testAPayeeThatCallsBackGetsItOnce() public {
        Greedy greedy = new Greedy();
        sale = _new(address(greedy), IGate(address(0)), _stages());
        greedy.set(sale);
        vm.warp(1600);
        vm.prank(bob);
        sale.buy{value: 2 * PRICE}(1, 2);
        sale.withdraw();
        eq(address(greedy).balance, 2 * PRICE);
        eq(address(sale).balance, 0);
    }

    function _refused(Sale.Stage memory stage) internal {
        Sale.Stage[] memory stages = new Sale.Stage[](1);
        stages[0] = stage;
        vm.expectRevert(abi.encodeWithSelector(Sale.BadStage.selector, 0));
        new Sale(IERC721(address(art)), treasury, payee, 3, 12, IGate(address(0)), 0, stages);
    }

    function testTermsThatMeanNothingAreRefused() public {
        _refused(Sale.Stage(2000, 2000, 1, 1, 0));
        _refused(Sale.Stage(2000, 1999, 1, 1, 0));
        _refused(Sale.Stage(1000, 2000, 0, 1, 0));
        _refused(Sale.Stage(1000, 2000, 1, 0, bytes32("root")));
        _refused(Sale.Stage(1000, 2000, 0, 1, bytes32("root")));
        Sale.Stage[] memory stages = _stages();
        vm.expectRevert(abi.encodeWithSelector(Sale.BadStageCount.selector, 0));
        new Sale(IERC721(address(art)), treasury, payee, 3, 12, IGate(address(0)), 0, new Sale.Stage[](0));
        vm.expectRevert(abi.encodeWithSelector(Sale.BadRange.selector, 4, 3));
        new Sale(IERC721(address(art)), treasury, payee, 4, 3, IGate(address(0)), 0, stages);
        vm.expectRevert(abi.encodeWithSelector(Sale.BadAddress.selector, alice));
        new Sale(IERC721(alice), treasury, payee, 3, 12, IGate(address(0)), 0, stages);
        vm.expectRevert(abi.encodeWithSelector(Sale.BadAddress.selector, address(0)));
        new Sale(IERC721(address(art)), address(0), payee, 3, 12, IGate(address(0)), 0, stages);
        vm.expectRevert(abi.encodeWithSelector(Sale.BadAddress.selector, address(0)));
        new Sale(IERC721(address(art)), treasury, address(0), 3, 12, IGate(address(0)), 0, stages);
        vm.expectRevert(abi.encodeWithSelector(Sale.BadAddress.selector, bob));
        new Sale(IERC721(address(art)), treasury, payee, 3, 12, IGate(bob), 0, stages);
    }

    function testFuzzAPurchaseTakesItsPriceOrNothing(address buyer, uint8 quantity, uint256 paid, uint16 time) public {
        vm.assume(buyer.code.length == 0 && buyer != address(0) && buyer != treasury && uint160(buyer) > 1000);
        paid = bound(paid, 0, 5 ether);
        vm.deal(buyer, 5 ether);
        vm.warp(time);
        vm.prank(buyer);
        (bool taken,) = address(sale).call{value: paid}(abi.encodeCall(sale.buy, (1, quantity)));
        bool due = time >= 1500 && time < 3000 && quantity > 0 && quantity <= 4 && paid == quantity * PRICE;
        yes(taken == due, "taken though not due, or the other way round");
        eq(art.balanceOf(buyer), due ? quantity : 0);
        eq(buyer.balance, due ? 5 ether - paid : 5 ether);
    }

    function testFuzzOnlyTheListsOwnTermsAreTaken(address buyer, uint256 limit, uint256 price, bytes32 other) public {
        vm.assume(buyer != alice || limit != 3 || price != 0.1 ether);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = other;
        vm.deal(buyer, 10 ether);
        vm.warp(1600);
        vm.prank(buyer);
        (bool taken,) = address(sale).call{value: price < 10 ether ? price : 0}(abi.encodeCall(sale.buyListed, (0, 1, limit, price, proof)));
        yes(!taken, "bought without being on the list");
    }
}
