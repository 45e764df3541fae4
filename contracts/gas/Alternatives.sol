// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721Enumerable} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721Enumerable.sol";
import {ERC721A} from "erc721a/contracts/ERC721A.sol";
import {ERC721 as Solady721} from "solady/src/tokens/ERC721.sol";

// What ArtMint's gas is measured against. Nobody is asked for a role here, and nothing is limited.

/// @dev The least a batch can cost: one owner, one counter, and an event for each token.
contract Floor {
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);

    uint256 private _next = 1;
    mapping(uint256 => address) private _owners;

    function mint(address to, uint256 quantity) external {
        uint256 id = _next;
        _owners[id] = to;
        _next = id + quantity;
        assembly {
            for { let end := add(id, quantity) } lt(id, end) { id := add(id, 1) } {
                log4(0, 0, 0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef, 0, to, id)
            }
        }
    }
}

/// @dev ERC721A and nothing else.
contract PlainERC721A is ERC721A("Plain", "PLAIN") {
    function mint(address to, uint256 quantity) external {
        _mint(to, quantity);
    }
}

/// @dev solady's ERC721, token by token.
contract PlainSolady is Solady721 {
    uint256 private _next = 1;

    function name() public pure override returns (string memory) {
        return "Plain";
    }

    function symbol() public pure override returns (string memory) {
        return "PLAIN";
    }

    function tokenURI(uint256) public pure override returns (string memory) {
        return "";
    }

    function mint(address to, uint256 quantity) external {
        uint256 id = _next;
        uint256 end = id + quantity;
        for (; id < end; ++id) _mint(to, id);
        _next = end;
    }
}

/// @dev OpenZeppelin's ERC721, token by token.
contract PlainOpenZeppelin is ERC721("Plain", "PLAIN") {
    uint256 private _next = 1;

    function mint(address to, uint256 quantity) external {
        uint256 id = _next;
        uint256 end = id + quantity;
        for (; id < end; ++id) _mint(to, id);
        _next = end;
    }
}

/// @dev The same with the list of everybody's tokens on chain.
contract PlainEnumerable is ERC721Enumerable {
    uint256 private _next = 1;

    constructor() ERC721("Plain", "PLAIN") {}

    function mint(address to, uint256 quantity) external {
        uint256 id = _next;
        uint256 end = id + quantity;
        for (; id < end; ++id) _mint(to, id);
        _next = end;
    }
}

/// @dev The least that a sale out of a treasury can cost: one price, tokens in order, and nothing else asked.
contract PlainSale {
    ERC721 private immutable _token;
    address private immutable _treasury;
    uint256 private immutable _price;
    uint256 private _next;

    constructor(ERC721 token, address treasury, uint256 price, uint256 first) {
        (_token, _treasury, _price, _next) = (token, treasury, price, first);
    }

    function buy(uint256 quantity) external payable {
        require(msg.value == quantity * _price);
        uint256 id = _next;
        _next = id + quantity;
        for (uint256 end = id + quantity; id < end; ++id) _token.transferFrom(_treasury, msg.sender, id);
    }
}
