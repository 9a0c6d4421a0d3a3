# Shared by scripts/check and scripts/test. Sourced, never run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"

say() { printf '\n== %s\n' "$*"; }

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Installs Debian packages: as root, or with sudo when it asks for no password; else names them and fails.
apt_install() {
    local run=()
    command -v apt-get >/dev/null 2>&1 || die "missing system packages: install the equivalents of: $*"
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || die "missing system packages; run: sudo apt-get install $*"
        run=(sudo -n)
    fi
    say "installing $*"
    "${run[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# What every build needs beside the Rust toolchain: a C compiler and linker (for the `ring` crate).
need_toolchain() {
    command -v cargo >/dev/null 2>&1 || die "cargo is missing: install Rust 1.95 or newer with rustup (https://rustup.rs)"
    command -v cc >/dev/null 2>&1 || apt_install gcc libc6-dev
}
