/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/tls/tls.h"
#include "lib/tls/tls_choice.h"
#include "lib/tls/tls_context.h"
#include "lib/tls/tls_kept.h"
#include "lib/tls/tls_key.h"
#include "lib/tls/tls_protocols.h"
#include "lib/tls/tls_settings.h"

/* A group of settings with one prefix. */
static const struct family {
	const char *prefix;
	const char *level; /* setting that turns TLS on, or NULL */
	const char *wrapper; /* setting that wants it at once, or NULL */
	const char *protocols[2];
	const char *ciphers;
	bool client; /* certificate is its own affair, not needed for TLS */
	enum key_users users;
} families[] = {
	{ "smtpd", "smtpd_tls_security_level", "smtpd_tls_wrappermode",
	    { "smtpd_tls_protocols", "smtpd_tls_mandatory_protocols" }, NULL,
	    false, KEY_SMTPD },
	{ "smtp", NULL, NULL,
	    { "smtp_tls_protocols", "smtp_tls_mandatory_protocols" }, NULL,
	    true, KEY_SMTP },
	{ "lmtp", NULL, NULL,
	    { "lmtp_tls_protocols", "lmtp_tls_mandatory_protocols" }, NULL,
	    true, KEY_SMTP },
	{ "pop3d", NULL, "pop3d_tls_wrappermode",
	    { "pop3d_tls_protocols", NULL }, "pop3d_tls_ciphers", false,
	    KEY_POP3D },
	{ "imapd", NULL, "imapd_tls_wrappermode",
	    { "imapd_tls_protocols", NULL }, "imapd_tls_ciphers", false,
	    KEY_IMAPD },
};

/* One trial. */
struct trial {
	struct conf *c;
	struct conf *main_cf; /* the same without -o; NULL: c is */
	struct conf *calm; /* the same without stress; NULL: c is */
	const struct family *f;
	struct buf *errors;
	struct buf *warnings;
	struct tls_files files;
	bool own_files; /* these together are in neither of the others */
	char blamed[64]; /* setting that is named with a mistake */
	bool worth; /* a trial, and telling */
	bool good;
};

/* Stands for keyd: only the kind of key matters here. */
static bool
sign_nothing(const char *key, enum tls_key_operation operation,
    unsigned int padding, struct span data, struct buf *signature)
{
	(void)key, (void)operation, (void)padding, (void)data, (void)signature;
	return false;
}

static const char *
value(struct conf *c, const char *setting)
{
	const char *text = setting == NULL ? NULL : conf_value(c, setting);

	return text == NULL ? "" : text;
}

static const char *
of_family(struct trial *t, const char *rest)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_tls_%s", t->f->prefix, rest);
	return value(t->c, name);
}

/* "other" may be NULL: of that nothing is known. */
static bool
as_in(const struct trial *t, struct conf *other, const char *setting)
{
	return other != NULL &&
	    strcmp(value(t->c, setting), value(other, setting)) == 0;
}

/* By an -o of this name or one that its value refers to; by stress. */
static bool
differs(const struct trial *t, const char *setting)
{
	return (t->main_cf != NULL || t->calm != NULL) &&
	    !as_in(t, t->main_cf, setting) && !as_in(t, t->calm, setting);
}

/*
 * A trial costs a context of OpenSSL's, some milliseconds. With the -o of a
 * service, or under stress, nobody is told but of settings that these set; the
 * others were tried once, as main.cf's and as usual.
 */
static void
blame(struct trial *t, const char *setting)
{
	snprintf(t->blamed, sizeof(t->blamed), "%s", setting);
	t->worth =
	    (t->main_cf == NULL && t->calm == NULL) || differs(t, setting);
}

static void
say(struct trial *t, struct buf *to, const char *text)
{
	if (!t->worth)
		return;
	if (to == t->errors)
		t->good = false;
	if (to != NULL)
		buf_printf(to, "%s: %s: %s%s\n",
		    t->main_cf != NULL ? CONF_OPTION :
					 conf_origin(t->c, t->blamed),
		    t->blamed, t->calm != NULL ? "under stress: " : "", text);
}

static bool
is_named(const char *file)
{
	return file[0] != '\0' && strcmp(file, "none") != 0;
}

