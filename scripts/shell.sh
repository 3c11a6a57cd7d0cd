# Sourced by the scripts of this folder: where things are, how steps are shown, which compiler builds for the browser.
# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WASM_TARGET=wasm32-unknown-unknown
MINIMUM_RUST=1.95

# rustup puts cargo here; a shell that was open before the installation does not know it yet.
case ":$PATH:" in
  *:"${CARGO_HOME:-$HOME/.cargo}/bin":*) ;;
  *) PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" ;;
esac
# Debian keeps slapd and policy-rc.d here, outside the PATH of an ordinary user.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export PATH

if [ -t 1 ]; then BOLD=$'\e[1m' PLAIN=$'\e[0m'; else BOLD='' PLAIN=''; fi

say() { printf '%s==> %s%s\n' "$BOLD" "$*" "$PLAIN"; }
note() { printf '    %s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# step DESCRIPTION COMMAND…: says what is done, does it, says how long it took.
# Not for use in a condition: there bash switches off the stop at the first error inside the command.
step() {
  local what=$1 started=$SECONDS
  shift
  say "$what"
  "$@"
  note "done in $((SECONDS - started)) s"
}

# The folder Cargo builds into, absolute, whether it is set by the environment, by a configuration file, or not at all.
target_dir() {
  local dir
  dir=$(cd "$ROOT" && cargo metadata --no-deps --offline --format-version 1 2>/dev/null | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
  if [ -n "$dir" ]; then printf '%s\n' "$dir"; else printf '%s\n' "${CARGO_TARGET_DIR:-$ROOT/target}"; fi
}

# can_build_wasm RUSTC…: whether this compiler has the standard library of the browser's target.
can_build_wasm() {
  local probe result=0
  probe=$(mktemp -d)
  echo 'pub fn probe() -> String { String::new() }' |
    "$@" - --crate-name probe --crate-type lib --target "$WASM_TARGET" --emit metadata -o "$probe/probe.rmeta" >/dev/null 2>&1 || result=1
  rm -rf "$probe"
  return $result
}

# Debian's linkers carry their version in the name.
debian_wasm_linker() {
  local linker
  for linker in wasm-ld-19 wasm-ld-2{2,1,0} wasm-ld wasm-ld-1{8,7,6}; do
    if has "$linker"; then command -v "$linker"; return; fi
  done
  return 1
}

# Which toolchain builds for the browser: `rustup` (the default one), `debian` (the packages), or nothing and a failure.
wasm_route() {
  if has rustc && can_build_wasm rustc; then echo rustup
  elif [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && debian_wasm_linker >/dev/null && can_build_wasm /usr/bin/rustc; then echo debian
  else return 1
  fi
}

# wasm_cargo ARGUMENT…: runs Cargo with the toolchain that builds for the browser.
wasm_cargo() {
  case $(wasm_route) in
    rustup) cargo "$@" ;;
    debian)
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=${CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER:-$(debian_wasm_linker)} \
        RUSTC=/usr/bin/rustc PATH="/usr/bin:$PATH" /usr/bin/cargo "$@"
      ;;
    *) die "no compiler for $WASM_TARGET: run scripts/setup run" ;;
  esac
}

# The newest PostgreSQL on this machine that is new enough for us, as the folder of its programs.
postgres_programs() {
  local dir version
  for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5 -rn) "$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/initdb)")"; do
    [ -x "$dir/initdb" ] || continue
    version=$("$dir/initdb" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    if [ "$version" -ge 15 ]; then printf '%s\n' "$dir"; return; fi
  done
  return 1
}

# A browser of the Chromium family, as Playwright is to start it.
chromium_program() {
  local name
  if [ -n "${RONDO_CHROMIUM:-}" ]; then printf '%s\n' "$RONDO_CHROMIUM"; return; fi
  for name in chromium chromium-browser google-chrome-stable google-chrome chrome \
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome' /Applications/Chromium.app/Contents/MacOS/Chromium; do
    if has "$name"; then command -v "$name"; return; fi
  done
  return 1
}
