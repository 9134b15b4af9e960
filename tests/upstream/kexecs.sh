# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# /part of the guest that runs upstream's liveupdate selftests: one kexec for
# each /tests/luo_*, done by upstream's own do_kexec.sh. /init reads this into
# itself in every kernel; descriptors 8 and 9 are the ports "results" and
# "verdict". selftests.path= on the command line names the kernels of /boot to
# go through, the one that is booted first.

. /rows.sh

is() { # LEFT RIGHT NAME: a pass when they are the same and not nothing
	echo "# $3: $1 of $2" >&8
	[ "${1:-0}" -ne 0 ] && [ "$1" -eq "$2" ]
	row $? "$3"
}

harness() { # NAME
	echo "# program $1" >&8
	/tests/liveupdate </dev/null >/tmp/output 2>&1 8>&- 9>&-
	cat /tmp/output >&8
}

said() { # PATTERN: in how many lines the kernel said so since its boot
	dmesg | grep -c "liveupdate test: .*$1"
}

# What CONFIG_LIVEUPDATE_TEST registers with every kind of file.
flbs() {
	dmesg | sed -n 's/.*liveupdate test: Registered \([0-9]*\) FLBs.*/\1/p' |
		head -n 1
}

refused() { # PROGRAM NAME: stage 2 does not run when it has no stage 1
	run "$1" -s 2
	[ $? -eq 1 ] && grep -q 'Stage mismatch' /tmp/output
	row $? "$2"
}

before() { # PROGRAM
	program "${1##*/}" 9
	refused "$1" "stage 2 is refused without stage 1"
	run "$1" -s 1
	row $? "stage 1"
	is $(($(said ': preserve was') - $(said ': unpreserve was'))) \
		"$(flbs)" "the kernel's FLBs are preserved"
}

after() { # PROGRAM
	rows=3
	run "$1" -s 2
	code=$?
	[ $code -ne 0 ] || grep -q 'TEST PASSED' /tmp/output || code=1
	row $code "stage 2"
	refused "$1" "stage 2 is refused when it is done"
	is "$(said 'found flb data')" "$(flbs)" "the kernel's FLBs are back"
	is "$(said 'finish was triggered')" "$(flbs)" \
		"the kernel's FLBs are finished"
	[ "$(said 'ERROR')$(said '[Ff]ailed')" = 00 ]
	row $? "the kernel's test has no complaint"
	[ "$(cat /proc/sys/kernel/random/boot_id)" != "$(cat /etc/boot_id)" ]
	row $? "another kernel than stage 1 ran in"
}

jump() { # KERNEL: only comes back when it failed
	next_initramfs
	KERNEL=/boot/$1
	export KERNEL INITRAMFS
	run sh /tests/do_kexec.sh
	no_kexec
}

path=$(sed 's/.*selftests\.path=\([^ ]*\).*/\1/' /proc/cmdline)
set -- /tests/luo_*
if [ "$stage" -eq 0 ]; then
	harness liveupdate
else
	eval "after \"\${$stage}\""
fi
next=$(echo "$path" | cut -d, -f $((stage + 2)))
if [ "$stage" -lt $# ]; then
	eval "before \"\${$((stage + 1))}\""
	jump "$next"
fi
harness liveupdate-after-kexecs
finish
