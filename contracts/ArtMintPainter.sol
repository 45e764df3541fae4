// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ArtMintPainter
/// @notice A trained network that lives on chain, and draws with it. What it draws follows from twelve bytes, a recipe, and from
/// bytes that nobody can change: it has no owner, and nothing here can be set after it is made.
/// @dev The arithmetic is told in docs/onchain.md and in nbs/onchain/network.ipynb; numpy and JavaScript compute the same. In memory
/// a word holds eight channels in lanes of 32 bits, the first channel in the highest. Lanes are signed: a word is the sum of its
/// lanes' values, each times its place, modulo 2^256, so a word times a signed number, and the sum of two words, are lane by lane what they
/// should be. Only where lanes are read is 2^31 added to each, so that none is negative.
contract ArtMintPainter {
    /// @dev How many bytes the weights have; the vocabulary follows them.
    uint256 private constant WEIGHTS = 47_120;
    /// @dev What is drawn, in pixels a side.
    uint256 private constant SIDE = 128;
    uint256 private constant ONES = 0x0000000100000001000000010000000100000001000000010000000100000001;
    uint256 private constant SIGNS = 0x8000000080000000800000008000000080000000800000008000000080000000;

    /// @notice The digest (SHA-256) of all its bytes: weights, vocabulary, and the page's program.
    bytes32 public digest;
    /// @notice How many of the bytes are the network's and the vocabulary's; the rest is the page's program.
    uint256 public modelLength;
    address[] private _chunks;

    /// @notice The chunks hold other bytes than they should.
    error OtherBytes(bytes32 expected, bytes32 got);
    /// @notice A recipe that this network can't draw: trait number `trait` has the value `value`, and there are `values`.
    error BadRecipe(uint256 trait, uint256 value, uint256 values);
    /// @notice Recipes have twelve bytes each.
    error BadLength(uint256 length);
    /// @notice A name with a quote, a backslash or a control character would break the JSON.
    error BadName();

    /// @param chunks_ contracts whose code is a zero byte and then a part of the bytes, in order
    /// @param modelLength_ how many of the bytes are the network's and the vocabulary's
    /// @param digest_ SHA-256 of all the bytes; the constructor looks
    constructor(address[] memory chunks_, uint256 modelLength_, bytes32 digest_) {
        _chunks = chunks_;
        bytes memory all = _read();
        bytes32 got = sha256(all);
        if (got != digest_ || modelLength_ > all.length || modelLength_ < WEIGHTS) revert OtherBytes(digest_, got);
        digest = digest_;
        modelLength = modelLength_;
    }

    /// @notice Where its bytes lie.
    function chunks() external view returns (address[] memory) {
        return _chunks;
    }

    /// @notice All its bytes: weights, vocabulary, the page's program.
    function data() external view returns (bytes memory) {
        return _read();
    }

    /// @notice Reverts unless every recipe can be drawn.
    /// @param recipes twelve bytes each: a value for each of eight traits, zero where there are fewer, and a seed of 32 bits
    function check(bytes calldata recipes) external view {
        if (recipes.length % 12 != 0) revert BadLength(recipes.length);
        (bytes memory all,) = _model();
        uint256[8] memory values = _radices(all);
        for (uint256 i = 0; i < recipes.length; i += 12) {
            uint256 eight = uint256(uint64(bytes8(recipes[i:i + 8])));
            for (uint256 trait = 0; trait < 8; ++trait) {
                uint256 value = (eight >> (56 - 8 * trait)) & 255;
                if (value >= values[trait]) revert BadRecipe(trait, value, values[trait]);
            }
        }
    }

    /// @notice The picture of a recipe: an indexed PNG, 128 x 128.
    /// @param recipe twelve bytes
    function png(bytes12 recipe) external view returns (bytes memory) {
        (bytes memory all,) = _model();
        return _png(all, recipe);
    }

    /// @notice The page of a recipe: HTML that draws the same picture in a browser, at any size, with the network in it.
    /// @param recipe twelve bytes
    function page(bytes12 recipe) external view returns (bytes memory) {
        (bytes memory all, uint256 length) = _model();
        return _page(all, length, recipe);
    }

    /// @notice What was asked for, in words.
    /// @param recipe twelve bytes
    function prompt(bytes12 recipe) external view returns (string memory) {
        (bytes memory all,) = _model();
        (string memory words,) = _words(all, recipe);
        return words;
    }

    /// @notice A token's metadata as a data URI: JSON with picture, page and traits in it.
    /// @param collection the collection's name
    /// @param tokenId the token's id, in digits
    /// @param recipe twelve bytes
    function uri(string calldata collection, string calldata tokenId, bytes12 recipe)
        external
        view
        returns (string memory)
    {
        checkName(collection);
        checkName(tokenId);
        (bytes memory all, uint256 length) = _model();
        bytes memory json = bytes.concat('{"name":"', bytes(collection), " #", bytes(tokenId), '","description":"');
        {
            (string memory words, bytes memory attributes) = _words(all, recipe);
            json = bytes.concat(json, bytes(words), '","recipe":"', _hex(abi.encodePacked(recipe)), '","model":"');
            json = bytes.concat(json, _hex(abi.encodePacked(digest)), '","attributes":[', attributes, '],"image":"');
        }
        bytes memory html = _base64(_page(all, length, recipe));
        bytes memory image = _base64(_png(all, recipe));
        json = bytes.concat(
            json, "data:image/png;base64,", image, '","animation_url":"data:text/html;base64,', html, '"}'
        );
        return string.concat("data:application/json;base64,", string(_base64(json)));
    }

    /// @notice A collection's page (ERC-7572) as a data URI: JSON with its words and, if there is one, a picture.
    /// @param collection the collection's name
    /// @param symbol its short name
    /// @param description what is said of it; whatever JSON doesn't take as it is becomes an escape
    /// @param recipe twelve bytes: the picture that stands for it; none: no picture
    function about(string calldata collection, string calldata symbol, string calldata description, bytes calldata recipe)
        external
        view
        returns (string memory)
    {
        if (recipe.length != 0 && recipe.length != 12) revert BadLength(recipe.length);
        bytes memory json = bytes.concat('{"name":"', _escaped(bytes(collection)), '","symbol":"', _escaped(bytes(symbol)));
        json = bytes.concat(json, '","description":"', _escaped(bytes(description)), '","model":"');
        json = bytes.concat(json, _hex(abi.encodePacked(digest)), '"');
        if (recipe.length == 12) {
            (bytes memory all,) = _model();
            json = bytes.concat(json, ',"image":"data:image/png;base64,', _base64(_png(all, bytes12(recipe))), '"');
        }
        return string.concat("data:application/json;base64,", string(_base64(bytes.concat(json, "}"))));
    }

    /// @notice Reverts where a name would break the JSON.
    /// @param name a collection's name
    function checkName(string calldata name) public pure {
        bytes calldata text = bytes(name);
        for (uint256 i = 0; i < text.length; ++i) {
            if (text[i] < 0x20 || text[i] == '"' || text[i] == "\\") revert BadName();
        }
    }

    // The bytes

    /// @dev All bytes of the chunks, without the zero byte that each begins with.
    function _read() private view returns (bytes memory all) {
        uint256 count = _chunks.length;
        uint256 length = 0;
        for (uint256 i = 0; i < count; ++i) length += _chunks[i].code.length - 1;
        all = new bytes(length);
        uint256 spot;
        assembly ("memory-safe") {
            spot := add(all, 32)
        }
        for (uint256 i = 0; i < count; ++i) {
            address chunk = _chunks[i];
            assembly ("memory-safe") {
                let size := sub(extcodesize(chunk), 1)
                extcodecopy(chunk, spot, 1, size)
                spot := add(spot, size)
            }
        }
    }

    /// @dev The bytes, and how many of them are the model's.
    function _model() private view returns (bytes memory, uint256) {
        return (_read(), modelLength);
    }

    // The vocabulary

    /// @dev What a recipe says.
    struct Told {
        uint256 traits;
        uint256[8] radix;
        string[8] names;
        string[8] values;
        bytes template;
        uint256 class;
        uint256 palette;
        uint256 ground;
        uint256 flags;
    }

    /// @dev A text with its length before it, at a place; the place after it.
    function _text(bytes memory all, uint256 spot) private pure returns (bytes memory text, uint256 next) {
        uint256 length = uint8(all[spot]);
        text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) text[i] = all[spot + 1 + i];
        next = spot + 1 + length;
    }

    /// @dev Read the vocabulary, as a recipe points into it. A value that isn't there is read as the first.
    function _tell(bytes memory all, bytes12 recipe) private pure returns (Told memory told) {
        uint256 spot = WEIGHTS;
        told.traits = uint8(all[spot++]);
        uint256 palettes = 0;
        uint256 grounds = 0;
        for (uint256 trait = 0; trait < told.traits; ++trait) {
            uint256 radix = uint8(all[spot]);
            uint256 role = uint8(all[spot + 1]);
            uint256 value = uint8(recipe[trait]);
            if (value >= radix) revert BadRecipe(trait, value, radix);
            told.radix[trait] = radix;
            bytes memory text;
            (text, spot) = _text(all, spot + 2);
            told.names[trait] = string(text);
            for (uint256 i = 0; i < radix; ++i) {
                if (i == value) {
                    (text, spot) = _text(all, spot);
                    told.values[trait] = string(text);
                } else {
                    spot += 1 + uint8(all[spot]);
                }
            }
            if (role == 0) told.class = told.class * radix + value;
            else if (role == 1) (palettes, told.palette) = (radix, value);
            else (grounds, told.ground) = (radix, value);
        }
        (told.template, spot) = _text(all, spot);
        told.palette = spot + 15 * told.palette;
        told.ground = spot + 15 * palettes + 3 * told.ground;
        told.flags = uint8(all[spot + 15 * palettes + 3 * grounds + told.class]);
        for (uint256 trait = told.traits; trait < 8; ++trait) {
            told.radix[trait] = 1;
            if (recipe[trait] != 0) revert BadRecipe(trait, uint8(recipe[trait]), 1);
        }
    }

    /// @dev How many values each trait has.
    function _radices(bytes memory all) private pure returns (uint256[8] memory) {
        return _tell(all, bytes12(0)).radix;
    }

    /// @dev The prompt, and the traits as a marketplace reads them.
    function _words(bytes memory all, bytes12 recipe) private pure returns (string memory words, bytes memory attributes) {
        Told memory told = _tell(all, recipe);
        bytes memory template = told.template;
        bytes memory one = new bytes(1);
        for (uint256 i = 0; i < template.length; ++i) {
            one[0] = template[i];
            words = string.concat(words, uint8(one[0]) < 8 ? told.values[uint8(one[0])] : string(one));
        }
        for (uint256 i = 0; i < told.traits; ++i) {
            attributes = bytes.concat(attributes, i == 0 ? bytes("") : bytes(","), '{"trait_type":"', bytes(told.names[i]));
            attributes = bytes.concat(attributes, '","value":"', bytes(told.values[i]), '"}');
        }
    }

    /// @dev A text as it may stand between the quotes of JSON: quotes, backslashes and control characters as \u00xx.
    function _escaped(bytes memory text) private pure returns (bytes memory escaped) {
        escaped = new bytes(6 * text.length);
        uint256 length = 0;
        for (uint256 i = 0; i < text.length; ++i) {
            uint256 code = uint8(text[i]);
            if (code > 0x1f && code != 0x22 && code != 0x5c) {
                escaped[length++] = text[i];
                continue;
            }
            bytes6 six = bytes6(bytes.concat("\\u00", _hex(abi.encodePacked(text[i]))));
            for (uint256 j = 0; j < 6; ++j) escaped[length++] = six[j];
        }
        assembly ("memory-safe") {
            mstore(escaped, length)
        }
    }

    /// @dev Bytes in hexadecimal digits.
    function _hex(bytes memory raw) private pure returns (bytes memory text) {
        text = new bytes(2 * raw.length);
        for (uint256 i = 0; i < raw.length; ++i) {
            text[2 * i] = bytes16("0123456789abcdef")[uint8(raw[i]) >> 4];
            text[2 * i + 1] = bytes16("0123456789abcdef")[uint8(raw[i]) & 15];
        }
    }

    /// @dev The page: what comes before the recipe, the recipe, the model in base64, and the program.
    function _page(bytes memory all, uint256 length, bytes12 recipe) private pure returns (bytes memory) {
        uint256 head = (uint256(uint8(all[length])) << 8) | uint8(all[length + 1]);
        bytes memory model = _slice(all, 0, length);
        return bytes.concat(
            _slice(all, length + 2, head),
            _hex(abi.encodePacked(recipe)),
            '",M="',
            _base64(model),
            _slice(all, length + 2 + head, all.length - length - 2 - head)
        );
    }

    /// @dev A part of bytes.
    function _slice(bytes memory all, uint256 from, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        assembly ("memory-safe") {
            mcopy(add(part, 32), add(add(all, 32), from), length)
        }
    }

    // The picture

    /// @dev A number of 32 bits from a seed and a count (the finaliser of MurmurHash3).
    function _mix(uint256 seed, uint256 i) private pure returns (uint256 x) {
        unchecked {
            x = (seed + i * 0x9E3779B9) & 0xffffffff;
            x ^= x >> 16;
            x = (x * 0x85EBCA6B) & 0xffffffff;
            x ^= x >> 13;
            x = (x * 0xC2B2AE35) & 0xffffffff;
            x ^= x >> 16;
        }
    }

    /// @dev The picture as an indexed PNG: a colour for the ground and one for each layer.
    function _png(bytes memory all, bytes12 recipe) private pure returns (bytes memory file) {
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        bytes memory made = _drawn(all, recipe);
        assembly ("memory-safe") {
            // What drawing took is given back: memory's price grows with its square.
            let size := add(32, mload(made))
            mcopy(free, made, size)
            file := free
            mstore(0x40, and(add(add(free, size), 31), not(31)))
        }
    }

    /// @dev The same, and all that drawing takes.
    function _drawn(bytes memory all, bytes12 recipe) private pure returns (bytes memory) {
        Told memory told = _tell(all, recipe);
        uint256 seed = uint32(bytes4(recipe << 64));
        uint256 dice = _mix(seed, 8);
        bytes memory colours = new bytes(27);
        for (uint256 i = 0; i < 3; ++i) colours[i] = all[told.ground + i];
        uint256 step = (dice >> 4) & 1 == 0 ? 1 : 4;
        for (uint256 layer = 1; layer < 9; ++layer) {
            uint256 from = told.palette + 3 * (((dice >> 8) + step * layer) % 5);
            for (uint256 i = 0; i < 3; ++i) colours[3 * layer + i] = all[from + i];
        }
        uint256 grid = _fields(all, told.class * 4 + (dice & 3), seed);
        bytes memory rows = _raster(grid, (dice >> 2) & told.flags & 1 != 0, (dice >> 3) & (told.flags >> 1) & 1 != 0);
        return _file(colours, rows);
    }

    /// @dev The eight fields, 32 x 32 words.
    function _fields(bytes memory all, uint256 class, uint256 seed) private pure returns (uint256 grid) {
        uint256 model;
        uint256 room;
        assembly ("memory-safe") {
            model := add(all, 32)
            room := mload(0x40)
            // What follows is laid out by hand: 2 x 2 kernels (65,536 bytes), three activations with a border, the grid.
            mstore(0x40, add(room, 236000))
            calldatacopy(room, calldatasize(), 236000)
        }
        uint256 at4 = room + 65_536 + 1024;
        uint256 at8 = at4 + 36 * 96 + 64;
        uint256 at16 = at8 + 100 * 128 + 64;
        uint256 at32 = at16 + 324 * 128 + 64;
        _dense(model, class, seed, room, at4);
        _up(Layer(at4, 4, 24, 4, model + 23_696, model + 30_608, at8), room);
        _up(Layer(at8, 8, 32, 4, model + 30_672, model + 39_888, at16), room);
        _upLast(Layer(at16, 16, 32, 3, model + 39_952, model + 46_864, at32), room);
        grid = room;
        _out(at32, model, at4, grid);
    }

    /// @dev Recipe to 4 x 4 x 24: three full layers.
    function _dense(uint256 model, uint256 class, uint256 seed, uint256 room, uint256 at4) private pure {
        _dice(seed, room);
        for (uint256 block_ = 0; block_ < 5; ++block_) {
            uint256 acc;
            unchecked {
                acc = _eight(model + class * 40 + block_ * 8) * 256 + SIGNS;
            }
            _spread(_full(room, 32, model + 3_840 + block_ * 8, 40, acc), room + 2048 + block_ * 256);
        }
        for (uint256 block_ = 0; block_ < 5; ++block_) {
            uint256 acc = _bias(model + 6_720 + block_ * 16);
            acc = _full(room + 2048, 40, model + 5_120 + block_ * 8, 40, acc);
            _spread(acc, room + 4096 + block_ * 256);
        }
        for (uint256 block_ = 0; block_ < 48; ++block_) {
            uint256 acc = _near(room + (block_ / 3) * 64, model + 22_928 + (block_ / 3) * 48 + (block_ % 3) * 8);
            unchecked {
                acc += _bias(model + 22_160 + block_ * 16);
            }
            acc = _full(room + 4096, 40, model + 6_800 + block_ * 8, 384, acc);
            uint256 to = at4 + (block_ / 12 + 1) * 576 + ((block_ / 3) % 4 + 1) * 96 + (block_ % 3) * 32;
            assembly ("memory-safe") {
                mstore(to, acc)
            }
        }
    }

    /// @dev What a place's own two numbers add to it.
    function _near(uint256 two, uint256 weights) private pure returns (uint256 acc) {
        uint256 first = _eight(weights);
        uint256 second = _eight(weights + 24);
        assembly ("memory-safe") {
            acc := add(mul(mload(two), first), mul(mload(add(two, 32)), second))
        }
    }

    /// @dev Thirty-two numbers from -128 to 127 that a seed gives, each in a word.
    function _dice(uint256 seed, uint256 to) private pure {
        for (uint256 i = 0; i < 8; ++i) {
            uint256 four = _mix(seed, i);
            assembly ("memory-safe") {
                mstore(to, sub(byte(28, four), 128))
                mstore(add(to, 32), sub(byte(29, four), 128))
                mstore(add(to, 64), sub(byte(30, four), 128))
                mstore(add(to, 96), sub(byte(31, four), 128))
                to := add(to, 128)
            }
        }
    }

    /// @dev Eight outputs of a full layer, clamped: inputs as whole words, one after the other.
    function _full(uint256 inputs, uint256 count, uint256 weights, uint256 stride, uint256 acc)
        private
        pure
        returns (uint256)
    {
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 x;
                assembly ("memory-safe") {
                    x := mload(add(inputs, mul(i, 32)))
                }
                if (x != 0) acc += x * _eight(weights + i * stride);
            }
        }
        return _clamp(acc, 7);
    }

    /// @dev Eight lanes as eight words.
    function _spread(uint256 lanes, uint256 to) private pure {
        assembly ("memory-safe") {
            for { let i := 0 } lt(i, 8) { i := add(i, 1) } {
                mstore(add(to, mul(i, 32)), and(shr(sub(224, mul(i, 32)), lanes), 0xff))
            }
        }
    }

    /// @dev Eight signed bytes as lanes.
    function _eight(uint256 spot) private pure returns (uint256 v) {
        assembly ("memory-safe") {
            v := xor(shr(192, mload(spot)), 0x8080808080808080)
            v := and(or(v, shl(96, v)), 0x000000000000000000000000ffffffff000000000000000000000000ffffffff)
            v := and(or(v, shl(48, v)), 0x000000000000ffff000000000000ffff000000000000ffff000000000000ffff)
            v := and(or(v, shl(24, v)), 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff)
            v := sub(v, 0x0000008000000080000000800000008000000080000000800000008000000080)
        }
    }

    /// @dev Eight signed numbers of 16 bits, times 16, as lanes, with 2^31 in each.
    function _bias(uint256 spot) private pure returns (uint256 v) {
        assembly ("memory-safe") {
            v := xor(shr(128, mload(spot)), 0x80008000800080008000800080008000)
            v := and(or(v, shl(64, v)), 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff)
            v := and(or(v, shl(32, v)), 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
            v := and(or(v, shl(16, v)), 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
            v := sub(v, 0x0000800000008000000080000000800000008000000080000000800000008000)
            v := add(mul(v, 16), SIGNS)
        }
    }

    /// @dev Lanes with 2^31 in each, shifted down and clamped to a byte.
    function _clamp(uint256 acc, uint256 shift) private pure returns (uint256 lanes) {
        assembly ("memory-safe") {
            let top := shr(shift, SIGNS)
            lanes := and(shr(shift, acc), sub(shl(1, top), ONES))
            let positive := and(lanes, top)
            lanes := xor(lanes, positive)
            positive := mul(shr(sub(31, shift), positive), 255)
            let above := and(add(lanes, sub(top, shl(8, ONES))), top)
            above := mul(shr(sub(31, shift), above), 255)
            lanes := and(or(lanes, above), positive)
        }
    }

    /// @dev A layer that doubles the side: where it reads, its side, channels in, blocks of eight channels out, weights,
    /// biases, where it writes.
    struct Layer {
        uint256 source;
        uint256 side;
        uint256 channels;
        uint256 blocks;
        uint256 weights;
        uint256 biases;
        uint256 target;
    }

    /// @dev Double the side (each pixel becomes four), convolve 3 x 3, clamp. Doubling and convolving are one step of 2 x 2
    /// kernels, one kernel for each of the four places that a pixel can have among its four.
    function _up(Layer memory layer, uint256 kernels) private pure {
        uint256[4] memory start;
        uint256[4] memory acc;
        for (uint256 block_ = 0; block_ < layer.blocks; ++block_) {
            _fold(layer, kernels, block_);
            start[block_] = _bias(layer.biases + block_ * 16);
        }
        uint256 side = 2 * layer.side;
        uint256 target = layer.target + (side + 3) * layer.blocks * 32;
        for (uint256 y = 0; y < side; ++y) {
            for (uint256 x = 0; x < side; ++x) {
                assembly ("memory-safe") {
                    mcopy(acc, start, 128)
                }
                _pixel(layer, kernels, acc, x, y);
                _keep(acc, layer.blocks, target);
                target += layer.blocks * 32;
            }
            target += layer.blocks * 64; // the border
        }
    }

    /// @dev Add up one pixel of a layer that doubles the side.
    function _pixel(Layer memory layer, uint256 kernels, uint256[4] memory acc, uint256 x, uint256 y) private pure {
        uint256 step = layer.channels * 4;
        uint256 row = (layer.side + 2) * step;
        uint256 from = layer.source + ((y + 1) >> 1) * row + ((x + 1) >> 1) * step - 28;
        uint256 weights = kernels + (2 * (y & 1) + (x & 1)) * step * layer.blocks * 32;
        _taps4(from, row, step, weights, acc);
    }

    /// @dev Clamp what was added up, and write it.
    function _keep(uint256[4] memory acc, uint256 blocks, uint256 to) private pure {
        for (uint256 block_ = 0; block_ < blocks; ++block_) {
            uint256 lanes = _clamp(acc[block_], 8);
            assembly ("memory-safe") {
                mstore(add(to, mul(block_, 32)), lanes)
            }
        }
    }

    /// @dev The 2 x 2 kernels of a block of eight channels: for each place, each channel in, each tap, a word.
    function _fold(Layer memory layer, uint256 kernels, uint256 block_) private pure {
        uint256 width = layer.blocks * 32;
        uint256 place = layer.channels * 4 * width;
        uint256 tap = layer.channels * layer.blocks * 8;
        for (uint256 channel = 0; channel < layer.channels; ++channel) {
            uint256 from = layer.weights + channel * layer.blocks * 8 + block_ * 8;
            uint256 to = kernels + channel * 4 * width + block_ * 32;
            unchecked {
                uint256[9] memory k;
                for (uint256 i = 0; i < 9; ++i) k[i] = _eight(from + i * tap);
                _put(to, width, place, k[0], k[1], k[2]);
                _put(to + 2 * width, width, place, k[3] + k[6], k[4] + k[7], k[5] + k[8]);
                _put(to + 2 * place, width, place, k[0] + k[3], k[1] + k[4], k[2] + k[5]);
                _put(to + 2 * place + 2 * width, width, place, k[6], k[7], k[8]);
            }
        }
    }

    /// @dev Three columns as two, for both places in a row.
    function _put(uint256 to, uint256 width, uint256 place, uint256 a, uint256 b, uint256 c) private pure {
        assembly ("memory-safe") {
            mstore(to, a)
            mstore(add(to, width), add(b, c))
            mstore(add(to, place), add(a, b))
            mstore(add(add(to, place), width), c)
        }
    }

    /// @dev Four taps over all channels, 32 channels out. A channel that is zero costs nothing.
    function _taps4(uint256 from, uint256 row, uint256 step, uint256 weights, uint256[4] memory acc) private pure {
        assembly ("memory-safe") {
            let a := mload(acc)
            let b := mload(add(acc, 32))
            let c := mload(add(acc, 64))
            let d := mload(add(acc, 96))
            for { let end := add(from, step) } lt(from, end) { from := add(from, 4) } {
                let x := and(mload(from), 0xff)
                if x {
                    a := add(a, mul(x, mload(weights)))
                    b := add(b, mul(x, mload(add(weights, 32))))
                    c := add(c, mul(x, mload(add(weights, 64))))
                    d := add(d, mul(x, mload(add(weights, 96))))
                }
                x := and(mload(add(from, step)), 0xff)
                if x {
                    a := add(a, mul(x, mload(add(weights, 128))))
                    b := add(b, mul(x, mload(add(weights, 160))))
                    c := add(c, mul(x, mload(add(weights, 192))))
                    d := add(d, mul(x, mload(add(weights, 224))))
                }
                x := and(mload(add(from, row)), 0xff)
                if x {
                    a := add(a, mul(x, mload(add(weights, 256))))
                    b := add(b, mul(x, mload(add(weights, 288))))
                    c := add(c, mul(x, mload(add(weights, 320))))
                    d := add(d, mul(x, mload(add(weights, 352))))
                }
                x := and(mload(add(add(from, row), step)), 0xff)
                if x {
                    a := add(a, mul(x, mload(add(weights, 384))))
                    b := add(b, mul(x, mload(add(weights, 416))))
                    c := add(c, mul(x, mload(add(weights, 448))))
                    d := add(d, mul(x, mload(add(weights, 480))))
                }
                weights := add(weights, 512)
            }
            mstore(acc, a)
            mstore(add(acc, 32), b)
            mstore(add(acc, 64), c)
            mstore(add(acc, 96), d)
        }
    }

    /// @dev The last doubling, 16 x 16 x 32 to 32 x 32 x 24. Two pixels beside each other read the same four places, so
    /// they are added up together. The first and the last of a row lie outside, where nobody looks.
    function _upLast(Layer memory layer, uint256 kernels) private pure {
        uint256[6] memory start;
        uint256[6] memory acc;
        for (uint256 block_ = 0; block_ < 3; ++block_) {
            _fold(layer, kernels, block_);
            start[block_] = _bias(layer.biases + block_ * 16);
            start[block_ + 3] = start[block_];
        }
        for (uint256 y = 0; y < 32; ++y) {
            uint256 target = layer.target + (y + 1) * 34 * 96;
            uint256 from = layer.source + ((y + 1) >> 1) * 2304 - 28;
            for (uint256 end = from + 17 * 128; from < end; from += 128) {
                assembly ("memory-safe") {
                    mcopy(acc, start, 192)
                }
                _taps6(from, kernels + (y & 1) * 24_576, acc);
                for (uint256 i = 0; i < 6; ++i) {
                    uint256 lanes = _clamp(acc[i], 8);
                    assembly ("memory-safe") {
                        mstore(target, lanes)
                    }
                    target += 32;
                }
            }
        }
    }

    /// @dev Four taps over 32 channels for two pixels of 24 channels. The kernels of the right pixel come first, those of the
    /// left one 12,288 bytes behind.
    function _taps6(uint256 from, uint256 weights, uint256[6] memory acc) private pure {
        assembly ("memory-safe") {
            let a := mload(acc)
            let b := mload(add(acc, 32))
            let c := mload(add(acc, 64))
            let d := mload(add(acc, 96))
            let e := mload(add(acc, 128))
            let f := mload(add(acc, 160))
            for { let end := add(from, 128) } lt(from, end) { from := add(from, 4) } {
                let x := and(mload(from), 0xff)
                if x {
                    a := add(a, mul(x, mload(add(weights, 12288))))
                    b := add(b, mul(x, mload(add(weights, 12320))))
                    c := add(c, mul(x, mload(add(weights, 12352))))
                    d := add(d, mul(x, mload(weights)))
                    e := add(e, mul(x, mload(add(weights, 32))))
                    f := add(f, mul(x, mload(add(weights, 64))))
                }
                x := and(mload(add(from, 128)), 0xff)
                if x {
                    a := add(a, mul(x, mload(add(weights, 12384))))
                    b := add(b, mul(x, mload(add(weights, 12416))))
                    c := add(c, mul(x, mload(add(weights, 12448))))
                    d := add(d, mul(x, mload(add(weights, 96))))
                    e := add(e, mul(x, mload(add(weights, 128))))
                    f := add(f, mul(x, mload(add(weights, 160))))
                }
                x := and(mload(add(from, 2304)), 0xff)
                if x {
                    a := add(a, mul(x, mload(add(weights, 12480))))
                    b := add(b, mul(x, mload(add(weights, 12512))))
                    c := add(c, mul(x, mload(add(weights, 12544))))
                    d := add(d, mul(x, mload(add(weights, 192))))
                    e := add(e, mul(x, mload(add(weights, 224))))
                    f := add(f, mul(x, mload(add(weights, 256))))
                }
                x := and(mload(add(from, 2432)), 0xff)
                if x {
                    a := add(a, mul(x, mload(add(weights, 12576))))
                    b := add(b, mul(x, mload(add(weights, 12608))))
                    c := add(c, mul(x, mload(add(weights, 12640))))
                    d := add(d, mul(x, mload(add(weights, 288))))
                    e := add(e, mul(x, mload(add(weights, 320))))
                    f := add(f, mul(x, mload(add(weights, 352))))
                }
                weights := add(weights, 384)
            }
            mstore(acc, a)
            mstore(add(acc, 32), b)
            mstore(add(acc, 64), c)
            mstore(add(acc, 96), d)
            mstore(add(acc, 128), e)
            mstore(add(acc, 160), f)
        }
    }

    /// @dev The last layer: 24 channels to eight fields, the highest layer first. Signed lanes, nothing added.
    function _out(uint256 at32, uint256 model, uint256 weights, uint256 grid) private pure {
        uint256 start;
        unchecked {
            start = _bias(model + 47_104) - SIGNS;
        }
        for (uint256 channel = 0; channel < 24; ++channel) {
            uint256 eight = _eight(model + 46_912 + channel * 8);
            assembly ("memory-safe") {
                mstore(add(weights, mul(channel, 32)), eight)
            }
        }
        assembly ("memory-safe") {
            for { let y := 0 } lt(y, 32) { y := add(y, 1) } {
                let from := sub(add(at32, mul(add(mul(add(y, 1), 34), 1), 96)), 28)
                for { let end := add(from, mul(32, 96)) } lt(from, end) {} {
                    let acc := start
                    let w := weights
                    for { let last := add(from, 96) } lt(from, last) { from := add(from, 16) } {
                        acc := add(acc, mul(and(mload(from), 0xff), mload(w)))
                        acc := add(acc, mul(and(mload(add(from, 4)), 0xff), mload(add(w, 32))))
                        acc := add(acc, mul(and(mload(add(from, 8)), 0xff), mload(add(w, 64))))
                        acc := add(acc, mul(and(mload(add(from, 12)), 0xff), mload(add(w, 96))))
                        w := add(w, 128)
                    }
                    mstore(grid, acc)
                    grid := add(grid, 32)
                }
            }
        }
    }

    /// @dev The rows of a PNG: for each pixel the highest layer whose field is above zero there, in four bits. Between the
    /// grid's points a field is what lies on the straight lines between them.
    function _raster(uint256 grid, bool mirrored, bool upended) private pure returns (bytes memory rows) {
        rows = new bytes(SIDE * 65);
        uint256[32] memory line;
        bytes memory table = _table();
        for (uint256 y = 0; y < SIDE; ++y) {
            uint256 place = 2 * (upended ? SIDE - 1 - y : y) + 5;
            uint256 above = place / 8 == 0 ? 0 : place / 8 - 1;
            uint256 below = place / 8 == 32 ? 31 : place / 8;
            _between(grid + above * 1024, grid + below * 1024, place % 8, mirrored, line);
            _row(line, table, rows, y * 65 + 33);
        }
    }

    /// @dev Fields along a row, times 8.
    function _between(uint256 above, uint256 below, uint256 part, bool mirrored, uint256[32] memory line) private pure {
        assembly ("memory-safe") {
            let rest := sub(8, part)
            for { let i := 0 } lt(i, 1024) { i := add(i, 32) } {
                let spot := i
                if mirrored { spot := sub(992, i) }
                mstore(add(line, i), add(mul(rest, mload(add(above, spot))), mul(part, mload(add(below, spot)))))
            }
        }
    }

    /// @dev One row of pixels, two in a byte; `spot` is its place in `rows`, counted from their length's word.
    function _row(uint256[32] memory line, bytes memory table, bytes memory rows, uint256 spot) private pure {
        assembly ("memory-safe") {
            function seen(v, places) -> layer {
                v := shr(31, and(add(v, 0x7fffffff7fffffff7fffffff7fffffff7fffffff7fffffff7fffffff7fffffff), SIGNS))
                v := shr(248, mul(v, 0x0100000002000000040000000800000010000000200000004000000080000000))
                layer := byte(0, mload(add(places, v)))
            }
            let places := add(table, 32)
            let to := add(rows, spot)
            let a := mload(line)
            let pixel := seen(mul(8, a), places)
            mstore8(to, or(shl(4, pixel), pixel))
            for { let end := add(line, 992) } lt(line, end) {} {
                line := add(line, 32)
                let b := mload(line)
                let v := add(mul(7, a), b)
                let step := mul(2, sub(b, a))
                a := b
                pixel := seen(v, places)
                v := add(v, step)
                mstore8(add(to, 1), or(shl(4, pixel), seen(v, places)))
                v := add(v, step)
                pixel := seen(v, places)
                v := add(v, step)
                to := add(to, 2)
                mstore8(to, or(shl(4, pixel), seen(v, places)))
            }
            pixel := seen(mul(8, a), places)
            mstore8(add(to, 1), or(shl(4, pixel), pixel))
        }
    }

    /// @dev For each set of layers (a bit each) the number of the highest, from 1; zero for none.
    function _table() private pure returns (bytes memory table) {
        table = new bytes(256);
        assembly ("memory-safe") {
            let ones := 0x0101010101010101010101010101010101010101010101010101010101010101
            mstore(add(table, 32), 0x0001020203030303040404040404040405050505050505050505050505050505)
            mstore(add(table, 64), mul(6, ones))
            mstore(add(table, 96), mul(7, ones))
            mstore(add(table, 128), mul(7, ones))
            mstore(add(table, 160), mul(8, ones))
            mstore(add(table, 192), mul(8, ones))
            mstore(add(table, 224), mul(8, ones))
            mstore(add(table, 256), mul(8, ones))
        }
    }

    // The file

    /// @dev A PNG of colours and rows: one stored block, nothing is compressed.
    function _file(bytes memory colours, bytes memory rows) private pure returns (bytes memory) {
        uint256[256] memory table;
        for (uint256 i = 0; i < 256; ++i) {
            uint256 c = i;
            for (uint256 bit = 0; bit < 8; ++bit) c = c & 1 == 1 ? 0xEDB88320 ^ (c >> 1) : c >> 1;
            table[i] = c;
        }
        bytes memory stream = bytes.concat(
            hex"780101", _swapped(rows.length), _swapped(rows.length ^ 0xffff), rows, bytes4(_adler(rows))
        );
        bytes memory head = abi.encodePacked(uint32(SIDE), uint32(SIDE), hex"0403000000");
        return bytes.concat(
            hex"89504e470d0a1a0a",
            _chunk("IHDR", head, table),
            _chunk("PLTE", colours, table),
            _chunk("IDAT", stream, table),
            _chunk("IEND", "", table)
        );
    }

    /// @dev A number of 16 bits, its low byte first.
    function _swapped(uint256 value) private pure returns (bytes2) {
        return bytes2(uint16((value << 8) | (value >> 8)));
    }

    /// @dev One chunk of a PNG: its length, name, content, and checksum (CRC-32).
    function _chunk(bytes4 name, bytes memory content, uint256[256] memory table) private pure returns (bytes memory) {
        bytes memory named = bytes.concat(name, content);
        uint256 crc = 0xffffffff;
        assembly ("memory-safe") {
            let spot := sub(add(named, 1), 0)
            for { let end := add(spot, mload(named)) } lt(spot, end) { spot := add(spot, 1) } {
                crc := xor(mload(add(table, shl(5, and(xor(crc, mload(spot)), 0xff)))), shr(8, crc))
            }
        }
        return bytes.concat(bytes4(uint32(content.length)), named, bytes4(uint32(crc ^ 0xffffffff)));
    }

    /// @dev The stream's checksum (Adler-32).
    function _adler(bytes memory content) private pure returns (uint32) {
        uint256 a = 1;
        uint256 b = 0;
        assembly ("memory-safe") {
            let spot := add(content, 1)
            for { let end := add(spot, mload(content)) } lt(spot, end) { spot := add(spot, 1) } {
                a := add(a, and(mload(spot), 0xff))
                b := add(b, a)
            }
        }
        return uint32(((b % 65521) << 16) | (a % 65521));
    }

    /// @dev Bytes in base64. Twenty-four bytes at a time become thirty-two lanes of six bits, and these characters.
    function _base64(bytes memory raw) private pure returns (bytes memory text) {
        uint256 length = 4 * ((raw.length + 2) / 3);
        text = new bytes(length + 31); // the last word may reach beyond the end
        assembly ("memory-safe") {
            let ones := 0x0101010101010101010101010101010101010101010101010101010101010101
            let from := add(raw, 32)
            let to := add(text, 32)
            let end := add(from, mload(raw))
            for {} lt(from, end) { from := add(from, 24) to := add(to, 32) } {
                let v := shr(64, mload(from))
                if gt(add(from, 24), end) { v := and(v, shl(mul(8, sub(add(from, 24), end)), not(0))) }
                let low := and(v, 0x0000000000000000000000000000000000000000ffffffffffffffffffffffff)
                v := or(low, shl(32, xor(v, low)))
                low := and(v, 0x00000000000000000000ffffffffffff00000000000000000000ffffffffffff)
                v := or(low, shl(16, xor(v, low)))
                low := and(v, 0x0000000000ffffff0000000000ffffff0000000000ffffff0000000000ffffff)
                v := or(low, shl(8, xor(v, low)))
                low := and(v, 0x00000fff00000fff00000fff00000fff00000fff00000fff00000fff00000fff)
                v := or(low, shl(4, xor(v, low)))
                low := and(v, 0x003f003f003f003f003f003f003f003f003f003f003f003f003f003f003f003f)
                v := or(low, shl(2, xor(v, low)))
                let w := add(v, mul(65, ones))
                w := add(w, mul(6, and(shr(7, add(v, mul(102, ones))), ones)))
                w := sub(w, mul(75, and(shr(7, add(v, mul(76, ones))), ones)))
                w := sub(w, mul(15, and(shr(7, add(v, mul(66, ones))), ones)))
                w := add(w, mul(3, and(shr(7, add(v, mul(65, ones))), ones)))
                mstore(to, w)
            }
            mstore(text, length)
            to := add(add(text, 32), length)
            switch mod(mload(raw), 3)
            case 1 {
                mstore8(sub(to, 1), 61)
                mstore8(sub(to, 2), 61)
            }
            case 2 { mstore8(sub(to, 1), 61) }
        }
    }
}
