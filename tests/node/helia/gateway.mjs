// A trustless gateway over Helia: the archives that are named as arguments, served on a free port of the loopback address.
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { car } from '@helia/car'
import { CarReader } from '@ipld/car'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'

const helia = await createHeliaLight()
for (const path of process.argv.slice(2)) await car(helia).import(await CarReader.fromIterable(createReadStream(path)))

createServer(async (request, response) => {
  const url = new URL(request.url, 'http://gateway')
  const cid = CID.parse(url.pathname.split('/')[2])
  if (!await helia.blockstore.has(cid)) return response.writeHead(404).end()
  response.setHeader('Content-Type', `application/vnd.ipld.${url.searchParams.get('format')}`)
  for await (const piece of car(helia).export(cid)) response.write(piece)
  response.end()
}).listen(0, '127.0.0.1', function () { console.log(this.address().port) })
