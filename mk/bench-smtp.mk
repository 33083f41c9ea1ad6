bench: bench-smtp

#: make bench-smtp       the whole daemon against its goals and beside its peers (QUICK=1: a short run)
.PHONY: bench-smtp
bench-smtp: $(B)/tidewaiter $(B)/tidectl $(patsubst %,$(B)/bench/%,floor load counting bench_sieve bench_lua) | bench-packages
	$(PYTHON) bench/smtp/run $(if $(QUICK),-q) $(B)

$(B)/bench/floor $(B)/bench/load: $(B)/bench/%: bench/smtp/%.c | bench-packages
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(LIBS)

$(B)/bench/counting: bench/smtp/counting.c $(call libs_of,series)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
