# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced by the other scripts: where things are, how to talk, how to wait.
#
# Environment that every script honours:
#   IOMMU_HANDOVER_CACHE  sources and build trees; default is
#                         $XDG_CACHE_HOME/iommu-handover or
#                         ~/.cache/iommu-handover
#   O                     results; default is build/ in the checkout, or
#                         build/$UPSTREAM when that is not the default, and
#                         kexec-$KEXEC_UPSTREAM below it likewise
#   UPSTREAM              Linux series to build, a file in linux/upstream
#   KEXEC_UPSTREAM        kexec-tools to build, a file in kexec-tools/upstream
#   JOBS                  parallel compiler runs; default is all processors

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
default_upstream=7.3
upstream=${UPSTREAM:-$default_upstream}
default_kexec_upstream=2.0.32
kexec_upstream=${KEXEC_UPSTREAM:-$default_kexec_upstream}
out=$top/build
[[ $upstream == "$default_upstream" ]] || out+=/$upstream
[[ $kexec_upstream == "$default_kexec_upstream" ]] || out+=/kexec-$kexec_upstream
out=${O:-$out}
[[ $out == /* ]] || out=$top/$out
cache=${IOMMU_HANDOVER_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/iommu-handover}
[[ $cache == /* ]] || cache=$PWD/$cache
# shellcheck disable=SC2034 # for those who source this
jobs=${JOBS:-$(nproc)}

# A tool's messages are matched and sorted below; a translation would break it.
export LC_ALL=C.UTF-8
# make hands its own flags down to the makes that the scripts start.
unset MAKEFLAGS MFLAGS MAKELEVEL

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 2
}

# clock SECONDS - prints minutes and seconds
clock()
{
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

# lock [-n] NAME - hold NAME of the cache until this shell ends
#
# Scripts that this one starts inherit the descriptor and with it the lock, and
# do not ask for it again. With -n it fails instead of waiting. The descriptor
# is left in lock_fd, to be closed for what outlives the script.
lock()
{
	local try=

	if [[ $1 == -n ]]; then
		try=1
		shift
	fi
	[[ " ${IOMMU_HANDOVER_HELD:-} " != *" $cache/$1 "* ]] || return 0
	mkdir -p "$cache" || die "cannot make the cache directory $cache;" \
		"set IOMMU_HANDOVER_CACHE to a place that can be written"
	exec {lock_fd}>"$cache/lock-$1"
	if ! flock -n "$lock_fd"; then
		[[ ! $try ]] || return 1
		say "$1: another run holds $cache/lock-$1; waiting for it"
		flock "$lock_fd"
	fi
	export IOMMU_HANDOVER_HELD="${IOMMU_HANDOVER_HELD:-} $cache/$1"
}

# install_if_changed FILE DESTINATION - keeps the time stamp of an equal file
install_if_changed()
{
	cmp -s "$1" "$2" && return
	mkdir -p "${2%/*}"
	cp "$1" "$2.tmp$$"
	mv "$2.tmp$$" "$2"
}

# key WORD... - 12 hex digits over the arguments
key()
{
	printf '%s\0' "$@" | sha256sum | cut -c1-12
}

# compiler_id - a string that changes with the compiler and the linker
compiler_id()
{
	"${CC:-gcc}" --version | head -n 1
	ld --version | head -n 1
}

# config_misses CONFIG FRAGMENT... - what of the fragments is otherwise in CONFIG
config_misses()
{
	local config=$1 line option

	shift
	while read -r line; do
		case $line in
		CONFIG_*=*)
			grep -qxF -- "$line" "$config" || echo "$line"
			;;
		'# CONFIG_'*' is not set')
			option=${line#\# }
			option=${option%% *}
			! grep -q "^$option=" "$config" || echo "$option=n"
			;;
		esac
	done < <(cat "$@")
}

# package_flags - let dpkg-buildflags say the same wherever the checkout is
package_flags()
{
	export DEB_BUILD_MAINT_OPTIONS="hardening=+bindnow reproducible=-fixfilepath"
}

use_ccache()
{
	export CCACHE_DIR=$cache/ccache
	# What a file includes is known from the compiler, whose work it is anyhow:
	# else ccache runs the preprocessor first, and an empty cache doubles what a
	# build costs.
	export CCACHE_DEPEND=1
	ccache -M 4G >/dev/null
}

# repo_files PATTERN... - the files of this repository
#
# CI may run as another user than the one who owns the checkout.
repo_files()
{
	git -c safe.directory='*' -C "$top" ls-files "$@" 2>/dev/null ||
		die "this is no git checkout, and git says which files are ours"
}
