#!/bin/sh
# What the main branch runs: the cluster becomes what the repository says.
# The policies hold here too: main may have moved on since the pull request was judged.
set -eu
cd "$(dirname "$0")/.."
pulumi up --stack "${STACK:-production}" --yes --non-interactive --color never --policy-pack policy
