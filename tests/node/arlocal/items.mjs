// What arbundles makes of data, tags and an Ethereum key. A line of JSON in: {"key": hex, "data": hex, "tags": [[name, value], ...]}; a line out: the item's id and bytes in hex.
import { createInterface } from 'node:readline'
import arbundles from 'arbundles'
import ethereum from 'arbundles/src/signing/chains/ethereumSigner.js'

const { createData } = arbundles
const EthereumSigner = ethereum.default
for await (const line of createInterface({ input: process.stdin })) {
  const { key, data, tags } = JSON.parse(line)
  const signer = new EthereumSigner(key)
  const item = createData(Buffer.from(data, 'hex'), signer, { tags: tags.map(([name, value]) => ({ name, value })) })
  await item.sign(signer)
  console.log(JSON.stringify({ id: item.id, bytes: item.getRaw().toString('hex'), valid: await item.isValid() }))
}
