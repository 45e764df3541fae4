// A tus server under the path of Pinata's uploads, on a free port of the loopback address. Uploads lie in the folder that is named first;
// the last answer names the root that is given second, as Pinata's does.
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const [directory, root] = process.argv.slice(2)
const server = new Server({
  path: '/v3/files',
  datastore: new FileStore({ directory }),
  onUploadFinish: async () => ({ headers: { 'upload-cid': root } })
})
const listening = server.listen({ host: '127.0.0.1', port: 0 }, () => console.log(listening.address().port))
