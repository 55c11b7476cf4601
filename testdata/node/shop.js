// A shop that asks an external API for every request. It is told where that is by
// PAY_URL, which must be what the scenario's template says (the first argument).
const http = require('node:http');

const pay = process.env.PAY_URL;
if (!pay || pay !== process.argv[2]) {
  console.error(`PAY_URL is ${pay}, the template says ${process.argv[2]}`);
  process.exit(1);
}

http.createServer((request, response) => {
  http.get(pay, { agent: false }, (answer) => {
    answer.resume();
    answer.on('end', () => response.end('paid\n'));
  }).on('error', () => {
    response.writeHead(502).end('the payments fail\n');
  });
}).listen(process.env.PORT, '127.0.0.1');
