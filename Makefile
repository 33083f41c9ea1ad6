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

ROOMS := base guard audit series archive net smtp policy policy/sieve policy/lua relay session front admin app

PKGS  := libevent_core openssl luajit libpcre2-8 libcares jansson libseccomp zlib
WARN  := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
         -Wpointer-arith -Wundef -Wwrite-strings -Wold-style-definition
OPT_plain := -O2 -D_FORTIFY_SOURCE=2
OPT_asan  := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan  := -O1 -fsanitize=thread -fno-omit-frame-pointer
MODE      := $(if $(SAN),$(SAN),plain)
CFLAGS    ?= -g $(OPT_$(MODE)) -fstack-protector-strong -fPIE
# Asked for once, when the packages are there, not when this file is read.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(WARN) $(CFLAGS) -Isrc $(PKG_CFLAGS) \
             -pthread -MMD -MP
LDFLAGS   ?= -pie -Wl,-z,relro,-z,now
LIBS       = $(PKG_LIBS) -pthread -lm

# V=1 shows the commands.
Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-5s %s\n' $(1) $(patsubst $(B)/%,%,$@))

# A room is a library. room_lib turns its path into the archive's; uses lists what it may include,
# nearest first, from src/layers.txt, so that the linker enforces the same arrows.
room_lib = $(B)/lib/lib$(subst /,_,$(1)).a
uses     = $(shell awk -v room=$(1) '$$1 == room { for (i = NF; i > 1; i--) print $$i }' src/layers.txt)
rooms_of = $(sort $(1) $(foreach r,$(call uses,$(1)),$(call rooms_of,$(r))))
libs_of  = $(foreach r,$(call rooms_of,$(1)),$(call room_lib,$(r)))

.PHONY: all run test help clean
all: $(B)/tidewaiter $(B)/tidectl $(B)/crowd

#: make                  build the daemon and its console client
help:
	@sed -n 's/^#: //p' Makefile mk/*.mk

# --- the rooms -----------------------------------------------------------------------------

define room_rules
$(call room_lib,$(1)): $(patsubst src/%.c,$(B)/obj/%.o,$(filter-out src/app/main.c,$(wildcard src/$(1)/*.c)))
endef
$(foreach r,$(ROOMS),$(eval $(call room_rules,$(r))))

$(B)/lib/%.a:
	$(call say,AR)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/obj/%.o: src/%.c | packages
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

ALL_LIBS := $(foreach r,app admin front session relay policy/lua policy/sieve policy smtp net archive series audit guard base,$(call room_lib,$(r)))

$(B)/tidewaiter: $(B)/obj/app/main.o $(ALL_LIBS)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

$(B)/tidectl: $(patsubst tools/%.c,$(B)/tools/%.o,$(wildcard tools/ctl*.c)) $(foreach r,policy/sieve policy archive series audit net base,$(call room_lib,$(r)))
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

$(B)/crowd: $(B)/tools/crowd.o $(call room_lib,base)
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/tools/%.o: tools/%.c | packages
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

#: make run              build, and start the daemon on the demo configuration, in the foreground
run: all
	@scripts/need run
	@exec scripts/run

-include $(shell find $(B) -name '*.d' 2>/dev/null)

.PHONY: packages
packages: ; @scripts/need build

#: make clean            remove everything that was made
clean:
	rm -rf build var

include $(wildcard mk/*.mk)
