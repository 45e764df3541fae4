// Buys a listing with Seaport's own library: node address, buyer's key, Seaport's address; the listing on standard input.
import { readFileSync } from "node:fs";
import { JsonRpcProvider, NonceManager, Wallet } from "ethers";
import { Seaport } from "@opensea/seaport-js";

const [url, key, contractAddress] = process.argv.slice(2);
const provider = new JsonRpcProvider(url, undefined, { cacheTimeout: -1 });
const buyer = new NonceManager(new Wallet(key, provider));
const seaport = new Seaport(buyer, { overrides: { contractAddress } });
const order = JSON.parse(readFileSync(0, "utf8"));
const { executeAllActions } = await seaport.fulfillOrder({ order });
await (await executeAllActions()).wait();
console.log(seaport.getOrderHash(order.parameters));
provider.destroy();
