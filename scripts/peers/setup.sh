#!/bin/sh
# Sets up what `lathe bench --peers` measures beside Lathe: scripts/peers/setup.sh FOLDER
# makes a Python environment and a node_modules in FOLDER, outside of the repository. PIP_ARGS replaces the arguments that lead pip to
# PyTorch's CPU builds: PIP_ARGS='--no-index --find-links WHEELS torch==2.13.0+cpu' for a machine without internet.
set -eu
[ $# -eq 1 ] || { echo 'usage: scripts/peers/setup.sh FOLDER' >&2; exit 1; }
: "${PIP_ARGS=--extra-index-url https://download.pytorch.org/whl/cpu}"
python3 -m venv "$1"
# shellcheck disable=SC2086 # several arguments
"$1/bin/pip" install --quiet $PIP_ARGS torch numpy safetensors
# shellcheck disable=SC2086
"$1/bin/pip" install --quiet $PIP_ARGS jax || echo 'JAX was not installed: the other peers run without it.' >&2
npm install --prefix "$1" --silent --no-audit --no-fund --ignore-scripts \
  @jax-js/jax@0.1.25 @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 ||
  echo 'The peers in JavaScript were not installed: the others run without them.' >&2
folder=$(cd "$1" && pwd)
echo "Now run: LATHE_PEERS=$folder lathe bench --peers"