static const struct {
	const char *name;
	bool certificate;
} file_settings[] = {
	{ "chain_files", true },
	{ "cert_file", true },
	{ "eccert_file", true },
	{ "key_file", false },
	{ "eckey_file", false },
};

enum { FILE_SETTINGS = sizeof(file_settings) / sizeof(file_settings[0]) };

/* By the settings of all files; "other" may be NULL. */
static bool
are_as_in(const struct trial *t, struct conf *other)
{
	char setting[64];

	for (size_t i = 0; i < FILE_SETTINGS; i++) {
		snprintf(setting, sizeof(setting), "%s_tls_%s", t->f->prefix,
		    file_settings[i].name);
		if (!as_in(t, other, setting))
			return false;
	}
	return true;
}

/*
 * Which of the settings names the certificate, or is the service's own: a key
 * alone, or the second certificate, makes another pair; and so does what stress
 * sets with what an -o does, though neither is new. False: there is none.
 */
static bool
find_files(struct trial *t)
{
	bool found = false, own = false;
	char setting[64];

	t->files = (struct tls_files){
		.chain_files = of_family(t, "chain_files"),
		.cert_file = of_family(t, "cert_file"),
		.key_file = of_family(t, "key_file"),
		.eccert_file = of_family(t, "eccert_file"),
		.eckey_file = of_family(t, "eckey_file"),
	};
	for (size_t i = 0; i < FILE_SETTINGS; i++) {
		bool certificate = file_settings[i].certificate &&
		    is_named(of_family(t, file_settings[i].name));

		snprintf(setting, sizeof(setting), "%s_tls_%s", t->f->prefix,
		    file_settings[i].name);
		if (!own && (differs(t, setting) || (certificate && !found)))
			blame(t, setting);
		own |= differs(t, setting);
		found |= certificate;
	}
	t->own_files = !are_as_in(t, t->main_cf) && !are_as_in(t, t->calm);
	return found;
}

/* False with errno. */
static bool
is_there(const char *file)
{
	struct span kept;
	int error;

	if (!tls_kept_find(file, &kept, &error))
		return access(file, F_OK) == 0;
	errno = error;
	return error == 0;
}

/*
 * Those that are not there, by the setting that names them; what a default
 * borrows from another family is told there. False: do not try them.
 */
static bool
files_are_there(struct trial *t)
{
	static const char *const names[] = { "cert_file", "key_file",
		"eccert_file", "eckey_file" };
	bool own = false, there = true;
	char setting[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *file = of_family(t, names[i]);
		bool missing = is_named(file) && !is_there(file);
		char text[512];

		snprintf(setting, sizeof(setting), "%s_tls_%s", t->f->prefix,
		    names[i]);
		own |= conf_raw(t->c, setting) != NULL;
		there &= !missing;
		if (!missing || conf_raw(t->c, setting) == NULL)
			continue;
		snprintf(text, sizeof(text), "%s: %s", file, strerror(errno));
		blame(t, setting);
		say(t, t->errors, text);
	}
	snprintf(setting, sizeof(setting), "%s_tls_chain_files", t->f->prefix);
	return there && (own || conf_raw(t->c, setting) != NULL);
}

static bool
note_key(void *with, const struct tls_pem_group *group, struct buf *error)
{
	bool *found = with;

	(void)error;
	*found = *found || group->key != NULL;
	return true;
}

/* Whoever has the key is this server, for all who verify it. */
static void
check_key_is_private(struct trial *t, struct span file)
{
	char *path = mem_span_text(file), text[512];
	struct buf ignored = BUF_INIT(1024);
	bool found = false;
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0 &&
	    tls_pem_file(path, true, note_key, &found, &ignored) && found) {
		snprintf(text, sizeof(text),
		    "%s: every user of this machine can read the private "
		    "key: chmod o-r",
		    path);
		say(t, t->warnings, text);
	}
	buf_fini(&ignored);
	free(path);
}

/* What a default borrows is told where it was set. */
static void
check_keys_are_private(struct trial *t)
{
	static const char *const names[][2] = { { "key_file", "cert_file" },
		{ "eckey_file", "eccert_file" }, { "chain_files", NULL } };
	char setting[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct span rest, file;
		size_t which = 0;

		snprintf(setting, sizeof(setting), "%s_tls_%s", t->f->prefix,
		    names[i][0]);
		if (conf_raw(t->c, setting) == NULL && names[i][1] != NULL)
			snprintf(setting, sizeof(setting), "%s_tls_%s",
			    t->f->prefix, names[i][++which]);
		if (conf_raw(t->c, setting) == NULL)
			continue;
		blame(t, setting);
		rest = span_of(of_family(t, names[i][which]));
		while (conf_list_next(&rest, &file))
			check_key_is_private(t, file);
	}
}

