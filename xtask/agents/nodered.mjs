// Node-RED itself beside the dispatcher: its stock MQTT nodes log in as a tool, show a press and ask for a target.
//
// Run by `cargo xtask nodered` with the dispatcher's binary, the folder in which Node-RED is installed, and one for this run. Takes the
// flow of examples/node-red.json as it stands; only the port and the login are put in. Ends with 1 where something is not as it has to be.

import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const [binary, peers, folder, examples] = process.argv.slice(2);
const PATIENCE_MS = 90_000;
const house = join(folder, "house");
const state = join(folder, "state");
const children = [];

function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function start(command, args, env) {
  const child = spawn(command, args, { env: { ...process.env, ...env } });
  children.push(child);
  const said = { text: "" };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes) => (said.text += bytes));
  }
  return said;
}

function ask(...words) {
  return execFileSync(binary, [...words, "--state", state], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

async function until(what, is, said) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    try {
      if (is()) return console.log(`${what}: yes`);
    } catch {
      // Not there yet.
    }
    await pause(200);
  }
  throw new Error(`${what}: no\n${said.text}`);
}

async function check() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(examples, "piano-house"), house, { recursive: true });
  const port = await freePort();
  const dispatcher = start(binary, ["run", house, "--simulate", "--state", state], {
    IOT_CONTROL__MQTT__LISTEN: `127.0.0.1:${port}`,
    IOT_CONTROL__WEB__LISTEN: "127.0.0.1:0",
  });
  await until("the dispatcher runs", () => dispatcher.text.includes("ready in"), dispatcher);
  const password = ask("user", "add", "node-red", "--tool").trim();

  const flow = JSON.parse(readFileSync(join(examples, "node-red.json"), "utf8"));
  const run = join(folder, "node-red");
  mkdirSync(run);
  for (const node of flow.filter((node) => node.type === "mqtt-broker")) {
    node.port = String(port);
    const login = { user: "node-red", password };
    writeFileSync(join(run, "flows_cred.json"), JSON.stringify({ [node.id]: login }));
  }
  writeFileSync(join(run, "flows.json"), JSON.stringify(flow));
  writeFileSync(join(run, "settings.js"), `module.exports = { uiHost: "127.0.0.1", uiPort: ${await freePort()}, flowFile: "flows.json", credentialSecret: false, httpAdminRoot: false };`);
  const red = start(process.execPath, [join(peers, "node_modules/node-red/red.js"), "--userDir", run], {});
  await until("Node-RED connects", () => red.text.includes("Connected to broker"), red);

  const desk = () => JSON.parse(ask("device", "show", "desk", "--json")).channels.lamp.target;
  ask("press", "piano.keys", "press", "key=50");
  await until("a press is shown", () => /key:?\s*50/.test(red.text), red);
  await until("its wish is the lamp's target", () => desk().brightness === 40 && desk().on === true, dispatcher);
  const why = ask("why", "desk.lamp");
  if (!why.includes("node-red")) throw new Error(`who asked is told: ${why}`);
  console.log("who asked is told: yes");
}

try {
  await check();
} catch (error) {
  console.error(error.message ?? error);
  process.exitCode = 1;
} finally {
  for (const child of children) child.kill();
}
