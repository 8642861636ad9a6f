#!/usr/bin/env bash
# The keys that system bundles are signed with: an authority of our own, and certificates that it gives out. `tools/rauc/keys.sh --help`.
#
# Doors hold only keyring.pem: certificates, nothing secret. The authority's key belongs on a computer that is not on a network; the
# signing key belongs where bundles are built, and can be taken back without touching a door that has had the new keyring.
set -Eeuo pipefail
YEARS=${YEARS:-20}
SIGNER_DAYS=${SIGNER_DAYS:-1100}

usage() {
  cat <<'TEXT'
  keys.sh make FOLDER       a new authority (ca.key, ca.pem), a first signer (signer.key, signer.pem) and what doors believe (keyring.pem)
  keys.sh signer FOLDER     another signer of the same authority; the former stays as signer-N.{key,pem} until you delete it
  keys.sh rotate FOLDER     another authority: the keyring then holds both, and the next system bundle, still signed by the former,
                            carries that keyring to the doors
  keys.sh retire FOLDER     when every door runs that system: the former authority leaves the keyring, and the new one signs
Keys are written with rights 0600 into a folder with 0700. YEARS (20) and SIGNER_DAYS (1100) say how long they are good.
TEXT
}

fail() {
  echo "keys.sh: $*" >&2
  exit 1
}

authority() { # NAME: what may sign certificates and nothing else
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -sha256 -days $((YEARS * 365)) -keyout "$1.key" -out "$1.pem" \
    -subj "/O=Doorward/CN=Doorward systems $(openssl rand -hex 4)" \
    -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

# What may sign bundles and nothing else. OpenSSL asks for emailProtection where no purpose is named, as `rauc extract` does without a system.conf.
signer() { # AUTHORITY NAME
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout "$2.key" -out "$2.csr" -subj "/O=Doorward/CN=Doorward systems, signer" 2>/dev/null
  openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -set_serial "0x$(openssl rand -hex 12)" -sha256 -days "$SIGNER_DAYS" -out "$2.pem" \
    -extfile <(printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=critical,codeSigning,emailProtection) 2>/dev/null
  rm "$2.csr"
}

into() {
  [ -n "${1:-}" ] || fail "which folder?"
  umask 077
  mkdir -p "$1"
  chmod 700 "$1"
  cd "$1"
}

aside() { # the former, under the next free number
  local n=1
  while [ -e "$1-$n.pem" ]; do n=$((n + 1)); done
  mv "$1.key" "$1-$n.key"
  mv "$1.pem" "$1-$n.pem"
}

case ${1:-} in
make)
  into "${2:-}"
  [ ! -e ca.key ] || fail "$2 has an authority already; 'rotate' makes another"
  authority ca
  signer ca signer
  cp ca.pem keyring.pem
  ;;
signer)
  into "${2:-}"
  [ -s ca.key ] || fail "$2 has no authority: keys.sh make $2"
  aside signer
  signer ca signer
  ;;
rotate)
  into "${2:-}"
  [ -s ca.key ] || fail "$2 has no authority: keys.sh make $2"
  [ ! -e next-ca.pem ] || fail "$2 is in the middle of a rotation; 'retire' ends it"
  authority next-ca
  signer next-ca next-signer
  cat ca.pem next-ca.pem >keyring.pem
  ;;
retire)
  into "${2:-}"
  [ -s next-ca.pem ] || fail "$2 has nothing to retire: keys.sh rotate $2 comes first"
  aside ca
  aside signer
  for part in ca signer; do
    mv "next-$part.key" "$part.key"
    mv "next-$part.pem" "$part.pem"
  done
  cp ca.pem keyring.pem
  ;;
--help | -h) usage ;;
*) usage >&2 && exit 2 ;;
esac
