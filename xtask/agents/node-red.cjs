// Node-RED beside a broker, its rules a Map in a function node. Started by `cargo xtask bench`.
//
//     node-red.cjs HOST PORT RULES PEERS FOLDER
//
// RULES is a JSON file: "TOPIC#NUMBER" of an event -> [topic of the target, what is added to the event's value]. PEERS is the folder that has
// Node-RED in its node_modules; FOLDER is where it may write. There is no editor and no page.

const { readFileSync, writeFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { createServer } = require('node:http')
const { Socket } = require('node:net')
const { join } = require('node:path')

const [host, port, path, peers, folder] = process.argv.slice(2)
const RED = createRequire(join(peers, 'node_modules/'))('node-red')

// Its client leaves Nagle's algorithm on, which meets delayed acknowledgements at QoS 1: 48 ms for each event. Whoever else is measured has it off.
const connect = Socket.prototype.connect
Socket.prototype.connect = function (...where) {
  this.setNoDelay(true)
  return connect.apply(this, where)
}

const lookUp = `
const rule = global.get('rules').get(msg.topic + '#' + msg.payload.number)
if (rule === undefined) return null
return { topic: rule[0], payload: JSON.stringify({ angle: rule[1] + msg.payload.value }), qos: msg.qos }
`
const flow = [
  { id: 'house', type: 'tab', label: 'house' },
  { id: 'broker', type: 'mqtt-broker', broker: host, port, autoConnect: true, protocolVersion: '4', keepalive: '60', cleansession: true },
  { id: 'event', type: 'mqtt in', z: 'house', topic: 'iot/+/+/event', qos: '2', datatype: 'json', broker: 'broker', wires: [['rule']] },
  { id: 'rule', type: 'function', z: 'house', func: lookUp, outputs: 1, wires: [['target']] },
  { id: 'target', type: 'mqtt out', z: 'house', topic: '', qos: '', retain: 'false', broker: 'broker', wires: [] }
]
writeFileSync(join(folder, 'flow.json'), JSON.stringify(flow))

RED.init(createServer(), {
  userDir: folder,
  flowFile: 'flow.json',
  credentialSecret: false,
  httpAdminRoot: false,
  httpNodeRoot: false,
  telemetry: { enabled: false },
  functionGlobalContext: { rules: new Map(Object.entries(JSON.parse(readFileSync(path, 'utf8')))) },
  logging: { console: { level: 'warn' } }
})
RED.start()
