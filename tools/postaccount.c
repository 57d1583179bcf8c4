/* SPDX-License-Identifier: ISC */
/*
 * postaccount - app passwords of accounts.
 *
 * SECURITY: for administrators, or for whoever owns the file of app passwords
 * and its directory. A new secret is printed once and kept nowhere: the file
 * has a digest. The file is replaced as a whole, under a lock, so that auth
 * sees the old one or the new one, and two of us lose nothing; it keeps its
 * owner and mode.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "auth/accounts.h"
#include "auth/app_use.h"
#include "lib/base/clock.h"
#include "lib/conf/common.h"
#include "lib/log/log.h"
#include "tools/app_password_file.h"

struct postaccount {
	struct common_params common;
	struct auth_params settings;
	struct app_password_file file;
	const char *user; /* canonical; NULL: all of them */
	const char *label;
	unsigned int protocols;
	int64_t expires;
	bool all;
};

static void
usage(void)
{
	fputs("usage: postaccount [-c config_dir] app-password add"
	      " [-p protocols] [-e days|yyyy-mm-dd] user label\n"
	      "       postaccount [-c config_dir] app-password list [user]\n"
	      "       postaccount [-c config_dir] app-password revoke"
	      " [-a] user [label]\n",
	    stderr);
	exit(EX_USAGE);
}

static int64_t
now(void)
{
	return clock_wall_us() / 1000000;
}

/* "90", "90d": from now; "2027-01-31": to the end of that day. */
static int64_t
read_expiry(const char *text)
{
	struct span s = span_of(text);
	struct tm day = { .tm_isdst = -1 };
	const char *end;
	uint64_t days;

	if (s.n > 0 && s.p[s.n - 1] == 'd')
		s.n--;
	if (span_u64(s, 36500, &days) && days > 0)
		return now() + (int64_t)days * 86400;
	end = strptime(text, "%Y-%m-%d", &day);
	if (end == NULL || *end != '\0' || mktime(&day) + 86400 <= now())
		fatal_status(EX_USAGE,
		    "%s: neither a number of days nor a day to come", text);
	return mktime(&day) + 86400;
}

static unsigned int
read_protocols(const char *text)
{
	unsigned int protocols = 0;
	struct span bad;

	if (!app_password_protocols(span_of(text), &protocols, &bad))
		fatal_status(EX_USAGE,
		    "%.*s: no such protocol: imap, pop3, smtp", SPAN_ARG(bad));
	if (protocols == 0)
		fatal_status(EX_USAGE, "-p: which protocols?");
	return protocols;
}

static void
read_settings(struct postaccount *p, const char *config)
{
	struct buf errors = BUF_INIT(1 << 16);
	struct conf *c = conf_read(conf_find_directory(config), &errors, NULL);

	/* it lives as long as the values that point into it */
	if (c == NULL ||
	    !conf_fill(c, &common_param_group, &p->common, &errors) ||
	    !conf_fill(c, &auth_param_group, &p->settings, &errors))
		fatal_lines(EX_CONFIG, buf_text(&errors));
	buf_fini(&errors);
	accounts_tables(c);
	if (p->settings.account_app_password_file[0] != '/')
		fatal_status(EX_CONFIG,
		    "account_app_password_file: no file is named");
}

/*
 * The account's own name for what was typed. With "must", it has to be there:
 * those of an account that is gone can still be listed and revoked.
 */
