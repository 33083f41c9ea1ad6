# Everything that proves something. The parts of `make test`, in order: what is cheap comes first.
# Sub-makes, because each part is another build: gcc and clang, plain, ASan with UBSan, TSan.
JOBS := $(shell nproc)
PART  = +@printf '\n== %s\n' "$(1)" && $(MAKE) --no-print-directory -j$(JOBS)

#: make test             everything that must hold; what .ci/run calls
test: test-packages layers
	$(call PART,gcc) all
	$(call PART,clang) CC=clang B=build/clang all
	$(call PART,unit tests) unit
	$(call PART,Sieve++ scripts that test themselves) sieve-scripts
	$(call PART,documents) docs-check
	$(call PART,unit tests under ASan and UBSan) SAN=asan unit
	$(call PART,tests of threads under TSan) tsan-unit
	$(call PART,fuzz corpora under ASan and UBSan) SAN=asan fuzz-replay
	$(call PART,end to end under ASan and UBSan) e2e
	$(call PART,end to end with every system call filtered) e2e E2E_BUILD=build/plain T="$(FILTERED)"
	$(call PART,end to end at full size) e2e E2E_BUILD=build/plain T="-j 1 $(FULL_SIZE)"

# tests/unit/ROOM/test_X.c tests src/ROOM and links that room and what it may include, no more:
# a test that needs a fake of half the daemon shows a wrong arrow.

UNIT_SRC  := $(sort $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c))
UNIT_BIN  := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)
FUZZ_SRC  := $(sort $(wildcard fuzz/fuzz_*.c))
FUZZ_BIN  := $(FUZZ_SRC:fuzz/%.c=$(B)/fuzz/%)

# Tests of what threads share; these run under TSan as well.
TSAN_TESTS := $(sort $(wildcard tests/unit/*/test_*_threads.c tests/unit/*/*/test_*_threads.c))

# A sanitizer needs system calls that the filter refuses: these run without one, too.
FILTERED := confined service talk delivery relay modules

# A sanitizer takes the room of thousands of clients, and all memory that there is.
FULL_SIZE := crowded faults_crowd faults_disk

.PHONY: test-packages unit tsan-unit fuzz-replay layers clang-build e2e
test-packages: ; @scripts/need build test

.SECONDEXPANSION:
$(B)/unit/%: tests/unit/%.c $$(call libs_of,$$(*D)) | test-packages
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka $(LIBS)

#: make unit             the unit tests (SAN=asan or SAN=tsan: instrumented)
unit: $(UNIT_BIN)
	@for t in $(UNIT_BIN); do echo "== $$t"; $$t || exit 1; done

#: make sieve-scripts    tests/sieve/*.sieve, through tidectl
.PHONY: sieve-scripts
sieve-scripts: $(B)/tidectl
	@tests/sieve/run $<

#: make tsan-unit        the tests of what threads share, under TSan
tsan-unit:
	+@$(MAKE) --no-print-directory SAN=tsan unit UNIT_SRC="$(TSAN_TESTS)"

# A fuzz target names its room on its first line: `// room: smtp`.
fuzz_room = $(shell sed -n '1s,^// room: ,,p' $(1))
$(B)/fuzz/%: fuzz/%.c fuzz/replay.c $$(call libs_of,$$(call fuzz_room,fuzz/$$*.c)) | test-packages
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< fuzz/replay.c -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

#: make fuzz-replay      run every fuzz target over its saved corpus
fuzz-replay: $(FUZZ_BIN)
	@for t in $(FUZZ_BIN); do n=$${t##*/fuzz_}; $$t fuzz/corpus/$$n || exit 1; done

#: make fuzz [T=name] [SECONDS=60]   look for new inputs with libFuzzer (clang)
SECONDS ?= 60
FUZZ_ONE = build/libfuzzer/fuzz/fuzz_$(T)
.PHONY: fuzz fuzz-one
fuzz: test-packages
	@for t in $(if $(T),$(T),$(FUZZ_SRC:fuzz/fuzz_%.c=%)); do $(MAKE) --no-print-directory fuzz-one T=$$t || exit 1; done
fuzz-one:
	$(MAKE) --no-print-directory CC=clang B=build/libfuzzer CFLAGS="-g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" $(foreach r,$(call fuzz_room,fuzz/fuzz_$(T).c),$(foreach l,$(call libs_of,$(r)),$(l:$(B)/%=build/libfuzzer/%)))
	@mkdir -p build/libfuzzer/fuzz build/libfuzzer/found/$(T)
	clang -std=c11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -Isrc $(shell pkg-config --cflags $(PKGS)) -o $(FUZZ_ONE) fuzz/fuzz_$(T).c -Wl,--start-group $(foreach l,$(call libs_of,$(call fuzz_room,fuzz/fuzz_$(T).c)),$(l:$(B)/%=build/libfuzzer/%)) -Wl,--end-group $(LIBS)
	$(FUZZ_ONE) -max_total_time=$(SECONDS) -artifact_prefix=build/libfuzzer/found/ build/libfuzzer/found/$(T) fuzz/corpus/$(T)

#: make layers           check that includes follow src/layers.txt
layers: ; @scripts/check-layers
