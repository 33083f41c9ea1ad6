# Below DESTDIR and PREFIX; the configuration is always /etc/tidewaiter, where the daemon looks for it.
# A configuration that is there is never overwritten: the sample comes beside it.
SBINDIR  = $(DESTDIR)$(PREFIX)/sbin
BINDIR   = $(DESTDIR)$(PREFIX)/bin
MANDIR   = $(DESTDIR)$(PREFIX)/share/man
DOCDIR   = $(DESTDIR)$(PREFIX)/share/doc/tidewaiter
CONFDIR  = $(DESTDIR)/etc/tidewaiter
SYSTEMD  = $(DESTDIR)$(PREFIX)/lib/systemd/system
SYSUSERS = $(DESTDIR)$(PREFIX)/lib/sysusers.d
LOGROTATE = $(DESTDIR)/etc/logrotate.d
INSTALL ?= install

#: make install [DESTDIR=DIR] [PREFIX=/usr]   programs, manual pages, documents, sample, systemd unit, logrotate
.PHONY: install
install: all
	$(INSTALL) -d $(SBINDIR) $(BINDIR) $(MANDIR)/man5 $(MANDIR)/man8 $(DOCDIR)/examples $(CONFDIR)/policy $(SYSTEMD) $(SYSUSERS) $(LOGROTATE)
	$(INSTALL) -m 755 $(B)/tidewaiter $(SBINDIR)/tidewaiter
	$(INSTALL) -m 755 $(B)/tidectl $(BINDIR)/tidectl
	$(INSTALL) -m 644 $(wildcard man/*.5) $(MANDIR)/man5
	$(INSTALL) -m 644 $(wildcard man/*.8) $(MANDIR)/man8
	$(INSTALL) -m 644 README.md CHANGES.md LICENSE $(wildcard docs/*.md docs/*.svg) $(DOCDIR)
	$(INSTALL) -m 644 $(wildcard etc/demo/*) $(DOCDIR)/examples
	$(INSTALL) -m 644 etc/tidewaiter.conf $(CONFDIR)/tidewaiter.conf.sample
	[ -e $(CONFDIR)/tidewaiter.conf ] || $(INSTALL) -m 644 etc/tidewaiter.conf $(CONFDIR)/tidewaiter.conf
	$(INSTALL) -m 644 etc/policy/limits.lua $(CONFDIR)/policy/limits.lua.sample
	[ -e $(CONFDIR)/policy/limits.lua ] || $(INSTALL) -m 644 etc/policy/limits.lua $(CONFDIR)/policy/limits.lua
	sed 's,/usr/sbin,$(PREFIX)/sbin,' etc/tidewaiter.service >$(SYSTEMD)/tidewaiter.service
	chmod 644 $(SYSTEMD)/tidewaiter.service
	$(INSTALL) -m 644 $(SYSTEMD)/tidewaiter.service $(SYSTEMD)/tidewaiter@.service
	$(INSTALL) -m 644 etc/tidewaiter.sysusers $(SYSUSERS)/tidewaiter.conf
	$(INSTALL) -m 644 etc/tidewaiter.logrotate $(LOGROTATE)/tidewaiter
