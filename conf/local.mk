# SPDX-License-Identifier: ISC
# Shipped configuration. What an administrator has written is never touched.

conf_files = conf/main.cf conf/master.cf conf/aliases
sample_DATA = $(conf_files)
dist_sample_SCRIPTS = conf/create-users conf/introspect-token
EXTRA_DIST += $(conf_files) conf/compat.def conf/packages \
	conf/posthaste.service.in conf/posthaste@.service.in \
	conf/posthaste.init.in

# Paths are known only to make.
conf_substitute = mkdir -p conf && sed -e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@configdir[@]|$(CONFIG_DIR)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	-e 's|@daemondir[@]|$(daemondir)|g'
conf/posthaste.service: $(srcdir)/conf/posthaste.service.in Makefile
	$(AM_V_GEN)$(conf_substitute) $(srcdir)/conf/posthaste.service.in >$@
conf/posthaste@.service: $(srcdir)/conf/posthaste@.service.in Makefile
	$(AM_V_GEN)$(conf_substitute) "$(srcdir)/conf/posthaste@.service.in" >$@
conf/posthaste.init: $(srcdir)/conf/posthaste.init.in Makefile
	$(AM_V_GEN)$(conf_substitute) $(srcdir)/conf/posthaste.init.in >$@
CLEANFILES += conf/posthaste.service conf/posthaste@.service conf/posthaste.init

systemddir = $(SYSTEMD_DIR)
systemd_DATA = conf/posthaste.service conf/posthaste@.service
noinst_SCRIPTS = conf/posthaste.init

install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(CONFIG_DIR)" "$(DESTDIR)$(QUEUE_DIR)" \
		"$(DESTDIR)$(localstatedir)/lib/posthaste" \
		"$(DESTDIR)$(sysconfdir)/init.d"
	for file in $(conf_files); do \
		to="$(DESTDIR)$(CONFIG_DIR)/$${file#conf/}"; \
		test -e "$$to" || \
			$(INSTALL_DATA) "$(srcdir)/$$file" "$$to" || exit 1; \
	done
	$(INSTALL_SCRIPT) conf/posthaste.init \
		"$(DESTDIR)$(sysconfdir)/init.d/posthaste"

# Only what nobody has changed.
uninstall-local:
	for file in $(conf_files); do \
		to="$(DESTDIR)$(CONFIG_DIR)/$${file#conf/}"; \
		! cmp -s "$(srcdir)/$$file" "$$to" || rm -f "$$to"; \
	done
	rm -f "$(DESTDIR)$(sysconfdir)/init.d/posthaste"