static void
check_end(struct trial *t, const struct tls_context *context)
{
	int64_t end = tls_context_expires(context);
	char text[128];

	if (end == 0 || end > (int64_t)time(NULL))
		return;
	snprintf(text, sizeof(text),
	    "the certificate has ended %lld days ago: who verifies it goes "
	    "away: renew it",
	    ((long long)time(NULL) - (long long)end) / 86400);
	say(t, t->warnings, text);
}

static void
check_protocols(struct trial *t)
{
	for (size_t i = 0; i < 2 && t->f->protocols[i] != NULL; i++) {
		struct buf error = BUF_INIT(256);
		struct tls_versions versions;

		blame(t, t->f->protocols[i]);
		if (!tls_protocols_parse(value(t->c, t->f->protocols[i]),
			&versions, &error))
			say(t, t->errors, buf_text(&error));
		buf_fini(&error);
	}
}

/* With the signer in another process, then with the keys themselves. */
static void
try_server(struct trial *t)
{
	struct tls_server_settings s = {
		.files = t->files,
		.sign = sign_nothing,
	};
	const char *error = "";
	struct tls_context *context;

	t->worth |= t->own_files;
	if (!t->worth)
		return;
	context = tls_server_new(&s, &error);
	if (context != NULL) {
		check_end(t, context);
		tls_context_free(&context);
		s.sign = NULL;
		context = tls_server_new(&s, &error);
	}
	if (context == NULL)
		say(t, t->errors, error);
	tls_context_free(&context);
}

static void
try_client(struct trial *t, const struct tls_client_settings *s)
{
	const char *error = "";
	struct tls_context *context;

	t->worth |= t->own_files;
	if (!t->worth)
		return;
	context = tls_client_new(s, &error);
	if (context == NULL)
		say(t, t->errors, error);
	else
		check_end(t, context);
	tls_context_free(&context);
}

/* Authorities: one file, or one directory. */
static void
try_trust(struct trial *t, const char *rest,
    bool (*trust)(X509_STORE *, const char *, struct buf *), struct buf *to)
{
	const char *path = of_family(t, rest);
	struct buf error = BUF_INIT(1024);
	X509_STORE *store;
	char setting[64];

	if (!is_named(path))
		return;
	snprintf(setting, sizeof(setting), "%s_tls_%s", t->f->prefix, rest);
	blame(t, setting);
	if (!t->worth && !t->f->client) {
		/* an -o that asks for certificates needs main.cf's */
		snprintf(setting, sizeof(setting), "%s_tls_ask_ccert",
		    t->f->prefix);
		blame(t, setting);
	}
	if (!t->worth)
		return;
	store = X509_STORE_new();
	if (store != NULL && !trust(store, path, &error))
		say(t, to, buf_text(&error));
	X509_STORE_free(store);
	buf_fini(&error);
}

/*
 * A server's clients need not prove anything: it works without, but not with
 * less than it has of the same file.
 */
static void
check_server_trust(struct trial *t)
{
	if (!conf_yes(of_family(t, "ask_ccert")))
		return;
	try_trust(t, "CAfile", tls_trust_file,
	    tls_kept_was_good(of_family(t, "CAfile")) ? t->errors :
							t->warnings);
	try_trust(t, "CApath", tls_trust_directory, t->warnings);
}

/* Without the directory: is somebody to be verified, by nobody's word? */
static bool
needs_directory(struct trial *t)
{
	const char *file = of_family(t, "CAfile");

	return !is_named(file) &&
	    !conf_yes(value(t->c, "tls_append_default_CA")) &&
	    tls_level_of(of_family(t, "security_level")) == TLS_VERIFY;
}

