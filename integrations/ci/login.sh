#!/usr/bin/env bash
# Gives the steps that follow a kubeconfig out of a secret; without one no cluster is asked.
#
#   CONTENT   the kubeconfig; empty: QUOTATREE_OFFLINE=true is passed on instead
set -euo pipefail

if [[ -z ${CONTENT:-} ]]; then
  echo "no kubeconfig: no cluster is asked" >&2
  echo "QUOTATREE_OFFLINE=true" >>"$GITHUB_ENV"
  exit 0
fi
umask 077
path=${RUNNER_TEMP:-$(mktemp -d)}/quotatree-kubeconfig
printf '%s\n' "$CONTENT" >"$path"
echo "KUBECONFIG=$path" >>"$GITHUB_ENV"
