# Tidewaiter. `make run` and `make test` are the two that a newcomer needs; `make help` lists the rest.
#
#   B=DIR     where everything that is made goes (build/plain, build/asan, build/tsan)
#   SAN=      asan (with UBSan) or tsan: the same targets, instrumented
#   CC=       gcc or clang

VERSION := 0.1.0
SAN     ?=
B       ?= build/$(if $(SAN),$(SAN),plain)
PREFIX  ?= /usr
DESTDIR ?=
PYTHON  ?= python3

ROOMS := base audit net smtp policy policy/sieve policy/lua relay session front admin app

PKGS  := libevent_core luajit libpcre2-8 libcares jansson
WARN  := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
         -Wpointer-arith -Wundef -Wwrite-strings -Wold-style-definition
OPT_plain := -O2 -D_FORTIFY_SOURCE=2
OPT_asan  := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan  := -O1 -fsanitize=thread -fno-omit-frame-pointer
MODE      := $(if $(SAN),$(SAN),plain)
CFLAGS    ?= -g $(OPT_$(MODE)) -fstack-protector-strong -fPIE
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(WARN) $(CFLAGS) -Isrc -I$(B)/gen \
             $(shell pkg-config --cflags $(PKGS)) -pthread -MMD -MP
LDFLAGS   ?= -pie -Wl,-z,relro,-z,now
LIBS       = $(shell pkg-config --libs $(PKGS)) -pthread -lm

# A room is a library. room_lib turns its path into the archive's; uses lists what it may include,
# nearest first, from src/layers.txt, so that the linker enforces the same arrows.
room_lib = $(B)/lib/lib$(subst /,_,$(1)).a
uses     = $(shell awk -v room=$(1) '$$1 == room { for (i = NF; i > 1; i--) print $$i }' src/layers.txt)
libs_of  = $(foreach r,$(1) $(call uses,$(1)),$(call room_lib,$(r)))

.PHONY: all run test help clean
all: $(B)/tidewaiter $(B)/tidectl

help:
	@sed -n 's/^#: //p' Makefile mk/*.mk

# --- the rooms -----------------------------------------------------------------------------

define room_rules
$(call room_lib,$(1)): $(patsubst src/%.c,$(B)/obj/%.o,$(filter-out src/app/main.c,$(wildcard src/$(1)/*.c)))
endef
$(foreach r,$(ROOMS),$(eval $(call room_rules,$(r))))

$(B)/lib/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/obj/%.o: src/%.c | packages
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

ALL_LIBS := $(foreach r,app admin front session relay policy/lua policy/sieve policy smtp net audit base,$(call room_lib,$(r)))

$(B)/tidewaiter: $(B)/obj/app/main.o $(ALL_LIBS)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

$(B)/tidectl: $(patsubst tools/%.c,$(B)/tools/%.o,$(wildcard tools/ctl*.c)) $(foreach r,policy/sieve policy audit net base,$(call room_lib,$(r)))
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

$(B)/tools/%.o: tools/%.c | packages
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

-include $(shell find $(B) -name '*.d' 2>/dev/null)

.PHONY: packages
packages: ; @scripts/need build

#: make clean            remove everything that was made
clean:
	rm -rf build var

include $(wildcard mk/*.mk)
