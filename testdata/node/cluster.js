// A Node.js cluster as its users write it: workers that answer HTTP, a new one
// for each that crashes, and on SIGUSR2 a rolling reload in which each new
// worker listens before the old one is let go.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');

const port = Number(process.env.PORT);
const workers = Number(process.env.WORKERS || 2);

if (cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork();

  cluster.on('exit', (worker, code, signal) => {
    if (worker.exitedAfterDisconnect || stopping) return;
    console.log(`worker ${worker.process.pid} ended (${signal || code}), starting another`);
    cluster.fork();
  });

  process.on('SIGUSR2', () => {
    const old = Object.values(cluster.workers);
    const next = () => {
      const worker = old.shift();
      if (!worker) return;
      if (!worker.isConnected()) return next();
      cluster.fork().once('listening', () => {
        worker.once('exit', next);
        worker.disconnect();
      });
    };
    next();
  });

  let stopping = false;
  process.on('SIGTERM', () => {
    stopping = true;
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
    cluster.disconnect(() => process.exit(0));
  });
} else {
  http
    .createServer((request, response) => {
      response.setHeader('X-Worker', process.pid);
      response.end(`worker ${process.pid}\n`);
    })
    .listen(port, '127.0.0.1');
}
