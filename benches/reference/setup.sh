#!/usr/bin/env bash
# Sets up the Python that the programs here run in, with all that this project is compared with:
#   bash benches/reference/setup.sh FOLDER
# llama.cpp is compiled for this CPU, which takes a C++ compiler and some minutes; the others are
# downloaded. Where it can't be compiled, the others are there all the same.
set -euo pipefail
folder="${1:?usage: bash benches/reference/setup.sh FOLDER}"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
[ -x "$folder/bin/python" ] || python3 -m venv "$folder"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
pip() { "$folder/bin/python" -m pip --disable-pip-version-check "$@"; }

grep -v llama-cpp-python "$here/peers.txt" | sed "s|^-r |-r $here/|" >"$scratch/others.txt"
pip install -r "$scratch/others.txt"
if ! pip install "$(grep llama-cpp-python "$here/peers.txt")"; then
  echo "llama-cpp-python was not installed; the rest is"
fi
echo "$folder/bin/python"
