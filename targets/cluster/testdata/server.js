// An HTTP server as any other: it listens where its environment says, tells who
// it is, and finishes what it has when it is asked to end.
const http = require('http')
const server = http.createServer((request, response) => {
  response.setHeader('X-Worker', process.pid)
  if (request.url === '/hang') for (;;) ;
  if (request.url === '/error') response.statusCode = 500
  response.end(`instance ${process.env.INSTANCE_ID}\n`)
})
if (!process.env.HACHAOS) throw new Error('HACHAOS does not say where hachaos is')
if (process.env.LISTEN_FDS) {
  if (process.env.LISTEN_PID !== String(process.pid)) throw new Error('LISTEN_PID is of another process')
  server.listen({fd: 3})
} else {
  server.listen(process.env.PORT, '127.0.0.1')
}
process.on('SIGTERM', () => server.close(() => process.exit(0)))
