#!/usr/bin/env bash
# The gate of a CI job: does the tree fit, and do the workloads fit into it. Changes nothing.
#
#   QUOTATREE_FILE        the tree; empty: none is planned; default: quotatree.yaml
#   QUOTATREE_MANIFESTS   files and folders of workloads, separated by blanks; empty: none is checked
#   QUOTATREE_NAMESPACE   where objects go that name no namespace
#   QUOTATREE_STATE       a file of `quotatree tree -o json`: no cluster is asked
#   QUOTATREE_OFFLINE     true: no cluster is asked; without a state the tree meets an empty one
#   QUOTATREE_REPORTS     where reports go; default: quotatree-reports
#   QUOTATREE_FORMATS     which ones; default: markdown sarif junit
#
# Reports: plan.md, plan.sarif, plan.xml (JUnit), and the same for check.
# Exit code: 0 all of it fits, 3 something does not fit, 1 it could not be judged.
set -uo pipefail

venv=$(pwd)/${QUOTATREE_VENV:-.quotatree-venv}
PATH=$PATH:$venv/bin
reports=${QUOTATREE_REPORTS:-quotatree-reports}
file=${QUOTATREE_FILE-quotatree.yaml}
read -r -a manifests <<<"${QUOTATREE_MANIFESTS:-}"
read -r -a formats <<<"${QUOTATREE_FORMATS:-markdown sarif junit}"
declare -A endings=([markdown]=md [sarif]=sarif [junit]=xml)
mkdir -p "$reports" || exit 1

worst=0
# What could not be judged is worse than what does not fit: it may not fit either.
note() {
  case $1 in
    0) ;;
    3) [[ $worst -eq 0 ]] && worst=3 ;;
    *) worst=1 ;;
  esac
  return 0
}

# Shows a command's answer in the log, and writes it once more for each kind of reader.
ask() {
  local name=$1 form running=()
  shift
  for form in "${formats[@]}"; do
    quotatree "$name" "$@" -o "$form" >"$reports/$name.${endings[$form]}" 2>/dev/null &
    running+=($!)
  done
  quotatree "$name" "$@"
  note $?
  for form in "${running[@]}"; do
    wait "$form"
    note $?
  done
}

where=()
if [[ -n ${QUOTATREE_STATE:-} ]]; then
  where=(--offline --state "$QUOTATREE_STATE")
elif [[ ${QUOTATREE_OFFLINE:-} == true ]]; then
  where=(--offline)
fi

if [[ -n $file ]]; then
  ask plan -f "$file" "${where[@]}"
fi
if [[ ${#manifests[@]} -gt 0 && ${where[*]} == --offline ]]; then
  echo "workloads can be checked against a cluster or a state, and there is neither" >&2
  note 1
elif [[ ${#manifests[@]} -gt 0 ]]; then
  inputs=()
  for path in "${manifests[@]}"; do
    inputs+=(-f "$path")
  done
  if [[ -n ${QUOTATREE_NAMESPACE:-} ]]; then
    inputs+=(--namespace "$QUOTATREE_NAMESPACE")
  fi
  ask check "${inputs[@]}" "${where[@]}"
fi

# A GitHub job shows this on its page, and gives the verdict to later steps.
if [[ -n ${GITHUB_STEP_SUMMARY:-} && " ${formats[*]} " == *" markdown "* ]]; then
  cat "$reports"/*.md >>"$GITHUB_STEP_SUMMARY"
fi
if [[ -n ${GITHUB_OUTPUT:-} ]]; then
  verdicts=([0]=fits [1]=error [3]="does not fit")
  echo "verdict=${verdicts[$worst]}" >>"$GITHUB_OUTPUT"
fi
exit "$worst"
