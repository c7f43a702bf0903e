#!/bin/sh
# What a pull request runs: nothing is changed, and comment.md says what would be.
# Needs KUBECONFIG (reading rights suffice) and Pulumi's backend; STACK names the stack.
# Exit code 0: it fits and no policy is broken. 1: it does not, or something failed; see comment.md.
set -u
cd "$(dirname "$0")/.."
stack=${STACK:-production}
comment=${COMMENT:-comment.md}
verdict=0

said=$(mktemp)
trap 'rm -f "$said"' EXIT

# What the tree would become, beside what is in use now. 3 is "does not fit", with the reasons.
quotatree plan -f quotatree.yaml -o markdown >"$comment" 2>"$said" || verdict=1
if [ -s "$said" ]; then
    { echo; echo '```text'; cat "$said"; echo '```'; } >>"$comment"
fi

# What Pulumi would do, held against the policy pack: workloads without requests, and so on.
if pulumi preview --stack "$stack" --non-interactive --color never --policy-pack policy \
    >"$said" 2>&1; then
    summary="Pulumi's preview passes."
else
    verdict=1
    summary="**Pulumi's preview is refused.**"
fi
{ echo; echo "$summary"; echo; echo '```text'; cat "$said"; echo '```'; } >>"$comment"

cat "$comment"
exit "$verdict"