static void
check_client(struct trial *t, bool has_files)
{
	const struct tls_client_settings own = { .files = t->files };
	char setting[64];

	if (has_files)
		try_client(t, &own); /* find_files has blamed */
	snprintf(setting, sizeof(setting), "%s_tls_fingerprint_digest",
	    t->f->prefix);
	blame(t, setting);
	if (!tls_digest_known(of_family(t, "fingerprint_digest")))
		say(t, t->errors, "OpenSSL has no such digest");
	try_trust(t, "CAfile", tls_trust_file, t->errors);
	try_trust(t, "trust_anchor_file", tls_trust_anchors, t->errors);
	try_trust(t, "CApath", tls_trust_directory,
	    needs_directory(t) ? t->errors : t->warnings);
}

/* By these settings keyd signs with them for this family's program. */
static void
note_users(struct trial *t)
{
	static const char *const names[] = { "chain_files", "key_file",
		"eckey_file" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct span rest = span_of(of_family(t, names[i])), file;

		while (conf_list_next(&rest, &file)) {
			char *path = mem_span_text(file);

			tls_kept_for(path, t->f->users);
			free(path);
		}
	}
}

/*
 * What asks for a certificate; or, where that is as elsewhere, what took the
 * certificate away.
 */
static void
blame_asking(struct trial *t, const char *asking)
{
	char setting[64];

	blame(t, asking);
	for (size_t i = 0; !t->worth && i < FILE_SETTINGS; i++) {
		snprintf(setting, sizeof(setting), "%s_tls_%s", t->f->prefix,
		    file_settings[i].name);
		blame(t, setting);
	}
}

/* TLS is asked for, and there is no certificate to offer. */
static void
check_without_files(struct trial *t)
{
	bool at_once = conf_yes(value(t->c, t->f->wrapper));
	const char *level = value(t->c, t->f->level);
	const char *asking = at_once ? t->f->wrapper : t->f->level;
	char text[128];

	if (at_once || strcmp(level, "encrypt") == 0) {
		blame_asking(t, asking);
		snprintf(text, sizeof(text),
		    "%s%sneeds a certificate, and none is set",
		    strcmp(t->blamed, asking) == 0 ? "" : asking,
		    strcmp(t->blamed, asking) == 0 ? "" : " ");
		say(t, t->errors, text);
	} else if (strcmp(level, "may") == 0) {
		blame_asking(t, asking);
		say(t, t->warnings,
		    "without a certificate STARTTLS is not offered");
	}
}

static void
try_choice(struct trial *t, const char *setting,
    const struct tls_choice *choice)
{
	struct buf error = BUF_INIT(2048), doubts = BUF_INIT(4096);
	SSL_CTX *ssl;

	blame(t, setting);
	if (!t->worth)
		return;
	ssl = SSL_CTX_new(TLS_client_method());
	if (ssl != NULL && !tls_choice_apply(ssl, choice, &doubts, &error))
		say(t, t->errors, buf_text(&error));
	if (doubts.n > 0)
		say(t, t->warnings, buf_text(&doubts));
	SSL_CTX_free(ssl);
	buf_fini(&doubts);
	buf_fini(&error);
}

static void
try_ciphers(struct trial *t, const char *setting)
{
	struct buf error = BUF_INIT(2048);
	SSL_CTX *ssl;

	blame(t, setting);
	if (!t->worth)
		return;
	ssl = SSL_CTX_new(TLS_server_method());
	if (ssl != NULL &&
	    !tls_ciphers_apply(ssl, value(t->c, setting), &error))
		say(t, t->errors, buf_text(&error));
	SSL_CTX_free(ssl);
	buf_fini(&error);
}

static const char high_ciphers[] = "tls_high_cipherlist";

/* The family's own list; the common one was tried for all. */
static void
check_ciphers(struct trial *t)
{
	if (t->f->ciphers != NULL &&
	    strcmp(value(t->c, t->f->ciphers), value(t->c, high_ciphers)) != 0)
		try_ciphers(t, t->f->ciphers);
}

/* Options, groups and grades of ciphers are the same for all. */
static void
check_choice(struct trial *t)
{
	static const char *const groups[] = { "tls_eecdh_auto_curves",
		"tls_eecdh_strong_curve", "tls_eecdh_ultra_curve",
		"tls_ffdhe_auto_groups" };
	struct tls_choice choice = { .options =
					 value(t->c, "tls_ssl_options") };

	try_choice(t, "tls_ssl_options", &choice);
	choice.options = NULL;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		choice.groups[0] = value(t->c, groups[i]);
		try_choice(t, groups[i], &choice);
	}
	try_ciphers(t, high_ciphers);
	try_ciphers(t, "tls_medium_cipherlist");
}

