# shellcheck shell=bash
# The bundle, looked at on the desk: a broken one should be found where there is another, and not at the door. The controller looks again.

WORK=''

work_folder() {
  [ -z "$WORK" ] || return 0
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  chmod 700 "$WORK"
}

check_bundle() {
  check_readable --bundle "$BUNDLE" "make it with: make bundle BOARD=$BOARD"
  work_folder
  mkdir "$WORK/bundle"
  tar -xf "$BUNDLE" -C "$WORK/bundle" --no-same-owner 2>>"$LOG" || fail "--bundle $BUNDLE" "is no whole archive" "copy it again; make bundle BOARD=$BOARD makes it"
  local file
  for file in manifest.json manifest.sig install.sh; do
    [ -f "$WORK/bundle/$file" ] || fail "--bundle $BUNDLE" "holds no $file" "it is what 'make bundle BOARD=$BOARD' makes"
  done
  check_signature
  check_contents
  rm -rf "$WORK/bundle" "$WORK/sums"
}

# Whose signature: said, or what lies beside the bundle. The key inside the bundle is never asked: whoever changes the one changes the other.
check_signature() {
  if [ -z "$RELEASE_KEY" ]; then
    RELEASE_KEY=$(dirname -- "$BUNDLE")/release.pub
    say "   ! no --release-key: $RELEASE_KEY came with the bundle, so it shows that nothing broke, and not who made it"
  fi
  check_release_key
  openssl pkeyutl -verify -pubin -inkey "$RELEASE_KEY" -rawin -sigfile "$WORK/bundle/manifest.sig" -in "$WORK/bundle/manifest.json" >>"$LOG" 2>&1 ||
    fail "--bundle $BUNDLE" "is not signed by ${RELEASE_KEY##*/}" "do not use it; ask whoever made it"
}

check_release_key() {
  check_readable --release-key "$RELEASE_KEY" "whoever made the bundle has it: release.pub"
  openssl pkey -pubin -in "$RELEASE_KEY" -noout 2>>"$LOG" || fail "--release-key $RELEASE_KEY" "is no public key" "release.pub begins with BEGIN PUBLIC KEY"
}

check_contents() {
  local told is_for version
  told=$(python3 - "$WORK/bundle/manifest.json" "$WORK/sums" <<'PYTHON' 2>>"$LOG"
import json, sys
manifest = json.load(open(sys.argv[1], encoding="utf-8"))
assert manifest["format"] == 1, manifest["format"]
with open(sys.argv[2], "w", encoding="utf-8") as sums:
    for path, file in manifest["files"].items():
        assert not path.startswith("/") and ".." not in path.split("/") and path.isprintable(), path
        sums.write(f"{file['sha256']}  {path}\n")
print(manifest["board"], manifest["version"])
PYTHON
  ) || fail "--bundle $BUNDLE" "its manifest cannot be read" "this flash.sh reads format 1: take the flash.sh of the same release"
  read -r is_for version <<<"$told"
  [ "$is_for" = "$BOARD" ] || fail "--bundle $BUNDLE" "is for '$is_for', not for $BOARD" "make bundle BOARD=$BOARD"
  (cd "$WORK/bundle" && sha256sum --check --quiet --strict "$WORK/sums") >>"$LOG" 2>&1 ||
    fail "--bundle $BUNDLE" "a file in it is not what its manifest says" "copy it again; $LOG names the file"
  fine "bundle ${BUNDLE##*/}, Doorward $version for $BOARD, $(human "$(stat -c %s "$BUNDLE")"), signed"
}
