// Taplo's language server, the one inside of Even Better TOML, between standard input and output.
// NODE_PATH says where @taplo/lsp is. It reads files, and nothing else of the machine.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { TaploLsp } = require("@taplo/lsp");

const environment = {
  cwd: () => process.cwd(),
  envVar: () => undefined,
  envVars: () => [],
  findConfigFile: () => undefined,
  glob: () => [],
  isAbsolute: (file) => path.isAbsolute(file),
  now: () => new Date(),
  readFile: (file) => fs.promises.readFile(file),
  writeFile: async () => {},
  stderr: process.stderr,
  stdErrAtty: () => false,
  stdin: process.stdin,
  stdout: process.stdout,
  urlToFilePath: (url) => decodeURIComponent(url).slice("file://".length),
  fetch: { fetch, Headers, Request, Response },
};

function send(message) {
  const body = Buffer.from(JSON.stringify(message));
  process.stdout.write(`Content-Length: ${body.length}\r\n\r\n`);
  process.stdout.write(body);
}

async function main() {
  const server = await TaploLsp.initialize(environment, { onMessage: send });
  let waiting = Buffer.alloc(0);
  process.stdin.on("data", (bytes) => {
    waiting = Buffer.concat([waiting, bytes]);
    for (;;) {
      const end = waiting.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(waiting.subarray(0, end).toString())[1]);
      if (waiting.length < end + 4 + length) return;
      const message = JSON.parse(waiting.subarray(end + 4, end + 4 + length).toString());
      waiting = waiting.subarray(end + 4 + length);
      if (message.method === "exit") process.exit(0);
      server.send(message);
    }
  });
  process.stdin.on("end", () => process.exit(0));
}

process.on("unhandledRejection", (reason) => {
  console.error(reason);
  process.exit(1);
});
main();
