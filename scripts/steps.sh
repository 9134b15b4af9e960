# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Sourced by scripts/check, after common.sh: runs steps, several at a time, and
# counts them. Whatever ends the script, the last thing it says is a tally.
#
#   plan NAME [STEP...] [~STEP...] -- COMMAND...
#       Adds a step. It begins when each STEP named before it has passed and
#       each ~STEP has ended; if a STEP fails, this one is a failure too, by
#       name. A STEP has to be in the plan, a ~STEP need not be. Of those that
#       could begin, the one that was planned first does.
#   run_plan
#       Runs what was planned and forgets it.
#   step NAME COMMAND...
#       Runs one step now.
#   tally
#       Prints "N passed, N failed" and exits: 0, or 1 when something failed.
#
# With CONTINUE=1 a step that passed in an earlier run, on the same files and with the
# same command, counts as it did then and is not run; steps that have no tally of their
# own, as those that build, are.
#
# What a step prints goes to $logs/NAME.log. A step counts as what its own last
# tally says, else as one test; an exit code that does not go with its tally is
# a failure of its own.

level=${level:?is for those who source this}
# shellcheck disable=SC2154 # of common.sh
logs=$out/check
sums=$logs/sums
passed=0 failed=0 skipped=0
told='' trouble='' planned='' stop=''
plan_names=()
declare -A plan_commands=() plan_after=() plan_state=() plan_pids=() \
	plan_began=()

# tree_of_files - a name for what is in all files that git knows or would add
tree_of_files()
{
	local index=$sums/index

	rm -f "$index"
	# shellcheck disable=SC2154 # of common.sh
	GIT_INDEX_FILE=$index git -c safe.directory='*' -C "$top" add -A . &&
		GIT_INDEX_FILE=$index git -c safe.directory='*' -C "$top" write-tree
}

