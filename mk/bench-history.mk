bench: bench-history

#: make bench-history    a month of journals, asked (needs 4 GB below B; QUICK=1: two days of it)
.PHONY: bench-history
bench-history: $(B)/bench/history
	$< $(B)/bench $(if $(QUICK),192 100000 3,2880 100000 5)

$(B)/bench/history: bench/history/history.c bench/cidr/measure.c $(call libs_of,archive) | bench-packages
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Ibench/cidr $(LDFLAGS) -o $@ $(filter %.c,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
