// Roots of trees, by npm's importer. Lines of JSON in: {"files": [[path, offset, size], ...]}, cut from the file that is named as argument. Lines of text out.
import { openSync, readSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { BlackHoleBlockstore } from 'blockstore-core/black-hole'
import { importer } from 'ipfs-unixfs-importer'

const source = openSync(process.argv[2])
async function * bytes (offset, size) {
  for (let at = 0; at < size; at += 1 << 20) {
    const piece = new Uint8Array(Math.min(1 << 20, size - at))
    readSync(source, piece, 0, piece.length, offset + at)
    yield piece
  }
}
for await (const line of createInterface({ input: process.stdin })) {
  const entries = JSON.parse(line).files.map(([path, offset, size]) => size === null ? { path } : { path, content: bytes(offset, size) })
  let root
  for await (const entry of importer(entries, new BlackHoleBlockstore(), { profile: 'unixfs-v1-2025', wrapWithDirectory: true })) root = entry
  console.log(root.cid.toString())
}
