// An MQTT 5 client on MQTT.js: takes orders on stdin, tells what happens on stdout, JSON by the line.
"use strict";

const mqtt = require("mqtt");
const fs = require("node:fs");
const readline = require("node:readline");

const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

function connect(order) {
  const options = {
    host: "127.0.0.1",
    port: order.port,
    protocol: order.scheme,
    clientId: order.id,
    protocolVersion: 5,
    reconnectPeriod: 0,
    clean: true,
    keepalive: 30,
  };
  if (order.ca !== null) options.ca = fs.readFileSync(order.ca);
  if (order.user !== null) {
    options.username = order.user;
    options.password = order.password;
  }
  if (order.will) {
    options.will = { topic: order.will.topic, payload: Buffer.from(order.will.payload), qos: 1, retain: true };
  }
  const client = mqtt.connect(options);
  const granted = [];
  client.on("packetreceive", (packet) => {
    if (packet.cmd === "connack") {
      const code = packet.reasonCode ?? packet.returnCode ?? 0;
      if (code !== 0) return tell({ said: "refused", code });
      tell({ said: "connected" });
    } else if (packet.cmd === "suback") {
      granted.push(...packet.granted);
      if (granted.length === order.filters.length) tell({ said: "subscribed", codes: granted });
    } else if (packet.cmd === "puback") {
      tell({ said: "published", code: packet.reasonCode ?? 0 });
    }
  });
  client.on("connect", () => {
    for (const filter of order.filters) client.subscribe(filter, { qos: 1 }, () => {});
  });
  client.on("message", (topic, payload, packet) => {
    tell({ said: "message", topic, payload: payload.toString("hex"), retain: packet.retain, qos: packet.qos });
  });
  client.on("error", () => {});
  client.on("close", () => tell({ said: "lost" }));
  return client;
}

let client = null;
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  if (order.do === "connect") {
    client = connect(order);
  } else if (order.do === "publish") {
    const options = { qos: order.qos, retain: order.retain };
    client.publish(order.topic, Buffer.from(order.payload, "hex"), options, () => {});
  } else {
    client.end(false, {}, () => process.exit(0));
  }
});
