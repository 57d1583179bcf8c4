/* SPDX-License-Identifier: ISC */
/*
 * Renewed certificates: a change of the files that the TLS settings name is
 * noticed, and taken up without anybody asking for a reload. The new files
 * are tried first; while they are wrong (a certificate whose key has not been
 * written yet), everything goes on with the old ones. A process that starts
 * between a change and the next look reads what is there: if that is good, it
 * is taken up just before, so that keyd has the key of its certificate.
 *
 * Only the programs with TLS are replaced, with the settings they have:
 * main.cf is not read again. Sessions finish where they are.
 */
#include "master/master.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/service/programs.h"
#include "lib/tls/tls_check.h"

/* Settings with names of files; with -o the same. */
static const char *const settings[] = {
	"smtpd_tls_chain_files",
	"smtpd_tls_cert_file",
	"smtpd_tls_key_file",
	"smtpd_tls_eccert_file",
	"smtpd_tls_eckey_file",
	"smtp_tls_chain_files",
	"smtp_tls_cert_file",
	"smtp_tls_key_file",
	"smtp_tls_eccert_file",
	"smtp_tls_eckey_file",
	"lmtp_tls_chain_files",
	"lmtp_tls_cert_file",
	"lmtp_tls_key_file",
	"lmtp_tls_eccert_file",
	"lmtp_tls_eckey_file",
	"pop3d_tls_chain_files",
	"pop3d_tls_cert_file",
	"pop3d_tls_key_file",
	"pop3d_tls_eccert_file",
	"pop3d_tls_eckey_file",
	"imapd_tls_chain_files",
	"imapd_tls_cert_file",
	"imapd_tls_key_file",
	"imapd_tls_eccert_file",
	"imapd_tls_eckey_file",
};

static struct {
	ev_timer timer;
	uint64_t taken; /* what the programs have, or are refused */
	uint64_t last; /* as seen the time before */
	uint64_t refused; /* by renewal_before_start */
} renewal;

static void
mix(uint64_t *stamp, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		*stamp = (*stamp ^ p[i]) * UINT64_C(1099511628211);
}

static void
mix_files(uint64_t *stamp, const char *files)
{
	struct span rest = span_of(files), word;

	while (span_cut(&rest, ", \t\r\n", true, &word)) {
		struct arena *a = arena_new();
		struct stat st;

		if (word.n > 0 && stat(arena_span(a, word), &st) == 0) {
			mix(stamp, &st.st_ino, sizeof(st.st_ino));
			mix(stamp, &st.st_size, sizeof(st.st_size));
			mix(stamp, &st.st_mtim, sizeof(st.st_mtim));
		}
		mix(stamp, word.p, word.n);
		arena_free(&a);
	}
}

/* -o smtpd_tls_cert_file=/path of one service. */
static void
mix_override(uint64_t *stamp, struct conf *c, const char *option)
{
	struct span name = span_of(option);
	struct buf error = BUF_INIT(256);
	const char *value;

	name = span_take(name, span_find(name, '='));
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (!span_is(span_trim(name), settings[i]) ||
		    option[name.n] == '\0')
			continue;
		value = conf_expand(c, option + name.n + 1, &error);
		if (value != NULL)
			mix_files(stamp, value);
	}
	buf_fini(&error);
}

static uint64_t
stamp_of(struct plan *plan)
{
	uint64_t stamp = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *value = conf_value(plan->conf, settings[i]);

		if (value != NULL)
			mix_files(&stamp, value);
	}
	for (size_t i = 0; i < plan->count; i++)
		for (char **o = plan->services[i].entry->overrides; *o != NULL;
		     o++)
			mix_override(&stamp, plan->conf, *o);
	return stamp;
}

static bool
has_certificates(const struct program *p)
{
	return strcmp(p->name, "keyd") == 0 || program_may_reach(p, "keyd");
}

/*
 * keyd first: who asks next meets one that knows the new keys. Who could not
 * start with what was there before need not wait any longer.
 */
static void
replace(struct master *m, bool keyd)
{
	for (struct served *s = m->services; s != NULL; s = s->next) {
		if (!has_certificates(s->program) ||
		    (strcmp(s->program->name, "keyd") == 0) != keyd)
			continue;
		for (struct child *c = s->children; c != NULL; c = c->next)
			if (!c->retiring)
				child_retire(c, false);
		service_unthrottle(s);
		service_update(s);
	}
}

static void
take_up(struct master *m)
{
	log_info("TLS certificates or keys have changed: taken up");
	replace(m, true);
	replace(m, false);
}

static void
take_up_if_good(struct master *m)
{
	struct buf errors = BUF_INIT(60000);
	struct span rest, line;

	if (tls_check_settings(m->plan->conf, &errors, NULL)) {
		take_up(m);
	} else {
		log_warning("TLS certificates or keys have changed and are"
			    " not usable: the old ones stay in use");
		rest = buf_span(&errors);
		while (span_cut(&rest, "\n", true, &line))
			log_warning("%.*s", SPAN_ARG(line));
	}
	buf_fini(&errors);
}

/* A change counts when it has been the same twice: copying takes a while. */
static void
look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct master *m = timer->data;
	uint64_t now;

	(void)loop;
	(void)events;
	if (m->stopping)
		return;
	now = stamp_of(m->plan);
	if (now != renewal.taken && now == renewal.last) {
		renewal.taken = now;
		take_up_if_good(m);
	}
	renewal.last = now;
}

void
renewal_before_start(struct served *s)
{
	struct master *m = s->master;
	struct buf errors = BUF_INIT(60000);
	uint64_t now;

	if (!has_certificates(s->program))
		return;
	now = stamp_of(m->plan);
	if (now == renewal.taken || now == renewal.refused)
		return;
	if (tls_check_settings(m->plan->conf, &errors, NULL)) {
		renewal.taken = now;
		take_up(m);
	} else {
		renewal.refused = now; /* look() says why, if it stays so */
	}
	buf_fini(&errors);
}

void
renewal_new_plan(struct plan *plan)
{
	renewal.taken = renewal.last = stamp_of(plan);
}

void
renewal_start(struct master *m)
{
	double every = (double)m->plan->params.tls_renewal_check_time;

	ev_timer_init(&renewal.timer, look, every, every);
	renewal.timer.data = m;
	ev_timer_start(m->loop, &renewal.timer);
}
