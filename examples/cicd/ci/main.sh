#!/bin/sh
# What the main branch runs: the cluster becomes what the repository says.
# The rules hold here too: the cluster may have moved on since the pull request was judged.
set -eu
cd "$(dirname "$0")/.."
state=$(mktemp)
trap 'rm -f "$state"' EXIT
quotatree tree -o json >"$state"
QUOTATREE_POLICY_STATE="$state" pulumi up --stack "${STACK:-production}" --yes --non-interactive \
    --color never --policy-pack policy --policy-pack-config policy/config.json