rm -rf "$sums"
mkdir -p "$logs" "$sums"
before=$logs/before/$(tree_of_files 2>/dev/null) || {
	[[ ! ${CONTINUE:-} ]] || die "CONTINUE=1: this is no git repository, so" \
		"that nobody knows whether the files are the same"
	before=$logs/before/none
}
# Reports of other files must not be added up with those of these.
[[ ${CONTINUE:-} && -d $before ]] || rm -rf "$logs"/*.json "$logs/before"
mkdir -p "$before"

# print_tally - for the end of the script; nothing after it
print_tally()
{
	told=1
	echo
	echo "$level: $(clock "$SECONDS")"
	printf '%d passed, %d failed' "$passed" "$failed"
	((skipped == 0)) || printf ', %d skipped' "$skipped"
	printf '\n'
}

tally()
{
	print_tally
	((failed == 0 && passed > 0))
	exit
}

# stop_steps - end what is running, each with all that it started. A step that
# was about to print has done so or never will: the tally stays the last line.
stop_steps()
{
	local name

	for name in "${!plan_pids[@]}"; do
		kill -- "-${plan_pids[$name]}" 2>/dev/null || :
	done
	((${#plan_pids[@]} == 0)) || wait "${plan_pids[@]}" 2>/dev/null || :
	plan_pids=()
}

# ended - the EXIT trap: an end that nobody planned is told and counted
ended()
{
	local code=$? name

	trap - EXIT ERR
	trap '' HUP INT TERM PIPE
	set +e
	if [[ ! $told ]]; then
		for name in "${!plan_pids[@]}"; do
			echo "     $name was running"
		done
		stop_steps
		echo "FAIL $level: ended before its last step, with exit code" \
			"$code${trouble:+, $trouble}"
		((++failed))
		print_tally
		((code != 0)) || code=1
	else
		stop_steps
	fi
	exit "$code"
}
trap ended EXIT
set -E
trap 'trouble="at line $LINENO: $BASH_COMMAND"' ERR

# signalled NAME CODE - end soon: out of read bash 5.2 would crash, and a step that
# has just begun is not noted yet. Nothing here may take time, since the end of the
# time of read ends this as well.
signalled()
{
	stop=$2 trouble="by SIG$1"
	[[ $planned ]] || exit "$stop"
}
for signal in HUP INT TERM; do
	# shellcheck disable=SC2064 # the signal as it is now
	trap "signalled $signal $((128 + $(kill -l "$signal")))" "$signal"
done

# step NAME COMMAND... - run it and count what it says
step()
{
	local name=$1 start=$SECONDS log=$logs/$1.log code=0
	local p=0 f=0 s=0 tally mark=ok

	shift
	"$@" >"$log" 2>&1 </dev/null || code=$?
	tally=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' \
		"$log" | tail -n 1 || :)
	if [[ $tally =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+))? ]]; then
		p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]}
		s=${BASH_REMATCH[4]:-0}
		((code == 0 || f > 0)) || f=1
		((code != 0 || f == 0)) || mark=FAIL
		((p + f + s > 0)) || f=1
	elif ((code == 0)); then
		p=1
	else
		f=1
	fi
	((f == 0)) || mark=FAIL
	[[ $mark != ok || ! $tally ]] || {
		echo "$p $f $s"
		printf '%q ' "$@"
	} >"$before/$name"
	((passed += p, failed += f, skipped += s)) || :
	printf '%-4s %-22s %5s  %d passed, %d failed%s\n' "$mark" "$name" \
		"$(clock $((SECONDS - start)))" "$p" "$f" \
		"$( ((s == 0)) || printf ', %d skipped' "$s")"
	[[ $mark == ok ]] || {
		tail -n 25 "$log" | sed 's/^/     | /'
		echo "     all of it is in $log"
	}
}

plan()
{
	local name=$1 after=()

	shift
	while [[ $1 != -- ]]; do
		after+=("$1")
		shift
	done
	shift
	[[ ! ${plan_commands[$name]:-} ]] || die "$name is planned twice"
	plan_names+=("$name")
	plan_commands[$name]=$(printf '%q ' "$@")
	plan_after[$name]=${after[*]:-}
	plan_state[$name]=waiting
}

# counted NAME COMMAND - in a subshell: a step that leaves its sums in a file
counted()
{
	trap - EXIT HUP INT TERM ERR
	set +m
	passed=0 failed=0 skipped=0
	eval "step $1 $2"
	echo "$passed $failed $skipped" >"$sums/$1.new"
	mv "$sums/$1.new" "$sums/$1"
}

# passed_before NAME - add up what it counted as in an earlier run, if it passed
passed_before()
{
	local name=$1 p f s command

	[[ ${CONTINUE:-} && -s $before/$name ]] || return 1
	{
		read -r p f s
		IFS= read -r command || :
	} <"$before/$name"
	[[ $command == "${plan_commands[$name]}" ]] || return 1
	((passed += p, skipped += s)) || :
	printf 'ok   %-22s before  %d passed, %d failed\n' "$name" "$p" "$f"
	plan_state[$name]=passed
}

# count NAME - add up what counted() left and note whether the step passed
count()
{
	local name=$1 p=0 f=1 s=0

	if [[ -s $sums/$name ]]; then
		read -r p f s <"$sums/$name"
	else
		printf 'FAIL %-22s ended before it could be counted\n' "$name"
	fi
	((passed += p, failed += f, skipped += s)) || :
	plan_state[$name]=passed
	((f == 0)) || plan_state[$name]=failed
	unset "plan_pids[$name]"
}

# obstacle NAME - sets what to "" if NAME may begin, to "wait", or to the step
# that failed and that it needs
obstacle()
{
	local other state

	what=
	for other in ${plan_after[$1]}; do
		state=${plan_state[${other#\~}]:-passed}
		case $other:$state in
		*:waiting | *:running)
			what='wait'
			;;
		\~*) ;;
		*:failed)
			what=$other
			return
			;;
		esac
	done
}

# begin_steps LANES - start what may begin, while there is a free lane
begin_steps()
{
	local name what again=1

	while [[ $again ]]; do
		again=
		for name in "${plan_names[@]}"; do
			[[ ! $stop ]] || exit "$stop"
			[[ ${plan_state[$name]} == waiting ]] || continue
			obstacle "$name"
			if [[ ! $what ]] && passed_before "$name"; then
				again=1
			elif [[ ! $what ]]; then
				((${#plan_pids[@]} < $1)) || continue
				# A process group of its own: all of it can be
				# stopped.
				set -m
				counted "$name" "${plan_commands[$name]}" \
					</dev/null &
				plan_pids[$name]=$!
				set +m
				plan_began[$name]=$SECONDS
				plan_state[$name]=running
			elif [[ $what != wait ]]; then
				printf 'FAIL %-22s not run: it needs %s, which failed\n' \
					"$name" "$what"
				((++failed))
				plan_state[$name]=failed
				# What needs this one may stand before it.
				again=1
			fi
		done
	done
}

# show_running - for those who wait: what runs, since when, what it said last
show_running()
{
	local name said

	for name in "${plan_names[@]}"; do
		[[ ${plan_state[$name]} == running ]] || continue
		# No pipe: its reader could end first, and pipefail end the rest.
		said=$(tail -n 1 "$logs/$name.log" 2>/dev/null) || said=
		printf '     %-22s %5s  %.60s\n' "$name" \
			"$(clock $((SECONDS - plan_began[$name])))" "$said"
	done
}

# As many at a time as there are CPUs, and memory for emulators of 3 GiB. Every
# step has its own directory below build/.
count_lanes()
{
	local room

	lanes=$(nproc)
	room=$(($(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) >> 22))
	((lanes <= room)) || lanes=$room
	((lanes >= 1)) || lanes=1
}

run_plan()
{
	local lanes name other alive never shown=$SECONDS

	count_lanes
	exec {never}<> <(:)
	for name in "${plan_names[@]}"; do
		for other in ${plan_after[$name]}; do
			[[ $other == \~* || ${plan_commands[$other]:-} ]] ||
				die "$name needs $other, which is not planned"
		done
	done
	planned=1
	while :; do
		begin_steps "$lanes"
		((${#plan_pids[@]} > 0)) || break
		for name in "${!plan_pids[@]}"; do
			# First this, then the sums: they are there before it ends.
			alive=1
			kill -0 "${plan_pids[$name]}" 2>/dev/null || alive=
			[[ -e $sums/$name || ! $alive ]] || continue
			count "$name"
			shown=$SECONDS
		done
		if ((SECONDS >= shown + 60)); then
			show_running
			shown=$SECONDS
		fi
		# Nobody writes there. A builtin, where sleep would be a process.
		read -rt 0.2 -u "$never" || :
		[[ ! $stop ]] || exit "$stop"
	done
	planned=
	[[ ! $stop ]] || exit "$stop"
	for name in "${plan_names[@]}"; do
		[[ ${plan_state[$name]} != waiting ]] ||
			die "the plan has a circle: $name needs" \
			    "${plan_after[$name]}"
	done
	plan_names=() plan_commands=() plan_after=() plan_state=()
}
