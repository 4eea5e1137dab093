// A broker and its rules in one process of Node.js: aedes and a Map. Started by `cargo xtask bench`.
//
//     aedes.mjs HOST PORT RULES PEERS
//
// RULES is a JSON file: "TOPIC#NUMBER" of an event -> [topic of the target, what is added to the event's value]. PEERS is the folder that has
// aedes in its node_modules.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [host, port, path, peers] = process.argv.slice(2)
const { Aedes } = await import(pathToFileURL(join(peers, 'node_modules/aedes/aedes.js')))

const rules = new Map(Object.entries(JSON.parse(readFileSync(path, 'utf8'))))
// With a bound its queue of messages is emptied by recursion, and a full load overflows the stack.
const aedes = await Aedes.createBroker({ concurrency: 0 })

aedes.on('publish', (packet, client) => {
  if (client === null) return // its own
  const event = JSON.parse(packet.payload)
  const rule = rules.get(`${packet.topic}#${event.number}`)
  if (rule === undefined) return
  const [topic, base] = rule
  const payload = JSON.stringify({ angle: base + event.value })
  aedes.publish({ cmd: 'publish', topic, payload, qos: packet.qos, retain: false }, () => {})
})

createServer((socket) => {
  socket.setNoDelay(true)
  aedes.handle(socket)
}).listen(Number(port), host)
