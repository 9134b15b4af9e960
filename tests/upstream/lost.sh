# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# /part of the guest that takes an iommufd to a kernel that knows no such file:
# what docs/operators-guide.md says of it. A session with a memfd alone, which
# the other guests see cross, is preserved beside it.

. /rows.sh

if [ "$stage" -eq 0 ]; then
	program iommufd-to-stock 6
	run /tests/luo_kexec_simple -s 1
	row $? "a memfd is preserved"
	run /tests/keep-iommufd
	row $? "an iommufd is preserved"
	next_initramfs
	run kexec -s -l /boot/stock --initrd=$INITRAMFS --reuse-cmdline \
		--iommu-handover
	row $? "a kernel without handover is loaded"
	run kexec -e
	no_kexec
fi
rows=3
run sh -c ': <>/dev/liveupdate'
grep -q 'Input/output error' /tmp/output
row $? "/dev/liveupdate cannot be opened"
run /tests/luo_kexec_simple -s 2
[ $? -eq 4 ]
row $? "the memfd is lost"
dmesg | grep -q 'No registered handler for compatible'
row $? "the log says why"
finish
