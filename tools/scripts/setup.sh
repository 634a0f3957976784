#!/usr/bin/env bash
# Installs what Ashlar needs from Debian 12 and is missing; does nothing, quickly, when all is there.
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache git ca-certificates python3 python3-numpy python3-jinja2 python3-pip python3-setuptools python3-wheel pkg-config
  clang-22 lld-22 llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools
  libabsl-dev libgtest-dev libgmock-dev libflatbuffers-dev flatbuffers-compiler
  nlohmann-json3-dev libicu-dev zlib1g-dev libzstd-dev libxxhash-dev libsodium-dev minisign
  openmpi-bin libopenmpi3
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Installing: ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "error: these packages are missing and installing them needs root; run:" >&2
  echo "  sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq

# LLVM 22 comes with Debian 12's security updates. A bare root filesystem knows the main suite only; the updates lie
# beside it on the same mirror.
candidate() { apt-cache policy libmlir-22-dev | awk '/Candidate:/ { print $2 }'; }
if [ -z "$(candidate)" ] || [ "$(candidate)" = "(none)" ]; then
  mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' | awk '$2 == "bookworm" && $3 == "main" { print $1; exit }')
  echo "Adding Debian's security updates to the package sources"
  echo "deb ${mirror%/}-security bookworm-security main" >/etc/apt/sources.list.d/debian-security-updates.list
  apt-get update -qq
fi
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
