// A bundler over arlocal, with Turbo's calls: POST /tx/ethereum takes a data item, which arbundles checks, bundles and sends on; GET /price/bytes/N asks the node.
// Arguments: arlocal's port, and a wallet's file, which is made when missing. Listens on a free port of the loopback address and prints it.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import arbundles from 'arbundles'
import Arweave from 'arweave'

const { DataItem, bundleAndSignData, signers: { ArweaveSigner } } = arbundles
const [port, wallet] = process.argv.slice(2)
const arweave = (Arweave.init ? Arweave : Arweave.default).init({ host: '127.0.0.1', port, protocol: 'http' })
if (!existsSync(wallet)) writeFileSync(wallet, JSON.stringify(await arweave.wallets.generate()))
const key = JSON.parse(readFileSync(wallet))
const local = `http://127.0.0.1:${port}`
await fetch(`${local}/mint/${await arweave.wallets.jwkToAddress(key)}/1000000000000000000`)

async function take (bytes) {
  const item = new DataItem(bytes)
  if (item.signatureType !== 3 || !await item.isValid()) throw new Error('this item is not valid')
  item._id = createHash('sha256').update(item.rawSignature).digest() // or arbundles would sign it again
  const bundle = await bundleAndSignData([item], new ArweaveSigner(key))
  const transaction = await arweave.createTransaction({ data: bundle.getRaw() }, key)
  transaction.addTag('Bundle-Format', 'binary')
  transaction.addTag('Bundle-Version', '2.0.0')
  await arweave.transactions.sign(transaction, key)
  const uploader = await arweave.transactions.getUploader(transaction)
  while (!uploader.isComplete) await uploader.uploadChunk()
  await fetch(`${local}/mine`)
  return { id: item.id, owner: item.owner, tags: item.tags }
}

createServer(async (request, response) => {
  const parts = []
  for await (const part of request) parts.push(part)
  try {
    if (request.url.startsWith('/price/bytes/')) {
      const winc = await (await fetch(`${local}/price/${request.url.split('/')[3]}`)).text()
      response.end(JSON.stringify({ winc, adjustments: [] }))
    } else if (request.method === 'POST' && request.url === '/tx/ethereum') response.end(JSON.stringify(await take(Buffer.concat(parts))))
    else response.writeHead(404).end('there is no such call')
  } catch (error) {
    response.writeHead(400).end(JSON.stringify({ error: String(error.message) }))
  }
}).listen(0, '127.0.0.1', function () { console.log(this.address().port) })
