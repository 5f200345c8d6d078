# Sourced by scripts/lint and .ci/run: named steps that all run, also after one has failed.

failed_steps=()
step_times=()

# step NAME COMMAND...: runs the command, tells how long it took, remembers a failure
step() {
  local name=$1 begun=$SECONDS state=ok
  shift
  printf '\n== %s\n' "$name"
  # Not `"$@" || …`: within that bash would ignore set -e in functions.
  set +e
  (set -e; "$@")
  local code=$?
  set -e
  if ((code != 0)); then
    state=FAIL
    failed_steps+=("$name")
  fi
  step_times+=("$(printf '%-4s %5ds  %s' "$state" $((SECONDS - begun)) "$name")")
  printf '== %s: %s in %d s\n' "$name" "$state" $((SECONDS - begun))
}

# steps_summary: one line a step
steps_summary() {
  printf '\n'
  printf '%s\n' "${step_times[@]}"
}
