#!/usr/bin/env bash
# behind.sh nginx|haproxy PORT WORKER...: starts four workers on ports of their
# own (PORT+1 to PORT+4), each again when it ends, and the balancer before them.
# A worker is told its port as PORT, and as PORT in its arguments. nginx is not to
# pass over a worker for 10 s after one failure, its default: it would have no
# worker left after four kills.
set -uo pipefail
kind=$1 port=$2
shift 2
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$dir"' EXIT
trap 'exit 0' TERM INT
for i in 1 2 3 4; do
  (
    trap 'kill $child; exit' TERM
    while :; do
      PORT=$((port + i)) "${@//PORT/$((port + i))}" >/dev/null 2>&1 &
      child=$!
      wait "$child"
    done
  ) &
done
case $kind in
nginx)
  cat >"$dir/conf" <<CONF
daemon off; worker_processes 1; pid $dir/pid; error_log /dev/null;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path $dir; proxy_temp_path $dir; fastcgi_temp_path $dir; uwsgi_temp_path $dir; scgi_temp_path $dir;
  upstream workers { least_conn; keepalive 64;
$(for i in 1 2 3 4; do echo "server 127.0.0.1:$((port + i)) max_fails=0;"; done)
  }
  server { listen 127.0.0.1:$port; location / { proxy_pass http://workers; proxy_http_version 1.1; proxy_set_header Connection ""; } }
}
CONF
  nginx -p "$dir" -c "$dir/conf" &
  ;;
haproxy)
  cat >"$dir/conf" <<CONF
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 1s
  retries 3
  option redispatch
frontend f
  bind 127.0.0.1:$port
  default_backend workers
backend workers
  balance leastconn
  option httpchk GET /
  http-reuse always
$(for i in 1 2 3 4; do echo "  server w$i 127.0.0.1:$((port + i)) check inter 2s"; done)
CONF
  haproxy -f "$dir/conf" &
  ;;
esac
wait $!
