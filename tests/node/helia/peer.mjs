// A Helia node that gives archives over bitswap: those that are named as arguments, to whoever connects on the loopback address.
import { createReadStream } from 'node:fs'
import { withBitswap } from '@helia/bitswap'
import { car } from '@helia/car'
import { withLibp2pLight } from '@helia/libp2p'
import { CarReader } from '@ipld/car'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createHeliaLight } from 'helia'

const libp2p = {
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() }
}
const helia = await withBitswap(withLibp2pLight(createHeliaLight(), libp2p)).start()
for (const path of process.argv.slice(2)) await car(helia).import(await CarReader.fromIterable(createReadStream(path)))
console.log(helia.libp2p.getMultiaddrs()[0].toString())
