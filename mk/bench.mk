# What the parts cost, measured on the machine at hand and held against their goals.

CIDR_BENCH_SRC := $(filter-out bench/cidr/shim.c bench/cidr/kind_judy.c,$(wildcard bench/cidr/*.c))
HAVE_JUDY := $(wildcard /usr/include/Judy.h)

.PHONY: bench bench-cidr
#: make bench            all benchmarks (QUICK=1: a short run)
bench: bench-cidr

#: make bench-cidr       the counting tree against its goals and against uthash and Judy
bench-cidr: $(B)/bench/cidr
	$< 1000000 $(if $(QUICK),1,5)

bench-packages: ; @scripts/need build bench
$(B)/bench/cidr: $(CIDR_BENCH_SRC) $(if $(HAVE_JUDY),bench/cidr/kind_judy.c) $(call libs_of,audit) | bench-packages
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(if $(HAVE_JUDY),-DHAVE_JUDY) -Ibench/cidr $(LDFLAGS) -o $@ $(filter %.c,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(if $(HAVE_JUDY),-lJudy) $(LIBS)

#: make bench-cidr-shim  the tree as a shared object with the interface of bench/cidr/abi.h
.PHONY: bench-cidr-shim
bench-cidr-shim: $(B)/bench/libcidr.so
$(B)/bench/libcidr.so: bench/cidr/shim.c $(wildcard src/audit/*.c src/base/*.c) | packages
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fPIC -shared -fno-semantic-interposition -Wl,-Bsymbolic -Ibench/cidr -o $@ \
		bench/cidr/shim.c src/audit/cidr_tree.c src/audit/trie.c src/audit/bucket.c src/audit/scan.c \
		src/audit/region.c src/base/addr.c src/base/buf.c src/base/check.c src/base/mem.c $(LIBS)
