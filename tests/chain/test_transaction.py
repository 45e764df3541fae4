"What nodes say, and what is understood."

from pathlib import Path

import pytest
from eth_account import Account

from artmint.chain.transaction import ERROR_TABLE, WHAT_IS_DONE, classify_error
from artmint.chain.connect import connect
from artmint.chain.embedded import TransactionRefused
from artmint.chain.connect import NodeSilent

# Words as the nodes' sources have them; what stands for a value is filled in. go-ethereum core/txpool/errors.go, core/error.go, core/txpool/validation.go; Nethermind AcceptTxResult.cs (both spellings);
# Erigon txnprovider/txpool/txpoolcfg; Besu RpcErrorType.java; Reth crates/rpc/rpc-eth-types/src/error/mod.rs; Arbitrum Nitro's sequencer; foundry crates/anvil/src/eth/error.rs.
WORDS = {
    "known": [
        "already known",
        "ALREADY_EXISTS: already known",
        "Known transaction",
        "AlreadyKnown",
        "OwnNonceAlreadyUsed",
        "existing txn with same hash",
        "transaction already imported",
        "mined",
    ],
    "nonce used": [
        "nonce too low",
        "nonce too low: next nonce 5, tx nonce 4",
        "Nonce too low",
        "OldNonce, Current nonce: 5, nonce of rejected tx: 4",
        "nonce too low: address 0x11 current nonce (5) > tx nonce (4)",
        "invalid transaction nonce",
    ],
    "nonce ahead": [
        "nonce too high",
        "Nonce too high",
        "NonceGap, Future nonce. Expected nonce: 5",
        "Transaction nonce is too distant from current sender nonce",
        "An invalid transaction with a lower nonce exists",
    ],
    "rival": [
        "replacement transaction underpriced",
        "Replacement transaction underpriced",
        "INTERNAL_ERROR: could not replace existing tx",
        "ReplacementNotAllowed",
        "future transaction tries to replace pending",
        "Tx: [0x12] insufficient gas price to replace existing transaction",
        "replaced by transaction with higher tip",
    ],
    "too cheap": [
        "transaction underpriced",
        "transaction underpriced: gas tip cap 1, minimum needed 2",
        "underpriced",
        "fee too low",
        "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7",
        "FeeTooLowToCompete",
        "max fee per gas less than block base fee: address 0x11, maxFeePerGas: 1, baseFee: 7",
        "Gas price below configured minimum gas price",
        "Gas price below current base fee",
        "gas price too low",
    ],
    "no money": [
        "insufficient funds for gas * price + value: balance 10, tx cost 20, overshot 10",
        "insufficient funds for transfer",
        "Insufficient funds for gas * price + value",
        "insufficient funds",
        "InsufficientFunds, Account balance: 1, cumulative cost: 2",
        "Upfront cost exceeds account balance",
        "not enough funds for gas",
        "insufficient funds for gas * price + value: have 1 want 2",
    ],
    "busy": [
        "txpool is full",
        "pending sub-pool is full",
        "account limit exceeded",
        "queue full",
        "sequencer pending tx pool full, please try again",
        "Initial sync is still in progress",
        "rate limit exceeded",
        "daily request limit reached",
        "Your app has exceeded its compute units per second capacity.",
        "Too Many Requests",
    ],
    "other chain": [
        "invalid chain id for signer: have 5 want 1",
        "Wrong chainId",
        "invalid chain ID",
        "Incompatible EIP-155 transaction, signed for another chain",
    ],
    "never": [
        "intrinsic gas too low",
        "IntrinsicGas",
        "Intrinsic gas exceeds gas limit",
        "exceeds block gas limit",
        "Transaction gas limit exceeds block gas limit",
        "GasLimitExceeded, Gas limit: 1, gas limit of rejected tx: 2",
        "oversized data: transaction size 200000, limit 131072",
        "RLPTooLong",
        "invalid sender",
        "Invalid signature",
        "negative value",
        "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)",
        "max priority fee per gas higher than max fee per gas",
        "max initcode size exceeded",
        "sender not an eoa",
        "SenderIsContract",
    ],
    "not there yet": [
        "header not found",
        "block not found: 0x10",
        "unknown block",
        "Block not found",
        "BlockOutOfRangeError: block height is 3 but requested was 4",
        "block range extends beyond current head block",
        "cannot query unfinalized data",
    ],
    "pruned": [
        "missing trie node 8f2a (path ) state 0x8f2a is not available",
        "required historical state unavailable (reexec=128)",
        "distance to target block exceeds maximum proof window",
        "World state unavailable",
        "state at block #100 is pruned",
    ],
    "range": [
        "query returned more than 10000 results",
        "You can make eth_getLogs requests with up to a 10 block range.",
        "eth_getLogs is limited to a 10,000 blocks range",
        "block range is too wide",
        "logs matched by query exceeds limit of 10000",
        "Log response size exceeded.",
    ],
    "indexing": ["transaction indexing is in progress"],
    "reverts": [
        "execution reverted",
        "VM execution error.",
        "always failing transaction",
        "gas required exceeds allowance (30000000)",
    ],
    "no such method": [
        "the method eth_feeHistory does not exist/is not available",
        "Method eth_maxPriorityFeePerGas not found",
        "Unsupported method: eth_getProof",
    ],
    "unknown": [
        "",
        "the moon is full",
        "Internal error",
        "method handler crashed",
    ],
}


