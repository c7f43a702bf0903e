#!/usr/bin/env bash
# Puts the reports of gate.sh into a comment of the pull request; a later run replaces it.
#
#   PULL_REQUEST        number or URL; empty: nothing is done
#   QUOTATREE_REPORTS   where gate.sh wrote; default: quotatree-reports
#   GH_TOKEN            a token that may write comments, for the GitHub CLI
set -euo pipefail

if [[ -z ${PULL_REQUEST:-} ]]; then
  echo "no pull request: no comment" >&2
  exit 0
fi
reports=${QUOTATREE_REPORTS:-quotatree-reports}
comment=$(mktemp)
trap 'rm -f "$comment"' EXIT
cat "$reports"/*.md >"$comment"
gh pr comment "$PULL_REQUEST" --edit-last --create-if-none --body-file "$comment"
