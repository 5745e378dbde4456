#!/bin/sh
# Node decides by its extension how to load a file, and knows no .py.
exec node "$(dirname "$(readlink -f "$0")")/clfsload-extension.js" "$@"
