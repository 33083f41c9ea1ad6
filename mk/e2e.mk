# The daemon as a whole, from outside: real sockets, real clients, a real Postfix behind it.

E2E_BUILD ?= build/asan
E2E_SAN   := $(filter asan tsan,$(notdir $(E2E_BUILD)))

#: make e2e [T=talk]     end-to-end tests, all or one file's (E2E_BUILD=build/plain: of that build)
.PHONY: e2e
e2e: test-packages
	@scripts/need peers
	@$(MAKE) --no-print-directory SAN=$(E2E_SAN) B=$(E2E_BUILD) all
	@E2E_BUILD=$(E2E_BUILD) $(PYTHON) tests/e2e/run $(T)
