# shellcheck shell=bash
# A controller that has booted: the same files and the same script, over ssh. Host keys are the user's own business with ssh.

install_over_ssh() {
  step "Installing on $SSH"
  local there=.doorward-install
  run ssh -- "$SSH" "umask 077; rm -rf $there; mkdir $there"
  run scp -q -- "$BUNDLE" "$SSH:$there/bundle.tar"
  run scp -q -- "$RELEASE_KEY" "$SSH:$there/release.pub"
  work_folder
  names >"$WORK/names.toml"
  run scp -q -- "$WORK/names.toml" "$SSH:$there/names.toml"
  [ -z "$KEYS" ] || run scp -q -- "$KEYS" "$SSH:$there/door.doorward"
  run scp -q -- "$HERE/tools/flash/first-boot.sh" "$SSH:$there/first-boot.sh"
  run ssh -t -- "$SSH" "sudo sh $there/first-boot.sh \"\$HOME/$there\"; ended=\$?; rm -rf $there; exit \$ended"
  say_what_comes_next_remotely
}

say_what_comes_next_remotely() {
  if [ "$DRY_RUN" = 1 ]; then
    say "Nothing was done."
  else
    say "Done. Then: ssh $SSH sudo doorward commission"
  fi
}
