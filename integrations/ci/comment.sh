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
# The comment is known by its first line: other workflows write as the same user.
mark='<!-- quotatree -->'
{ echo "$mark"; cat "$reports"/*.md; } >"$comment"

url=$(gh pr view "$PULL_REQUEST" --json url --jq .url)
IFS=/ read -r _ _ host owner repository _ number <<<"$url"
issues="repos/$owner/$repository/issues"
ours=$(gh api --hostname "$host" "$issues/$number/comments" --paginate \
  --jq ".[] | select(.body | startswith(\"$mark\")) | .id" | tail -n 1)
if [[ -n $ours ]]; then
  call=(--method PATCH "$issues/comments/$ours")
else
  call=(--method POST "$issues/$number/comments")
fi
gh api --hostname "$host" "${call[@]}" --field "body=@$comment" --silent