@pytest.mark.parametrize("means, words", [(means, words) for means, each in WORDS.items() for words in each])
def test_words_of_nodes(means, words):
    assert classify_error(words) == means


def test_every_row_is_tested():
    assert {row[0] for row in ERROR_TABLE} == set(WORDS) - {"unknown"}


def test_about_every_meaning_something_is_done_and_the_page_says_what():
    "The table in docs/faults.md is the one that is said to whoever waits."
    assert {row[0] for row in ERROR_TABLE} <= set(WHAT_IS_DONE)
    page = (Path(__file__).resolve().parents[2] / "docs/faults.md").read_text()
    assert [
        meaning for meaning, done in WHAT_IS_DONE.items() if f"| `{meaning}` | {done} |" not in page
    ] == []


def test_no_answer_is_no_answer():
    assert [classify_error(each) for each in (NodeSilent("a", "b"), ConnectionError(), TimeoutError())] == [
        "silent"
    ] * 3
    assert classify_error(RuntimeError("https://node.example/canary-key")) == "unknown"


def answers(web3, send, fund):
    "What a chain says to a transaction that is wrong in one way each."
    account = Account.create()
    fund(account.address)
    right = {
        "chainId": 31337,
        "to": "0x" + "11" * 20,
        "value": 0,
        "gas": 21000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
        "nonce": 0,
    }

    def answer(**wrong):
        try:
            send(account.sign_transaction({**right, **wrong}).raw_transaction)
        except Exception as error:
            return classify_error(error)
        return "taken"

    return answer


@pytest.mark.slow
def test_what_anvil_says(start_anvil):
    node = start_anvil()
    web3 = connect(node.url, None)
    answer = answers(web3, web3.eth.send_raw_transaction, node.fund)
    node("evm_setAutomine", False)
    assert [
        answer(),
        answer(),
        answer(to="0x" + "12" * 20),
        answer(nonce=1, maxFeePerGas=1, maxPriorityFeePerGas=1),
    ] == ["taken", "known", "rival", "too cheap"]
    node("evm_mine")
    assert [
        answer(),
        answer(nonce=1, chainId=5),
        answer(nonce=1, gas=1000),
        answer(nonce=1, gas=10**9),
        answer(nonce=1, value=10**30),
    ] == ["nonce used", "other chain", "never", "never", "no money"]


def test_what_py_evm_says(tmp_path):
    web3 = connect("embedded", tmp_path)
    answer = answers(
        web3, web3.eth.send_raw_transaction, lambda address: web3.provider.chain.fund(address, 10**9)
    )
    wrong = [
        {},
        {},
        {"maxFeePerGas": 1, "maxPriorityFeePerGas": 1, "nonce": 1},
        {"nonce": 1, "chainId": 5},
        {"nonce": 1, "gas": 1000},
        {"nonce": 1, "value": 10**30},
    ]
    meanings = ["taken", "nonce used", "too cheap", "other chain", "never", "no money"]
    assert [answer(**fields) for fields in wrong] == meanings
    with pytest.raises(TransactionRefused):
        web3.eth.send_raw_transaction("0x02")
