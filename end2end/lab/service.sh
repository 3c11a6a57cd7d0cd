# Sourced by the start scripts of the lab: ports, certificates, processes. Everything listens on the loopback only.
# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
set -euo pipefail

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

fail() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

# A loopback port that nobody listens on, and that no other service gets that is started at the same time (LAB_PORTS: a folder of
# those that were given out).
free_port() {
  local port
  while true; do
    port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
    if [ -z "${LAB_PORTS:-}" ] || mkdir "$LAB_PORTS/$port" 2>/dev/null; then break; fi
  done
  printf '%s\n' "$port"
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

must_be_free() {
  local port
  for port in "$@"; do if answers "$port"; then fail "port $port on 127.0.0.1 is in use; stop what listens there, or choose another (end2end/lab/README.md)"; fi; done
}

# wait_until SECONDS WHAT LOG COMMAND…: until the command succeeds, or fails with the end of the log.
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2 log=$3
  shift 3
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $deadline ]; then tail -n 20 "$log" >&2 || true; fail "$what did not answer; see $log"; fi
    sleep 0.05
  done
}

# certificates DIR: an authority of our own (ca.pem) and a certificate for the loopback (cert.pem, key.pem). Those that
# are there and still valid for a day are kept: connections configured with them go on working.
certificates() {
  local dir=$1
  if openssl x509 -checkend 86400 -noout -in "$dir/cert.pem" >/dev/null 2>&1; then return; fi
  mkdir -p "$dir"
  {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj '/CN=Rondo lab authority' \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
      -keyout "$dir/ca-key.pem" -out "$dir/ca.pem"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout "$dir/key.pem" -out "$dir/request.pem"
    printf '%s\n' 'subjectAltName=DNS:localhost,IP:127.0.0.1' 'extendedKeyUsage=serverAuth' 'basicConstraints=CA:FALSE' > "$dir/extensions"
    openssl x509 -req -in "$dir/request.pem" -CA "$dir/ca.pem" -CAkey "$dir/ca-key.pem" -CAcreateserial -days 30 -extfile "$dir/extensions" -out "$dir/cert.pem"
  } 2> "$dir/log" || { cat "$dir/log" >&2; fail "openssl could not make certificates"; }
}

# stop_process PID [SIGNAL]: ends it and waits until it is gone.
stop_process() {
  local tries=0
  kill "-${2:-TERM}" "$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null; do
    tries=$((tries + 1))
    if [ $tries -eq 200 ]; then kill -KILL "$1" 2>/dev/null || true; fi
    if [ $tries -gt 240 ]; then return; fi
    sleep 0.05
  done
}

# stop_service DIR: ends what a start script began in DIR.
stop_service() {
  [ -f "$1/pid" ] || return 0
  stop_process "$(cat "$1/pid")" "$(cat "$1/signal" 2>/dev/null || echo TERM)"
  rm -f "$1/pid"
  if [ -x "$1/remove" ]; then "$1/remove"; fi
}

# export_setting FILE NAME VALUE: a line that a shell can source. No value here contains a quote.
export_setting() { printf "export %s='%s'\n" "$2" "$3" >> "$1"; }

# The password of a service: new at every start, unless LAB_PASSWORD says which.
service_password() { printf '%s\n' "${LAB_PASSWORD:-$(openssl rand -hex 12)}"; }
