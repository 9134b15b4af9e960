# SPDX-License-Identifier: GPL-2.0-only
#
# /part of the guest that runs upstream's liveupdate selftests: one kexec for
# each /tests/luo_*, done by upstream's own do_kexec.sh. /init reads this into
# itself in every kernel; descriptors 8 and 9 are the ports "results" and
# "verdict". selftests.path= on the command line names the kernels of /boot to
# go through, the one that is booted first. What is left to do in which kernel
# is the number in /etc/stage, in the initramfs that the next kernel is given.

rows=0

program() { # NAME RESULTS
	echo "# program $1" >&8
	echo "1..$2" >&8
	rows=0
}

row() { # CODE NAME: 0 is a pass, 4 is upstream's code for a skip
	rows=$((rows + 1))
	case $1 in
	0) echo "ok $rows $2" ;;
	4) echo "ok $rows $2 # SKIP" ;;
	*) echo "not ok $rows $2" ;;
	esac >&8
}

is() { # LEFT RIGHT NAME: a pass when they are the same and not nothing
	echo "# $3: $1 of $2" >&8
	[ "${1:-0}" -ne 0 ] && [ "$1" -eq "$2" ]
	row $? "$3"
}

run() { # PROGRAM ARGUMENT...: its exit code, its output as comments
	"$@" </dev/null >/tmp/output 2>&1 8>&- 9>&-
	code=$?
	sed 's/^/# /' /tmp/output >&8
	echo "# ${1##*/} exited with $code" >&8
	return $code
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

jump() { # KERNEL STAGE: only comes back when it failed
	echo "$2" >/etc/stage
	cat /proc/sys/kernel/random/boot_id >/etc/boot_id
	(
		cat /sys/firmware/initrd
		cd / && printf 'etc/stage\netc/boot_id\n' | cpio -o -H newc
	) >/tmp/initramfs 2>/tmp/cpio.log
	KERNEL=/boot/$1 INITRAMFS=/tmp/initramfs
	export KERNEL INITRAMFS
	run sh /tests/do_kexec.sh
	echo "do_kexec.sh came back: $(tail -n 1 /tmp/output)" >&9
	poweroff -f
}

stage=0
[ ! -r /etc/stage ] || read -r stage </etc/stage
path=$(sed 's/.*selftests\.path=\([^ ]*\).*/\1/' /proc/cmdline)
kernel=stock
[ ! -d /sys/kernel/iommu_handover ] || kernel=patched
echo "# kernel $stage $kernel $(cat /proc/sys/kernel/random/boot_id)" >&8

set -- /tests/luo_*
if [ "$stage" -eq 0 ]; then
	harness liveupdate
else
	eval "after \"\${$stage}\""
fi
next=$(echo "$path" | cut -d, -f $((stage + 2)))
if [ "$stage" -lt $# ]; then
	eval "before \"\${$((stage + 1))}\""
	jump "$next" $((stage + 1))
fi
harness liveupdate-after-kexecs
echo "end $ran, $stage kexecs" >&8
echo "$ran, $stage kexecs" >&9
poweroff -f
