#: make bench-lua        how many Lua callouts with four live counts a second
.PHONY: bench-lua
bench-lua: $(B)/bench/bench_lua
	$(B)/bench/bench_lua bench/lua/counts

$(B)/bench/bench_lua: bench/lua/bench_lua.c $(foreach r,policy/lua policy series audit net base,$(call room_lib,$(r)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I. $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
