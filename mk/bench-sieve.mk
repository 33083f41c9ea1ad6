#: make bench-sieve      how many Sieve++ scripts with four live counts a second
.PHONY: bench-sieve
bench-sieve: $(B)/bench/bench_sieve
	$(B)/bench/bench_sieve bench/sieve/counts.sieve

$(B)/bench/bench_sieve: bench/sieve/bench_sieve.c $(foreach r,policy/sieve policy series audit net base,$(call room_lib,$(r)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I. $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
