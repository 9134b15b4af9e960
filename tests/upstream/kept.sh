# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# /part of the guest that is asked to take an iommufd to a kernel that knows no
# such file, and would give back no session at all. A session with a memfd alone,
# which the other guests see cross, is preserved beside it.

. /rows.sh

program iommufd-to-stock 7
run /tests/luo_kexec_simple -s 1
row $? "a memfd is preserved"
run /tests/keep-iommufd
row $? "an iommufd is preserved"
next_initramfs
run kexec -s -l /boot/stock --initrd=$INITRAMFS --reuse-cmdline \
	--iommu-handover
[ $? -ne 0 ] && grep -q 'announces no handover image' /tmp/output
row $? "the loader refuses a kernel without handover"
run kexec -s -l /boot/patched --initrd=$INITRAMFS --reuse-cmdline \
	--iommu-handover
row $? "another one is loaded under a seal"
run kexec -s -l /boot/stock --initrd=$INITRAMFS --reuse-cmdline
row $? "the first takes its place by a load that does not ask"
run kexec -e
[ $? -ne 0 ] && grep -q 'announces no handover image' /tmp/output
row $? "the gate refuses it"
read -r state </sys/kernel/iommu_handover/state
[ "$state" = sealed ]
row $? "everything is still there"
finish
