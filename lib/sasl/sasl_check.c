/* SPDX-License-Identifier: ISC */
#include "lib/sasl/sasl_check.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/sasl/bearer.h"
#include "lib/sasl/exchange.h"
#include "lib/sasl/sasl_security.h"
#include "lib/table/table.h"
#include "lib/table/table_check.h"
#include "lib/table/words.h"

static void
say(struct conf *c, const char *setting, struct buf *to, const char *what,
    const char *why)
{
	if (to != NULL)
		buf_printf(to, "%s: %s: %s: %s\n", conf_origin(c, setting),
		    setting, what, why);
}

/* By its mode; who is root reads everything, auth does not. */
static bool
auth_can_read(struct conf *c, const struct stat *st)
{
	const char *name = conf_value(c, "auth_user");
	const struct passwd *user = name == NULL ? NULL : getpwnam(name);

	if (geteuid() != 0 || user == NULL)
		return true;
	if (st->st_uid == user->pw_uid)
		return (st->st_mode & S_IRUSR) != 0;
	if (st->st_gid == user->pw_gid)
		return (st->st_mode & S_IRGRP) != 0;
	return (st->st_mode & S_IROTH) != 0;
}

static bool
is_pam(const char *word)
{
	return strcmp(word, "pam") == 0 || strncmp(word, "pam:", 4) == 0;
}

static bool
check_source(struct conf *c, const char *setting, const char *word,
    struct buf *errors, struct buf *warnings)
{
	struct stat st;

	if (strncmp(word, "passwd-file:", 12) == 0)
		word += 12;
	if (word[0] != '/')
		say(c, setting, errors, word,
		    is_pam(word) ? "only files can name masters" :
				   "neither an absolute file name nor pam, "
				   "nor a table");
	else if (stat(word, &st) == -1 || access(word, R_OK) == -1)
		say(c, setting, errors, word, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		say(c, setting, errors, word, "not a regular file");
	else if (!auth_can_read(c, &st))
		say(c, setting, errors, word,
		    "the user of auth_user cannot read it");
	else {
		if ((st.st_mode & S_IROTH) != 0)
			say(c, setting, warnings, word,
			    "has passwords, and everybody can read it");
		return true;
	}
	return false;
}

/* A file or a table. */
static bool
check_word(struct conf *c, const char *setting, struct span word,
    struct buf *errors, struct buf *warnings)
{
	char *text;
	bool good;

	if (word.p[0] != '/' &&
	    table_type_known(span_take(word, span_find(word, ':'))))
		return table_check_spec(c, setting, word, errors, warnings);
	text = mem_span_text(word);
	good = check_source(c, setting, text, errors, warnings);
	free(text);
	return good;
}

static bool
check_sources(struct conf *c, struct buf *errors, struct buf *warnings)
{
	const char *files = conf_value(c, "account_files");
	struct span rest = span_of(files), word;
	bool good = true, any = false;

	while (words_next(&rest, &word)) {
		any = true;
		if (!span_is(word, "pam") && !span_starts(word, "pam:"))
			good &= check_word(c, "account_files", word, errors,
			    warnings);
	}
	if (!any && conf_is_yes(c, "smtpd_sasl_auth_enable"))
		say(c, "smtpd_sasl_auth_enable", warnings, "account_files",
		    "not set: nobody can log in");
	return good;
}

static struct span
without_kind(struct span word)
{
	return span_starts(word, "passwd-file:") ? span_skip(word, 12) : word;
}

static bool
lists(const char *list, struct span file)
{
	struct span rest = span_of(list), word;

	while (words_next(&rest, &word))
		if (span_equal(without_kind(word), file))
			return true;
	return false;
}

/* Everybody in a file of both lists could read everybody's mail. */
static bool
check_masters(struct conf *c, struct buf *errors, struct buf *warnings)
{
	static const char setting[] = "account_master_files";
	struct span rest = span_of(conf_value(c, setting)), word;
	const char *accounts = conf_value(c, "account_files");
	bool good = true;

	while (words_next(&rest, &word)) {
		char *text = mem_span_text(word);

		if (lists(accounts, without_kind(word))) {
			say(c, setting, errors, text,
			    "is in account_files as well: all of its accounts"
			    " would be masters");
			good = false;
		} else {
			good &= check_word(c, setting, word, errors, warnings);
		}
		free(text);
	}
	return good;
}

/* It must not be a part of names. */
static bool
check_separator(struct conf *c, struct buf *errors, struct buf *warnings)
{
	static const char setting[] = "auth_master_user_separator";
	const char *value = conf_value(c, setting);

	if (value[0] == '\0')
		return true;
	if (value[1] != '\0' || strchr("!$%*/:;?^|", value[0]) == NULL) {
		say(c, setting, errors, value,
		    "is none of ! $ % * / : ; ? ^ |");
		return false;
	}
	if (span_trim(span_of(conf_value(c, "account_master_files"))).n == 0)
		say(c, setting, warnings, value,
		    "has no effect without account_master_files");
	return true;
}

static bool
check_app_passwords(struct conf *c, struct buf *errors, struct buf *warnings)
{
	static const char only[] = "account_app_password_only";
	static const char setting[] = "account_app_password_file";
	const char *file = conf_value(c, setting);
	struct span rest = span_of(conf_value(c, only)), word;
	bool good = true;

	while (span_cut(&rest, ", \t\r\n", true, &word)) {
		char *text = mem_span_text(word);

		if (word.n > 0 && !span_is_nocase(word, "imap") &&
		    !span_is_nocase(word, "pop3") &&
		    !span_is_nocase(word, "smtp")) {
			say(c, only, errors, text,
			    "no such protocol: imap, pop3, smtp");
			good = false;
		}
		free(text);
	}
	if (file[0] == '\0')
		return good;
	if (file[0] == '/' && access(file, F_OK) == -1 && errno == ENOENT) {
		bool named = conf_raw(c, setting) != NULL;

		if (named || conf_value(c, only)[0] != '\0')
			say(c, named ? setting : only, warnings, file,
			    "is not there: logins that depend on it have to"
			    " wait until it is");
		return good;
	}
	return check_source(c, setting, file, errors, warnings) && good;
}

/* As for a key: who can change it logs in as anybody. */
static bool
check_program(struct conf *c, const char *setting, const char *path,
    struct buf *errors)
{
	struct stat st;

