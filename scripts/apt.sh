# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2154 # cache and top are common.sh's
#
# Sourced after common.sh: Debian's archive as this machine is configured to
# reach it, but every suite of it, through private lists in the cache. The
# machine's own apt configuration is read and never changed.

# archive_entry - address, Signed-By and codename of the machine's Debian
#
# Sets archive_uri, archive_key (may be empty) and archive_codename. The address
# is that of the first configured suite that says of itself that it is Debian's;
# the suite's own name may be the codename or an alias of it.
archive_entry()
{
	local uri file line

	command -v apt-get >/dev/null ||
		die "this machine has no apt-get to find sources with; name" \
		    "tarballs with LINUX_TARBALL= and KEXEC_TARBALL="
	# shellcheck source=/dev/null
	archive_codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
	archive_uri=
	while read -r uri; do
		release_file "$uri" "$archive_codename"
		grep -qs '^Origin: Debian$' "$cache/apt/InRelease" || continue
		archive_uri=$uri
		break
	done < <(apt-get update --print-uris 2>/dev/null | sed -nE \
		"s,^'(.*)/dists/($archive_codename|stable|oldstable|testing|unstable|sid)/main/binary-.*,\\1,p" |
		awk '!seen[$0]++')
	[[ $archive_uri ]] ||
		die "apt's sources on this machine name no suite of Debian with" \
		    "the component main that can be reached; repair that, or" \
		    "name tarballs with LINUX_TARBALL= and KEXEC_TARBALL="

	archive_key=
	while IFS= read -r file; do
		line=$(grep -oiE 'signed-by[:=] */[^] ]+' "$file" | head -n 1 || :)
		archive_key=${line#*[:=]}
		archive_key=${archive_key# }
		[[ ! -r $archive_key ]] || return 0
	done < <(grep -rlF "$archive_uri" /etc/apt/sources.list \
		/etc/apt/sources.list.d 2>/dev/null)
	for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		archive_key=$file
		[[ ! -r $file ]] || return 0
	done
	archive_key=
}

# release_file ADDRESS SUITE - fetch its InRelease to read names from
#
# Nothing is trusted because of it: apt checks the signature of each suite that
# is then asked for.
release_file()
{
	mkdir -p "$cache/apt"
	rm -f "$cache/apt/InRelease"
	/usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file \
		"$1/dists/$2/InRelease" "$cache/apt/InRelease" \
		>/dev/null 2>&1 || :
}

# codename_of ALIAS - "trixie" for "stable"; nothing when it cannot be told
codename_of()
{
	release_file "$archive_uri" "$1"
	sed -n 's/^Codename: \([a-z][a-z-]*\)$/\1/p' "$cache/apt/InRelease" \
		2>/dev/null | head -n 1
}

# archive_suites - suites to look at, those with short lists first
#
# One line each: the suite, and after it another name of the same one, which
# is for when the first is not there. Mirrors were seen on which an alias such
# as "stable" is weeks behind the codename.
archive_suites()
{
	local own=$archive_codename stable alias name
	local -a rest=()

	stable=$(codename_of stable || :)
	for alias in testing unstable experimental; do
		name=$(codename_of "$alias" || :)
		rest+=("${name:-$alias} $alias")
	done
	printf '%s\n' "$own-backports" \
		"${stable:-stable}-backports stable-backports" \
		"$own-backports-sloppy" "$own" "${stable:-stable} stable" \
		"${rest[@]}" | awk '!seen[$1]++'
}

# suite_dir SUITE TYPE - TYPE is deb or deb-src
suite_dir()
{
	echo "$cache/apt/$1-$2"
}

# suite_apt SUITE TYPE COMMAND ARGUMENT... - apt's COMMAND with private lists
suite_apt()
{
	local dir command=$3

	dir=$(suite_dir "$1" "$2")
	shift 3
	"$command" -q -c "$dir/apt.conf" \
		-o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::Lists="$dir/lists" \
		-o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User=root \
		-o Acquire::Languages=none \
		-o Acquire::Retries=3 "$@"
}

# suite_update SUITE TYPE - fetch its lists; fails when there is no such suite
suite_update()
{
	local dir

	dir=$(suite_dir "$1" "$2")
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	printf '#clear APT::Update::%s;\n' Pre-Invoke Post-Invoke \
		Post-Invoke-Success >"$dir/apt.conf"
	echo "$2 ${archive_key:+[signed-by=$archive_key] }$archive_uri $1 main" \
		>"$dir/sources.list"
	# apt-get ends with 0 when a list could not be fetched, with a warning.
	suite_apt "$1" "$2" apt-get update >"$dir/update.log" 2>&1 &&
		! grep -qE '^(W|E|Err)' "$dir/update.log"
}

# suite_versions SUITE TYPE PACKAGE - the versions that it offers
suite_versions()
{
	case $2 in
	deb)
		suite_apt "$1" "$2" apt-cache show --no-all-versions "$3" \
			2>/dev/null | sed -n 's/^Version: //p' | sort -u
		;;
	deb-src)
		suite_apt "$1" "$2" apt-cache showsrc --only-source "$3" \
			2>/dev/null | sed -n 's/^Version: //p' | sort -u
		;;
	esac || :
}

# suite_missing SUITE TYPE - tells a suite that is not there from an archive out of reach
suite_missing()
{
	grep -qE '404|does not have a Release file' \
		"$(suite_dir "$1" "$2")/update.log"
}