/* Nothing less is what it asks for: there is no doing without. */
static bool
check_dane_only(struct conf *c, struct buf *errors)
{
	static const char level[] = "smtp_tls_security_level";

	if (strcasecmp(conf_value(c, level), "dane-only") != 0)
		return true;
	if (errors != NULL)
		buf_printf(errors,
		    "%s: %s: DANE comes later: \"secure\" in its stead asks "
		    "for a certificate that proves the server's name, "
		    "\"encrypt\" for none\n",
		    conf_origin(c, level), level);
	return false;
}

/* What protects against forged servers is missed, or done without. */
static bool
check_dane(struct conf *c, struct buf *errors, struct buf *warnings)
{
	static const char level[] = "smtp_tls_security_level";
	static const char *const dns[] = { "smtp_dns_support_level",
		"lmtp_dns_support_level" };
	bool dane = strcasecmp(conf_value(c, level), "dane") == 0;
	bool tolerated =
	    strcmp(conf_value(c, "missing_protection"), "warn") == 0;
	struct buf *to = tolerated ? warnings : errors;

	if (dane && to != NULL)
		buf_printf(to,
		    "%s: %s: DANE comes later: until then TLS would be as with "
		    "\"may\", and a forged server be taken for the right "
		    "one%s\n",
		    conf_origin(c, level), level,
		    tolerated ? "" :
				" (\"missing_protection = warn\" in main.cf "
				"starts without it; \"may\" says so)");
	for (size_t i = 0; warnings != NULL && i < 2; i++)
		if (strcasecmp(conf_value(c, dns[i]), "dnssec") == 0)
			buf_printf(warnings,
			    "%s: %s: answers are not validated by DNSSEC so "
			    "far: the same as \"enabled\"\n",
			    conf_origin(c, dns[i]), dns[i]);
	return !dane || tolerated;
}

/* The settings of one family, as "of" has them. */
static bool
check_family(struct trial of, const struct family *f)
{
	struct trial *t = &of;
	bool has_files;

	t->f = f;
	t->good = true;
	check_protocols(t);
	check_ciphers(t);
	if (t->warnings != NULL)
		check_keys_are_private(t);
	has_files = find_files(t);
	if (has_files && !files_are_there(t))
		has_files = false;
	else if (!has_files && !f->client)
		check_without_files(t);
	if (f->client)
		check_client(t, has_files);
	else if (has_files)
		try_server(t);
	if (!f->client)
		check_server_trust(t);
	note_users(t);
	return t->good;
}

/* A copy as it is under stress. NULL: that changes nothing, or cannot be. */
static struct conf *
conf_under_stress(struct conf *c)
{
	struct buf error = BUF_INIT(1024);
	char *none[] = { NULL };
	struct conf *copy;
	int fd;

	if (c == NULL || conf_raw(c, "stress") != NULL)
		return NULL;
	fd = conf_snapshot(c, "*", none);
	copy = fd < 0 ? NULL : conf_read_snapshot(fd);
	fd_close(&fd);
	if (copy != NULL)
		(void)conf_override(copy, "stress=yes", &error);
	buf_fini(&error);
	return copy;
}

/* smtpd alone knows stress: what its settings say then, and only then. */
static bool
check_under_stress(const struct trial *as_usual)
{
	struct trial t = *as_usual;
	bool good = true;

	t.calm = as_usual->c;
	t.c = conf_under_stress(t.calm);
	t.main_cf = conf_under_stress(as_usual->main_cf);
	if (t.c != NULL) {
		check_choice(&t);
		good = check_family(t, &families[0]) && t.good;
	}
	conf_free(&t.main_cf);
	conf_free(&t.c);
	return good;
}

bool
tls_check_settings(struct conf *c, struct conf *main_cf, struct buf *errors,
    struct buf *warnings)
{
	struct trial common = {
		.c = c,
		.main_cf = main_cf,
		.errors = errors,
		.warnings = warnings,
		.good = true,
	};
	bool good;

	check_choice(&common);
	good = check_dane_only(c, errors) && check_dane(c, errors, warnings) &&
	    common.good;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		good = check_family(common, &families[i]) && good;
	return check_under_stress(&common) && good;
}
