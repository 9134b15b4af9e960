# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# For /part of a selftest guest, which reads this first: TAP on the port
# "results" (descriptor 8), kexecs, and where in the guest's life this kernel
# is. Sets $stage, the number of kexecs so far, and $rows, results of the
# program.

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

run() { # PROGRAM ARGUMENT...: its exit code, its output as comments
	"$@" </dev/null >/tmp/output 2>&1 8>&- 9>&-
	code=$?
	sed 's/^/# /' /tmp/output >&8
	echo "# ${1##*/} exited with $code" >&8
	return $code
}

# The next kernel is told its number by a file in its initramfs.
next_initramfs() { # leaves its name in $INITRAMFS
	echo $((stage + 1)) >/etc/stage
	cat /proc/sys/kernel/random/boot_id >/etc/boot_id
	INITRAMFS=/tmp/initramfs
	(
		cat /sys/firmware/initrd
		cd / && printf 'etc/stage\netc/boot_id\n' | cpio -o -H newc
	) >$INITRAMFS 2>/tmp/cpio.log
}

no_kexec() { # after one that came back
	echo "kexec came back: $(tail -n 1 /tmp/output)" >&9
	poweroff -f
}

finish() {
	# shellcheck disable=SC2154 # init's
	echo "end $ran, $stage kexecs" >&8
	echo "$ran, $stage kexecs" >&9
	poweroff -f
}

stage=0
[ ! -r /etc/stage ] || read -r stage </etc/stage
kernel=stock
[ ! -d /sys/kernel/iommu_handover ] || kernel=patched
echo "# kernel $stage $kernel $(cat /proc/sys/kernel/random/boot_id)" >&8