	if (path[0] != '/')
		say(c, setting, errors, path, "not an absolute file name");
	else if (stat(path, &st) == -1)
		say(c, setting, errors, path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		say(c, setting, errors, path, "not a regular file");
	else if ((st.st_mode & S_IWOTH) != 0)
		say(c, setting, errors, path, "everybody can write it");
	else if ((st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		say(c, setting, errors, path, "not executable");
	else
		return true;
	return false;
}

static bool
check_tokens(struct conf *c, struct buf *errors, struct buf *warnings)
{
	static const char setting[] = "auth_token_checker";
	static const char mechanisms[] = "auth_mechanisms";
	struct span checker = span_trim(span_of(conf_value(c, setting)));
	struct span rest = span_of(conf_value(c, mechanisms)), word;
	enum bearer_kind kind;
	bool used = false, good = true;
	char *text;

	while (span_cut(&rest, ", \t\r\n", true, &word)) {
		if (!bearer_kind_of(word, &kind))
			continue;
		used = true;
		text = mem_span_text(word);
		if (checker.n == 0) {
			say(c, mechanisms, errors, text,
			    "needs auth_token_checker");
			good = false;
		}
		free(text);
	}
	if (checker.n == 0 || !span_cut(&checker, " \t", true, &word))
		return good;
	text = mem_span_text(word);
	good = check_program(c, setting, text, errors);
	if (!used)
		say(c, setting, warnings, text,
		    "no mechanism uses it: auth_mechanisms has neither"
		    " oauthbearer nor xoauth2");
	free(text);
	return good;
}

static bool
check_security(struct conf *c, struct buf *errors)
{
	static const char *const settings[] = {
		"smtpd_sasl_security_options",
		"smtpd_sasl_tls_security_options",
		"smtp_sasl_security_options",
		"smtp_sasl_tls_security_options",
		"lmtp_sasl_security_options",
		"lmtp_sasl_tls_security_options",
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct span bad;
		char *text;

		if (sasl_security_valid(conf_value(c, settings[i]), &bad))
			continue;
		text = mem_span_text(bad);
		say(c, settings[i], errors, text,
		    "no such option: noplaintext, noanonymous, noactive, "
		    "nodictionary, forward_secrecy or mutual_auth is wanted");
		free(text);
		good = false;
	}
	return good;
}

bool
sasl_check_settings(struct conf *c, struct buf *errors, struct buf *warnings)
{
	static const char setting[] = "auth_mechanisms";
	const char *list = conf_value(c, setting);
	struct span rest = span_of(list), word;
	bool good = check_sources(c, errors, warnings);

	good &= check_masters(c, errors, warnings);
	good &= check_separator(c, errors, warnings);
	good &= check_app_passwords(c, errors, warnings);
	good &= check_tokens(c, errors, warnings);
	good &= check_security(c, errors);

	while (span_cut(&rest, ", \t\r\n", true, &word)) {
		char *text = mem_span_text(word);

		if (word.n > 0 && !exchange_known(word)) {
			say(c, setting, errors, text,
			    "not a supported SASL mechanism");
			good = false;
		}
		free(text);
	}
	return good;
}