static const char *
find_user(const struct postaccount *p, const char *typed, bool must)
{
	struct buf error = BUF_INIT(1024);
	struct accounts *accounts = accounts_new(&p->settings, &error);
	struct account account = { 0 };
	const char *found;
	char *name;

	if (accounts == NULL)
		fatal_status(EX_CONFIG, "%s", buf_text(&error));
	switch (accounts_find(accounts, span_of(typed), &account)) {
	case ACCOUNT_FOUND:
		found = account.user;
		break;
	case ACCOUNT_LATER:
		if (must)
			fatal_status(EX_TEMPFAIL, "%s: accounts cannot be read",
			    typed);
		found = typed;
		break;
	case ACCOUNT_NONE:
	default:
		if (must)
			fatal_status(EX_NOUSER, "%s: there is no such account",
			    typed);
		found = typed;
	}
	name = mem_text(found);
	for (char *c = name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	accounts_free(&accounts);
	buf_fini(&error);
	return name;
}

static bool
is_meant(const struct postaccount *p, const struct app_password *a)
{
	return (p->user == NULL || strcmp(a->user, p->user) == 0) &&
	    (p->label == NULL || strcmp(a->label, p->label) == 0);
}

static int
add(struct postaccount *p)
{
	struct app_password_file *f = &p->file;
	char secret[APP_PASSWORD_TEXT_MAX];
	struct app_password new = {
		.user = p->user,
		.label = p->label,
		.protocols = p->protocols,
		.created = now(),
		.expires = p->expires,
	};

	if (!app_password_label_valid(span_of(p->label)))
		fatal_status(EX_USAGE,
		    "a label has 1 to %d printable ASCII characters, none of"
		    " :<>,\"\\",
		    APP_PASSWORD_LABEL_MAX);
	app_password_file_open(f, &p->settings, p->common.auth_user, true);
	for (size_t i = 0; i < f->count; i++)
		if (is_meant(p, &f->list[i]))
			fatal_status(EX_CANTCREAT,
			    "%s has an app password \"%s\" already", p->user,
			    p->label);
	if (!app_password_make(secret, new.digest))
		fatal_status(EX_OSERR, "no random numbers");
	app_password_file_add(f, &new);
	app_password_file_replace(f);
	/* behind the replacement: what is printed works */
	printf("%s\n", secret);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static void
print_time(int64_t seconds, const char *none)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[32];

	if (seconds == 0 || localtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(text, sizeof(text), "%s", none);
	printf("%-16s", text);
}

static void
print_one(const struct postaccount *p, const struct app_password *a)
{
	struct buf protocols = BUF_INIT(64);
	struct app_used used = { 0, "", "" };

	app_password_add_protocols(a->protocols, &protocols);
	(void)app_use_find(p->common.data_directory, a->digest, &used);
	printf("%-30s  %-20s  %-14s  ", a->user, a->label,
	    buf_text(&protocols));
	print_time(a->created, "-");
	printf("  ");
	print_time(a->expires, "never");
	printf("%s  ", a->expires != 0 && a->expires <= now() ? "!" : " ");
	print_time(used.when, "never");
	printf("%s%s%s%s\n", used.when == 0 ? "" : "  ", used.protocol,
	    used.when == 0 ? "" : " ", used.client);
	buf_fini(&protocols);
}

static int
list(struct postaccount *p)
{
	struct app_password_file *f = &p->file;

	app_password_file_open(f, &p->settings, p->common.auth_user, false);
	printf("%-30s  %-20s  %-14s  %-16s  %-17s  %s\n", "account", "label",
	    "for", "created", "expires", "last use");
	for (size_t i = 0; i < f->count; i++)
		if (is_meant(p, &f->list[i]))
			print_one(p, &f->list[i]);
	return EX_OK;
}

static int
revoke_them(struct postaccount *p)
{
	struct app_password_file *f = &p->file;
	size_t before, kept = 0;

	app_password_file_open(f, &p->settings, p->common.auth_user, true);
	before = f->count;
	for (size_t i = 0; i < before; i++)
		if (!is_meant(p, &f->list[i]))
			f->list[kept++] = f->list[i];
	f->count = kept;
	if (kept == before)
		fatal_status(EX_NOINPUT, "%s has no such app password",
		    p->user);
	app_password_file_replace(f);
	printf("%zu revoked\n", before - kept);
	return EX_OK;
}

static const struct action {
	const char *name;
	int (*run)(struct postaccount *p);
	const char *options; /* of getopt(3) */
	int least, most; /* words behind them */
	bool must_exist; /* the account */
} actions[] = {
	{ "add", add, "+p:e:", 2, 2, true },
	{ "list", list, "+", 0, 1, false },
	{ "revoke", revoke_them, "+a", 1, 2, false },
};

static const struct action *
find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	usage();
	return NULL;
}

static void
read_options(struct postaccount *p, const struct action *a, int argc,
    char **argv)
{
	int option;

	p->protocols = APP_ALL;
	optind = 1;
	while ((option = getopt(argc, argv, a->options)) != -1) {
		if (option == 'p')
			p->protocols = read_protocols(optarg);
		else if (option == 'e')
			p->expires = read_expiry(optarg);
		else if (option == 'a')
			p->all = true;
		else
			usage();
	}
	argc -= optind;
	if (argc < a->least || argc > a->most ||
	    (a->run == revoke_them && p->all != (argc == 1)))
		usage();
	if (argc > 0)
		p->user = find_user(p, argv[optind], a->must_exist);
	if (argc > 1)
		p->label = argv[optind + 1];
}

int
main(int argc, char **argv)
{
	static struct postaccount p;
	const struct action *action;
	const char *config = NULL;
	int option;

	log_open_stderr("postaccount");
	while ((option = getopt(argc, argv, "+c:")) != -1) {
		if (option != 'c')
			usage();
		config = optarg;
	}
	if (argc - optind < 2 || strcmp(argv[optind], "app-password") != 0)
		usage();
	argc -= optind + 1;
	argv += optind + 1;
	action = find_action(argv[0]);
	read_settings(&p, config);
	read_options(&p, action, argc, argv);
	option = action->run(&p);
	app_password_file_close(&p.file);
	return option;
}
