# SPDX-License-Identifier: GPL-2.0-only
#
# Every target is a script or a sub-make; see "make help". The kernel and
# kexec-tools are built in a cache outside the checkout, the results are under
# build/.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

O ?= build$(addprefix /,$(filter-out 7.3,$(UPSTREAM)))$(addprefix \
	/kexec-,$(filter-out 2.0.32,$(KEXEC_UPSTREAM)))
KEXECS ?= 5
SOAK_KEXECS ?= 100
LEVEL ?= continuous
override O := $(abspath $(O))
export O

# Other variables reach the scripts through the environment, when they are given.

.PHONY: all
all: kernel kexec tool unit boot-programs
	@echo "built: $(O)/kernel/patched/bzImage $(O)/bin/kexec $(O)/bin/iommu-handover"

.PHONY: help
help:
	@echo 'make               all of: kernel, kexec, tool, unit, boot-programs'
	@echo 'make kernel        the patched kernel   build/kernel/patched/bzImage'
	@echo 'make kernel-stock  upstream as it came  build/kernel/stock/bzImage'
	@echo 'make kernel-debug  KASAN and lockdep    build/kernel/debug/bzImage'
	@echo 'make kernel-host   as distributions do  build/kernel/host/bzImage'
	@echo 'make kexec         patched kexec-tools  build/bin/kexec'
	@echo 'make tool          the offline tool     build/bin/iommu-handover'
	@echo 'make deb           Debian packages of kexec-tools and tool  build/deb'
	@echo 'make deb-kernel    and of the kernel as Debian configures it, for hours'
	@echo 'make demo          devices whose DMA goes on through KEXECS=5 kexecs'
	@echo 'make demo LEVEL=paused   one that is stopped for each'
	@echo 'make demo-qemu     an unmodified QEMU with a device through KEXECS kexecs'
	@echo 'make soak          twice in a row SOAK_KEXECS=100 kexecs of the first  build/soak'
	@echo 'make boot SCENARIO=NAME [KEXECS=N]   one boot scenario'
	@echo 'make check-fast    all tests that need no boot, under a minute'
	@echo 'make check         what CI runs, 20 minutes when the caches are there'
	@echo 'make check-debug   what of it is run on the kernel with KASAN and lockdep'
	@echo 'make check-full    all of tests/boot/run --list, all kernels'
	@echo 'make selftests     upstream'\''s, on the stock and on the patched kernel'
	@echo 'make bench         cost of the recorder, and of 100,000 maps'
	@echo 'make lint          checkpatch, W=1 and sparse on our kernel files'
	@echo 'make port          what does not apply to the Linux of UPSTREAM, or to the'
	@echo '                   kexec-tools of KEXEC_UPSTREAM'
	@echo 'make submit        both patch queues as series  build/submit'
	@echo 'make submit-check  builds the kernel series at each patch'
	@echo 'make clean         remove build/'
	@echo 'make distclean-cache   remove the cache as well'
	@echo
	@echo 'KERNELS=7.3,7.2              demo: kernels of these series in turn'
	@echo 'IOMMU=vtd|vtd-first-stage|amd  the IOMMU of demo, soak and boot'
	@echo 'Variables: O=DIR  UPSTREAM=7.3  LINUX_TARBALL=FILE'
	@echo '  KEXEC_UPSTREAM=2.0.32  KEXEC_TARBALL=FILE  QEMU=FILE  ACCEL=kvm'
	@echo '  JOBS=N  IOMMU_HANDOVER_CACHE=DIR'

# The boot harness calls make for what is missing; packages are there by then.
.PHONY: packages
packages:
	@scripts/packages

.PHONY: kernel kernel-stock kernel-debug kernel-host kexec tool unit boot-programs
kernel: packages
	@scripts/kernel patched

kernel-stock: packages
	@scripts/kernel stock

kernel-debug: packages
	@scripts/kernel debug

kernel-host: packages
	@scripts/kernel host

kexec: packages
	@scripts/kexec-tools

tool: packages
	@$(MAKE) --no-print-directory -C tools O=$(O)

unit: packages
	@$(MAKE) --no-print-directory -C tests/unit O=$(O)

boot-programs: packages
	@tests/boot/run --build

# Installable: packaging/README.md says what.
.PHONY: deb deb-kernel
deb: packages
	@scripts/deb
	@$(if $(KERNEL),scripts/deb-kernel)

deb-kernel: packages
	@scripts/deb-kernel

.PHONY: demo demo-level demo-qemu soak boot
demo-level:
	@case '$(LEVEL)' in continuous|paused) ;; *) \
		echo 'LEVEL=$(LEVEL): there are continuous and paused'; exit 2;; esac

# Kernels of these series in turn: KERNELS=7.3,7.2
comma := ,
OTHER_SERIES = $(filter-out 7.3,$(sort $(subst $(comma), ,$(KERNELS))))

.PHONY: other-kernels
other-kernels: kernel
	@for series in $(OTHER_SERIES); do \
		UPSTREAM=$$series O=$(O)/$$series scripts/kernel patched || exit; done

demo: demo-level kernel other-kernels kexec tool
	@tests/boot/run $(if $(filter paused,$(LEVEL)),demo,dma) --kexecs $(KEXECS) \
		$(if $(KERNELS),--kernels $(KERNELS)) --results $(O)/demo

demo-qemu: kernel kexec tool
	@tests/boot/run qemu --kexecs $(KEXECS) --results $(O)/demo-qemu

soak: kernel kexec tool
	@for run in 1 2; do \
		tests/boot/run dma --kexecs $(SOAK_KEXECS) \
			--results $(O)/soak/$$run || exit; done

boot:
	@[ "$(SCENARIO)" ] || { echo 'make boot SCENARIO=NAME; there are:'; \
		tests/boot/run --list; exit 2; }
	@$(MAKE) --no-print-directory kernel kexec tool
	@tests/boot/run $(SCENARIO) $(if $(filter command% environment%,\
		$(origin KEXECS)),--kexecs $(KEXECS))

.PHONY: port
port: packages
	@scripts/port

.PHONY: check check-fast check-debug check-full selftests bench lint submit submit-check
check check-fast check-debug check-full: packages
	@scripts/check $@

selftests: packages
	@tests/upstream/run && tests/upstream/liveupdate && tests/upstream/vfio

bench: packages
	@tests/bench/run

lint: packages
	@scripts/lint

submit: packages
	@scripts/submit

submit-check: submit
	@scripts/submit-build

.PHONY: clean distclean-cache
clean:
	@[ ! -e $(O)/.git ] || { echo 'O=$(O) is a checkout'; exit 2; }
	rm -rf $(O)

distclean-cache: clean
	@scripts/cache remove
