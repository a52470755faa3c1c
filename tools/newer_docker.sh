#!/bin/sh
# newer_docker.sh FOLDER: puts Debian sid's Docker with buildx into FOLDER, beside whatever this machine has installed.
# Debian 12 has no buildx, and its Docker 20.10 knows no named contexts; sid's programs run on it as they are.
set -eu
folder=$1
program=$folder/usr/libexec/docker/cli-plugins/docker-buildx
[ -x "$program" ] && [ -x "$folder/usr/sbin/dockerd" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder" "$work/lists/partial" "$work/archives/partial"
: >"$work/status"
# Wherever this machine gets its packages from has sid as well.
# shellcheck disable=SC2016 # apt's own words
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] ${mirror:-http://deb.debian.org/debian/} sid main" >"$work/sources"
# A state of apt's own, so that the system's is not touched.
cat >"$work/apt.conf" <<CONFIG
Dir::State::lists "$work/lists"; Dir::State::status "$work/status"; Dir::Cache::archives "$work/archives";
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "$work/sources"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "root"; Acquire::Languages "none";
CONFIG
export APT_CONFIG="$work/apt.conf"
apt-get update -qq
(cd "$work" && apt-get download -qq docker.io docker-cli docker-buildx)
for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$folder"; done
