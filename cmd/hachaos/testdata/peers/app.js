// The application of the peers: WORK_MS of processor time a request. Alone, or
// with CLUSTER workers in Node.js's cluster, which replaces those that die.
'use strict';
const cluster = require('node:cluster');
const http = require('node:http');

const work = Number(process.env.WORK_MS || 0);

if (process.env.CLUSTER && cluster.isPrimary) {
  let stopping = false;
  for (let i = 0; i < Number(process.env.CLUSTER); i++) cluster.fork();
  cluster.on('exit', () => stopping || cluster.fork());
  process.on('SIGTERM', () => {
    stopping = true;
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
    process.exit(0);
  });
} else {
  http
    .createServer((request, response) => {
      const end = process.cpuUsage();
      if (work) for (let used; (used = process.cpuUsage(end)), used.user + used.system < work * 1000; );
      response.setHeader('X-Worker', process.pid);
      response.end('hello\n');
    })
    .listen(Number(process.env.PORT), '127.0.0.1');
}
