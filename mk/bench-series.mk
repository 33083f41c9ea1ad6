bench: bench-series

#: make bench-series     the windows of series against their goals (QUICK=1: a short run)
.PHONY: bench-series
bench-series: $(B)/bench/series
	$< $(if $(QUICK),1 10,5 100)

$(B)/bench/series: $(wildcard bench/series/*.c) $(addprefix bench/cidr/,table.c measure.c workload.c kind_uthash.c) $(call libs_of,series) | bench-packages
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Ibench/cidr -Ibench/series $(LDFLAGS) -o $@ $(filter %.c,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
