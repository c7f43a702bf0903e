#!/usr/bin/env bash
# Puts `quotatree` on the PATH of the steps that follow, unless it is there already.
#
#   QUOTATREE_SOURCE   what pip is to install; default: the checkout that this script lies in
#   QUOTATREE_VENV     where to; default: .quotatree-venv
#   PYTHON             a Python of 3.11 or later; default: python3
set -euo pipefail

if command -v quotatree >/dev/null; then
  quotatree --version
  exit 0
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=${QUOTATREE_SOURCE:-$here/../..}
venv=$(pwd)/${QUOTATREE_VENV:-.quotatree-venv}

"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$source"
"$venv/bin/quotatree" --version

# How a CI system passes the PATH on: GitHub by a file, others read it from the folder.
if [[ -n ${GITHUB_PATH:-} ]]; then
  echo "$venv/bin" >>"$GITHUB_PATH"
fi
