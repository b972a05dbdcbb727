#!/usr/bin/env bash
# The main job in a minute: a folder of CSV files becomes a SQLite database, the CSV side changes, trueup says exactly
# what differs, makes the two agree again, and proves it.
#
# Works on a copy in a temporary folder and leaves nothing behind. TRUEUP_BIN may name a trueup that is built already.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

if [ -z "${TRUEUP_BIN:-}" ]; then
    if ! command -v cargo >/dev/null && [ -r "$HOME/.cargo/env" ]; then
        # shellcheck disable=SC1091
        . "$HOME/.cargo/env"
    fi
    "$here/../../test" --compiler
    echo "Building trueup (the first time takes a few minutes) ..."
    cargo build --release --quiet --locked -p trueup --manifest-path "$here/../../Cargo.toml"
    TRUEUP_BIN="${CARGO_TARGET_DIR:-$here/../../target}/release/trueup"
fi
TRUEUP_BIN="$(realpath "$TRUEUP_BIN")"

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cp -R "$here/shop" "$scratch/shop"
cd "$scratch"

say() { printf '\n# %s\n' "$*"; }

# Shows a command, runs it (without progress, with a state file of its own), and insists on the exit code that the command line promises.
run() {
    local expected=$1 code=0
    shift
    printf '$ trueup %s\n' "$*"
    "$TRUEUP_BIN" "$@" --state state.db --quiet || code=$?
    if [ "$code" -ne "$expected" ]; then
        printf '\nexpected exit code %s, got %s\n' "$expected" "$code" >&2
        exit 1
    fi
}

keys=(--key customers=id --key orders=id)

say "1. A folder of CSV files into a SQLite database that does not exist yet"
run 0 sync csv:shop sqlite:shop.db "${keys[@]}"

say "2. Someone edits the CSV side: a price changes, an order is added"
sed -i.before 's/^1003,2,2024-03-02,Desk chair,1,189.00/1003,2,2024-03-02,Desk chair,1,179.00/' shop/orders.csv
echo '1025,5,2024-03-14,Desk lamp,1,49.90,' >> shop/orders.csv
rm shop/orders.csv.before

say "3. What differs? (exit code 1: there are differences)"
run 1 diff csv:shop sqlite:shop.db "${keys[@]}"

say "4. Make them agree again; only the two orders are written"
run 0 sync csv:shop sqlite:shop.db "${keys[@]}"

say "5. Nothing is left to do (exit code 0: equal)"
run 0 diff csv:shop sqlite:shop.db "${keys[@]}"

cat <<'NEXT'

# What next
  docs/guide/first-sync.md    the same with real data, and on to PostgreSQL
  docs/guide/command-line.md  every option and exit code
  ./test                      builds and checks everything
NEXT
