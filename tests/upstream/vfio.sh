# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# /part of the guests that run upstream's vfio selftests on an 82576. On the
# command line, selftests.handovers= are the ways in which the device is handed
# over to the next kernel, after each of which they run again; selftests.modes=
# the variants of vfio_pci_driver_test, all without it.

. /rows.sh

option() { # NAME: its words
	sed -n "s/.*selftests\.$1=\([^ ]*\).*/\1/p" /proc/cmdline | tr , ' '
}

find_device() { # sets VFIO_SELFTESTS_BDF
	for dir in /sys/bus/pci/devices/*; do
		[ "$(cat "$dir/vendor" "$dir/device" | tr '\n' ' ')" = \
			"0x8086 0x10c9 " ] || continue
		VFIO_SELFTESTS_BDF=${dir##*/}
		export VFIO_SELFTESTS_BDF
		return
	done
}

claim() { # leaves one alone that vfio-pci has; the kernel has igb's driver, too
	case $(readlink "$dir/driver") in
	*/vfio-pci) return ;;
	?*) echo "$VFIO_SELFTESTS_BDF" >"$dir/driver/unbind" ;;
	esac
	echo vfio-pci >"$dir/driver_override"
	echo "$VFIO_SELFTESTS_BDF" >/sys/bus/pci/drivers_probe
}

selftests() { # SIDE
	modes=
	for mode in $(option modes); do
		modes="$modes -v $mode"
	done
	for test in /tests/vfio_*; do
		name=${test##*/}
		echo "# program $1/$name" >&8
		case $name in
		vfio_pci_driver_test) words=$modes ;;
		*) words= ;;
		esac
		# shellcheck disable=SC2086 # several words
		"$test" $words </dev/null >/tmp/output 2>&1 8>&- 9>&-
		code=$?
		cat /tmp/output >&8
		ran="$ran, $1/$name $code"
	done
}

file_of() { # HANDOVER: what keep-device is told
	[ "$1" != by-file ] || echo file
}

keep() { # HANDOVER
	program "handover/$1" 5
	# shellcheck disable=SC2046 # a word or none
	run /tests/keep-device keep $(file_of "$1")
	row $? "the device is used and preserved"
	! run /tests/vfio_iommufd_setup_test
	row $? "a selftest fails when somebody else has the device"
	next_initramfs
	run kexec -s -l /boot/patched --initrd=$INITRAMFS --reuse-cmdline \
		--iommu-handover=continuous
	row $? "the next kernel is loaded under a seal"
	run kexec -e -x -y
	no_kexec
}

take() { # HANDOVER
	rows=3
	[ "$(cat /proc/sys/kernel/random/boot_id)" != "$(cat /etc/boot_id)" ]
	row $? "another kernel runs"
	# shellcheck disable=SC2046 # a word or none
	run /tests/keep-device take $(file_of "$1")
	row $? "the device never stopped and is back"
}

find_device
# shellcheck disable=SC2046 # words
set -- before $(option handovers)
# shellcheck disable=SC2154 # of rows.sh
shift "$stage"
[ "$stage" -eq 0 ] || take "$1"
claim
selftests "$1"
[ $# -eq 1 ] || keep "$2"
finish
