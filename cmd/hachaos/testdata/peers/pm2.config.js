// Four workers of the application under PM2, in its cluster mode.
module.exports = {
  apps: [{ name: 'app', script: `${__dirname}/app.js`, instances: 4, exec_mode: 'cluster', env: { PORT: process.env.PORT, WORK_MS: process.env.WORK_MS } }],
};
