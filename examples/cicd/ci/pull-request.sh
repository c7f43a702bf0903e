#!/bin/sh
# What a pull request runs: nothing is changed, and comment.md says what would be.
# Needs KUBECONFIG (the right to read is enough) and Pulumi's backend; STACK names the stack.
# Exit code 0: it fits and breaks no rule. 1: it does not, or something failed; see comment.md.
set -u
cd "$(dirname "$0")/.."
stack=${STACK:-production}
comment=${COMMENT:-comment.md}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
verdict=0

# Put a file into the comment as it is.
quote() {
    printf '\n```text\n' && cat "$1" && printf '```\n'
}

# What the tree would become, beside what is in use now. Exit code 3 is "it does not fit".
quotatree plan -f quotatree.yaml -o markdown >"$comment" 2>"$work/talk" || verdict=1
[ ! -s "$work/talk" ] || quote "$work/talk" >>"$comment"

# What Pulumi would do, held against the rules; the pack asks the tree as it is now for its room.
if quotatree tree -o json >"$work/state.json" 2>"$work/talk" \
    && QUOTATREE_POLICY_STATE="$work/state.json" \
        pulumi preview --stack "$stack" --non-interactive --color never \
        --policy-pack policy --policy-pack-config policy/config.json >"$work/talk" 2>&1; then
    printf '\nThe preview of the program passes.\n' >>"$comment"
else
    verdict=1
    printf '\n**The preview of the program is refused.**\n' >>"$comment"
fi
quote "$work/talk" >>"$comment"

cat "$comment"
exit "$verdict"
