#!/usr/bin/env bash
# Installs what is needed and runs every check: lint, types, layers, dead code, tests.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --no-audit --no-fund
npm run --silent lint
npm test --silent
