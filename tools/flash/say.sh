# shellcheck shell=bash
# What is said goes to the screen and to the log. A secret is never an argument of these.

STEP=0
SAID=3 # the exit status of what has been told already

start_log() {
  [ -n "$LOG" ] || LOG="$PWD/flash-$SITE-$DOOR.log"
  : >>"$LOG" || fail "--log $LOG" "cannot be written" "name a file in a folder of yours"
  note "---- $(date -u +%FT%TZ) board=$BOARD site=$SITE door=$DOOR device=${DEVICE:-$SSH} image=${IMAGE##*/} dry_run=$DRY_RUN"
  trap 'interrupted $? $LINENO' ERR
  trap 'printf "\n" >&2; fail "stopped by hand" "the disk is not complete" "run the same command again: it goes on from there"' INT TERM
}

note() { [ -z "${LOG:-}" ] || printf '%s\n' "$*" >>"$LOG"; }

say() {
  printf '%s\n' "$*" >&2
  note "$*"
}

step() {
  STEP=$((STEP + 1))
  say "$STEP. $*"
}

fine() { say "   ✓ $*"; }

# fail WHAT WHY MEND
fail() {
  trap - ERR
  say "✗ $1: $2"
  say "   mend: $3"
  exit "$SAID"
}

interrupted() {
  [ "$1" != "$SAID" ] || exit "$SAID"
  fail "step $STEP" "a command ended with $1 (line $2)" "the log $LOG has its last words; nothing is complete until the last line says so"
}

# run COMMAND…: said, and done unless this is a rehearsal on paper
run() {
  if [ "$DRY_RUN" = 1 ]; then
    say "   would run: $*"
  else
    note "   run: $*"
    "$@"
  fi
}

# progress DONE TOTAL VERB
progress() {
  local percent=$(($2 > 0 ? $1 * 100 / $2 : 100)) bar
  bar=$(printf '%*s' $((percent / 4)) '')
  [ ! -t 2 ] || printf '\r   %s [%-25s] %3d %%  %s' "$3" "${bar// /#}" "$percent" "$(human "$1")" >&2
  [ "$1" -lt "$2" ] || { [ ! -t 2 ] || printf '\n' >&2; }
}

# As it is printed on the card's own label: thousands, not 1024s.
human() { numfmt --to=si --round=nearest --suffix=B --format='%.1f' "$1"; }
