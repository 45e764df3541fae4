// EAS's own library as an oracle: one JSON question a line on standard input, one JSON answer a line.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { Wallet } from "ethers";

const sdk = createRequire(import.meta.url)("@ethereum-attestation-service/eas-sdk"); // its ES modules do not load in node
const { Offchain, OffchainAttestationVersion, SchemaEncoder, SchemaRegistry } = sdk;
const plain = (value) => JSON.stringify(value, (_, one) => (typeof one === "bigint" ? one.toString() : one));
const library = ({ address, version, chainId }) =>
  new Offchain({ address, version, chainId: BigInt(chainId) }, OffchainAttestationVersion.Version2, undefined);

const answers = {
  schema: ({ text }) => SchemaRegistry.getSchemaUID(text, "0x" + "00".repeat(20), true),
  encode: ({ text, fields }) => new SchemaEncoder(text).encodeData(fields),
  sign: async ({ key, place, message }) => library(place).signOffchainAttestation(message, new Wallet(key)),
  verify: ({ place, signer, sig }) => {
    try {
      return library(place).verifyOffchainAttestationSignature(signer, sig);
    } catch (error) {
      return `refused: ${error.constructor.name}`;
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  console.log(plain(await answers[question.ask](question)));
}
