// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGate, Sale} from "../Sale.sol";
import {Shop} from "./Sale.t.sol";

/// @dev Buyers, the treasury and strangers act in any order; what must never happen is noted while it runs.
contract Market is Shop {
    address[3] public buyers = [address(0xA11CE), address(0xB0B), address(0xCA201)];
    mapping(uint256 id => bool) public gone; // tokens that were sold
    mapping(address buyer => uint256) public listed; // tokens that a buyer bought from the list
    mapping(address buyer => uint256) public open; // and in the public stage
    uint256 public paid; // wei
    uint256 public sold;
    uint256 public time = 900;
    uint256 public lowest = 3; // where the sale stood last
    string public broken; // the first thing that must not happen and did

    constructor() {
        leaf = _leaf(alice, 3, 0.1 ether);
        _collection();
        sale = _new(payee, IGate(address(0)), _stages());
        for (uint256 i = 0; i < 3; ++i) vm.deal(buyers[i], 100 ether);
    }

    function note(bool held, string memory what) internal {
        if (!held && bytes(broken).length == 0) broken = what;
    }

    modifier later() {
        time += 13;
        vm.warp(time);
        _;
        note(sale.next() >= lowest, "the sale went back");
        lowest = sale.next();
    }

    function _count(address buyer, bool taken, uint256 quantity, uint256 value) internal {
        if (!taken) return;
        paid += value;
        for (uint256 id = 3; id <= 12 && quantity > 0; ++id) {
            if (gone[id] || art.ownerOf(id) != buyer) continue;
            gone[id] = true;
            --quantity;
            ++sold;
        }
        note(quantity == 0, "money was taken for tokens that the buyer hasn't got");
    }

    function buy(uint8 who, uint8 quantity, bool exactly, uint256 value) public later {
        address buyer = buyers[who % 3];
        quantity %= 6;
        value = exactly ? quantity * PRICE : bound(value, 0, 3 ether);
        vm.prank(buyer);
        (bool taken,) = address(sale).call{value: value}(abi.encodeCall(sale.buy, (1, quantity)));
        note(!taken || (time >= 1500 && time < 3000), "sold out of its time");
        note(!taken || value == quantity * PRICE, "sold at another price");
        if (taken) open[buyer] += quantity;
        _count(buyer, taken, quantity, value);
    }

    function buyListed(uint8 who, uint8 quantity) public later {
        address buyer = buyers[who % 3];
        quantity %= 4;
        uint256 value = quantity * 0.1 ether;
        vm.prank(buyer);
        (bool taken,) = address(sale).call{value: value}(abi.encodeCall(sale.buyListed, (0, quantity, 3, 0.1 ether, _proof())));
        note(!taken || buyer == alice, "sold to somebody who isn't on the list");
        note(!taken || (time >= 1000 && time < 2000), "sold out of its time");
        if (taken) listed[buyer] += quantity;
        _count(buyer, taken, quantity, value);
    }

    function give(uint8 id) public later {
        id = uint8(bound(id, 1, 30));
        if (art.ownerOf(id) != treasury) return;
        vm.prank(treasury);
        art.transferFrom(treasury, address(0xF00D), id);
    }

    function approve(bool held) public later {
        vm.prank(treasury);
        art.setApprovalForAll(address(sale), held);
    }

    function skip(uint8 most) public later {
        sale.skip(most);
    }

    function withdraw(address who) public later {
        vm.prank(who);
        (bool taken,) = address(sale).call(abi.encodeCall(sale.withdraw, ()));
        note(taken || address(sale).balance == 0, "money that nobody gets");
    }
}

contract SaleInvariantsTest is Shop {
    Market public market = new Market();

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(market);
    }

    function invariantNothingThatMustNotHappenDid() public view {
        yes(bytes(market.broken()).length == 0, market.broken());
    }

    function invariantWhatWasPaidIsHereOrThePayees() public view {
        eq(address(market.sale()).balance + market.payee().balance, market.paid());
    }

    function invariantNobodyHasMoreThanTheLimit() public view {
        for (uint256 i = 0; i < 3; ++i) {
            address buyer = market.buyers(i);
            yes(market.listed(buyer) <= 3 && market.open(buyer) <= 4, "more than the limit");
            eq(market.sale().boughtBy(0, buyer), market.listed(buyer));
            eq(market.sale().boughtBy(1, buyer), market.open(buyer));
        }
    }

    function invariantOnlyTokensOfTheRangeAreSold() public view {
        for (uint256 id = 1; id <= 30; ++id) {
            address owner = market.art().ownerOf(id);
            bool out = id < 3 || id > 12;
            yes(!out || owner == market.treasury() || owner == address(0xF00D), "a token out of the range was sold");
        }
    }
}
