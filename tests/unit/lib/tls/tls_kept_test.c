/* SPDX-License-Identifier: ISC */
/* Files that are kept: what others get of them, and when they are others. */
#include "lib/tls/tls_kept.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/tls/tls_context.h"
#include "lib/tls/tls_key.h"

static char folder[] = "/tmp/tls_kept_test_XXXXXX";
static char pair[64], broken[64];

static void
write_file(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Two certificates, each behind its key. */
static int
make_files(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(pair, sizeof(pair), "%s/pair.pem", folder);
	snprintf(broken, sizeof(broken), "%s/broken.pem", folder);
	for (int i = 0; i < 2; i++) {
		EVP_PKEY *key = EVP_EC_gen("P-256");
		X509 *x = X509_new();

		X509_gmtime_adj(X509_getm_notBefore(x), 0);
		X509_gmtime_adj(X509_getm_notAfter(x), 3600);
		X509_set_pubkey(x, key);
		assert_true(X509_sign(x, key, EVP_sha256()) > 0);
		PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
		PEM_write_bio_X509(bio, x);
		X509_free(x);
		EVP_PKEY_free(key);
	}
	n = BIO_get_mem_data(bio, &text);
	write_file(pair, text, (size_t)n);
	write_file(broken, text, 100);
	BIO_free(bio);
	return 0;
}

static int
remove_files(void **state)
{
	(void)state;
	unlink(pair);
	unlink(broken);
	return rmdir(folder);
}

struct seen {
	size_t leaves;
	size_t keys;
};

static bool
see(void *with, const struct tls_pem_group *g, struct buf *error)
{
	struct seen *s = with;

	(void)error;
	s->leaves += g->leaf != NULL;
	s->keys += g->key != NULL;
	return true;
}

static struct seen
look(const char *path, bool keys)
{
	struct buf error = BUF_INIT(1024);
	struct seen s = { 0, 0 };

	if (!tls_pem_file(path, keys, see, &s, &error))
		s.leaves = 100;
	buf_fini(&error);
	return s;
}

/* The set that holds the file, as it is on disk. */
static struct tls_kept *
keep(void)
{
	struct tls_kept *k = tls_kept_new(NULL);

	tls_kept_use(k);
	assert_int_equal(look(pair, true).keys, 2);
	tls_kept_use(NULL);
	return k;
}

static void
test_what_was_read_stays(void **state)
{
	struct tls_kept *k = keep(), *copy = tls_kept_new(k);
	char away[80];

	(void)state;
	snprintf(away, sizeof(away), "%s.away", pair);
	assert_true(tls_kept_stamp(k) == tls_kept_stamp_on_disk(k));
	assert_int_equal(rename(pair, away), 0);
	assert_true(tls_kept_stamp(k) != tls_kept_stamp_on_disk(k));
	assert_true(tls_kept_stamp(k) == tls_kept_stamp(copy));
	assert_int_equal(look(pair, true).leaves, 100);
	tls_kept_use(copy);
	assert_int_equal(look(pair, true).leaves, 2);
	tls_kept_use(NULL);
	assert_int_equal(rename(away, pair), 0);
	assert_true(tls_kept_stamp(k) == tls_kept_stamp_on_disk(k));
	tls_kept_free(&copy);
	tls_kept_free(&k);
}

struct used {
	size_t files;
	unsigned int users;
};

static void
see_used(void *with, const char *path, unsigned int users)
{
	struct used *u = with;

	assert_non_null(strstr(path, pair));
	u->files++;
	u->users = users;
}

/* Programs that keyd is told of; a new set is of other settings. */
static void
test_whose_private_keys_are(void **state)
{
	struct tls_kept *k = keep(), *copy;

	(void)state;
	tls_kept_use(k);
	tls_kept_for(pair, KEY_SMTPD);
	tls_kept_for(pair, KEY_IMAPD);
	tls_kept_for(broken, KEY_SMTP);
	tls_kept_use(NULL);
	for (int keys = 0; keys < 2; keys++) {
		struct used u = { 0, 0 };

		assert_true(tls_kept_take(tls_kept_write(k, keys != 0)));
		tls_kept_each_used(see_used, &u);
		assert_int_equal(u.files, keys);
		assert_int_equal(u.users, keys ? KEY_SMTPD | KEY_IMAPD : 0);
		tls_kept_drop();
	}
	copy = tls_kept_new(k);
	tls_kept_use(copy);
	tls_kept_each_used(see_used, NULL);
	tls_kept_use(NULL);
	tls_kept_free(&copy);
	tls_kept_free(&k);
}

/* Files with private keys that keyd gets. */
static size_t
handed_on(struct tls_kept *k, bool keys)
{
	struct used u = { 0, 0 };

	assert_true(tls_kept_take(tls_kept_write(k, keys)));
	tls_kept_each_used(see_used, &u);
	tls_kept_drop();
	return u.files;
}

/* A set with the file as if it had such a text, for these programs. */
static struct tls_kept *
with_text(const char *text, unsigned int users)
{
	struct tls_kept *k = tls_kept_new(NULL);
	struct stat st = { .st_size = (off_t)strlen(text) };

	tls_kept_use(k);
	tls_kept_add(pair, &st, (struct span){ text, strlen(text) });
	tls_kept_for(pair, users);
	tls_kept_use(NULL);
	return k;
}

static void
test_keys_that_were_replaced_go_along_for_a_while(void **state)
{
	struct tls_kept *old = with_text("1", KEY_SMTPD), *new;

	(void)state;
	new = with_text("2", KEY_SMTPD);
	tls_kept_follow(new, &old, 1000);
	assert_null(old);
	assert_int_equal(handed_on(new, true), 2);
	assert_int_equal(handed_on(new, false), 0);
	assert_false(tls_kept_forget_former(new, 999));
	assert_int_equal(handed_on(new, true), 2);
	assert_true(tls_kept_forget_former(new, 1000));
	assert_int_equal(handed_on(new, true), 1);
	assert_false(tls_kept_forget_former(new, 1000));
	tls_kept_free(&new);
}

static void
test_each_replaced_key_has_a_time_of_its_own(void **state)
{
	static const struct {
		const char *text;
		unsigned int users;
		int64_t until;
		size_t handed_on;
	} rows[] = {
		{ "1", KEY_SMTPD, 1000, 1 },
		{ "2", KEY_SMTPD | KEY_IMAPD, 1200, 2 },
		/* a reload for something else, and for one program more */
		{ "2", KEY_SMTPD | KEY_IMAPD, 5000, 2 },
		{ "2", KEY_SERVERS, 5000, 2 },
		{ "3", KEY_SERVERS, 5100, 3 },
		/* a program less, whose sessions began with it; then all */
		{ "3", KEY_IMAPD, 5200, 4 },
		{ "", 0, 5300, 4 },
	};
	static const struct {
		int64_t now;
		bool forgotten;
		size_t handed_on;
	} times[] = { { 1199, false, 4 }, { 1200, true, 3 }, { 5099, false, 3 },
		{ 5100, true, 2 }, { 5300, true, 0 }, { 9999, false, 0 } };
	struct tls_kept *k = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_kept *next = with_text(rows[i].text, rows[i].users);

		if (k != NULL)
			tls_kept_follow(next, &k, rows[i].until);
		k = next;
		assert_int_equal(handed_on(k, true), rows[i].handed_on);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		assert_int_equal(tls_kept_forget_former(k, times[i].now),
		    times[i].forgotten);
		assert_int_equal(handed_on(k, true), times[i].handed_on);
	}
	tls_kept_free(&k);
}

/* Of very many, those that were replaced first go. */
static void
test_replaced_keys_are_bounded(void **state)
{
	struct tls_kept *k = with_text("0", KEY_SMTPD);
	char text[16];

	(void)state;
	for (int i = 1; i <= 600; i++) {
		struct tls_kept *next;

		snprintf(text, sizeof(text), "%d", i);
		next = with_text(text, KEY_SMTPD);
		tls_kept_follow(next, &k, i);
		k = next;
	}
	assert_int_equal(handed_on(k, true), 512 + 1);
	assert_false(tls_kept_forget_former(k, 600 - 512));
	assert_true(tls_kept_forget_former(k, 599));
	assert_int_equal(handed_on(k, true), 2);
	tls_kept_free(&k);
}

static void
test_private_keys_are_handed_on_when_asked_for(void **state)
{
	struct tls_kept *k = keep();

	(void)state;
	for (int keys = 0; keys < 2; keys++) {
		int fd = tls_kept_write(k, keys != 0);
		struct seen s;
		struct span text;
		int error;

		assert_true(fd >= 0);
		assert_true((fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE) != 0);
		assert_true(tls_kept_take(fd));
		assert_true(tls_kept_find(pair, &text, &error));
		assert_int_equal(error, 0);
		s = look(pair, keys != 0);
		assert_int_equal(s.leaves, 2);
		assert_int_equal(s.keys, keys * 2);
		/* an EC key's PEM begins with its length and version */
		assert_int_equal(memmem(text.p, text.n, "\nMIG", 4) != NULL,
		    keys);
		tls_kept_drop();
		assert_false(tls_kept_find(pair, &text, &error));
	}
	tls_kept_free(&k);
}

static ino_t
inode_of(int fd)
{
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return st.st_ino;
}

/* What has no keys is made once for a set, until there is more in it. */
static void
test_all_share_what_has_no_keys(void **state)
{
	struct tls_kept *k = keep();
	ino_t first = inode_of(tls_kept_write(k, false));

	(void)state;
	assert_true(inode_of(tls_kept_write(k, true)) != first);
	assert_true(inode_of(tls_kept_write(k, false)) == first);
	tls_kept_use(k);
	look(broken, false);
	tls_kept_use(NULL);
	assert_true(inode_of(tls_kept_write(k, false)) != first);
	tls_kept_free(&k);
}

/* Until it is there it is not, to whoever has the set or a copy of it. */
static void
test_what_cannot_be_read(void **state)
{
	static const struct {
		off_t size; /* -1: there is none */
		int error;
		const char *text;
	} rows[] = {
		{ -1, ENOENT, ": No such file or directory" },
		{ TLS_PEM_MAX + 1, EFBIG, ": not a file, or too large" },
	};
	char path[80];

	(void)state;
	snprintf(path, sizeof(path), "%s/late.pem", folder);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_kept *k = tls_kept_new(NULL);
		struct buf error = BUF_INIT(1024);
		struct span text;
		size_t n = 7;
		int why = 0;

		if (rows[i].size >= 0) {
			write_file(path, "", 0);
			assert_int_equal(truncate(path, rows[i].size), 0);
		}
		tls_kept_use(k);
		assert_null(tls_pem_read(path, &n, &error));
		assert_int_equal(n, 7);
		tls_kept_use(NULL);
		assert_true(tls_kept_stamp(k) == tls_kept_stamp_on_disk(k));
		write_file(path, "x", 1);
		assert_true(tls_kept_stamp(k) != tls_kept_stamp_on_disk(k));
		assert_true(tls_kept_take(tls_kept_write(k, false)));
		assert_true(tls_kept_find(path, &text, &why));
		assert_int_equal(why, rows[i].error);
		buf_reset(&error);
		assert_null(tls_pem_read(path, &n, &error));
		assert_non_null(strstr(buf_text(&error), rows[i].text));
		tls_kept_drop();
		tls_kept_free(&k);
		unlink(path);
		buf_fini(&error);
	}
}

/* Others get it without keys, and with the same break where there is one. */
static void
test_public_form(void **state)
{
	static const char key[] = "-----BEGIN EC PRIVATE KEY-----\nc2Vj\n"
				  "-----END EC PRIVATE KEY-----\n";
	static const char list[] = "-----BEGIN X509 CRL-----\nbGlz\n"
				   "-----END X509 CRL-----\n";
	static const struct {
		const char *end;
		bool broken;
	} rows[] = { { "", false }, { "words\n", false },
		{ "-----BEGIN CERTIFICATE-----\nbGl", true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf text = BUF_INIT(1024), error = BUF_INIT(1024);
		struct seen s = { 0, 0 };
		BIO *out = BIO_new(BIO_s_mem());
		char *p;
		long n;

		buf_printf(&text, "%s%s%s", key, list, rows[i].end);
		assert_true(tls_pem_write_public(out, buf_span(&text)));
		n = BIO_get_mem_data(out, &p);
		assert_null(memmem(p, (size_t)n, "c2Vj", 4));
		assert_non_null(memmem(p, (size_t)n, list, sizeof(list) - 1));
		assert_true(tls_pem_each((struct span){ p, (size_t)n }, false,
				see, &s, &error) != rows[i].broken);
		BIO_free(out);
		buf_fini(&text);
		buf_fini(&error);
	}
}

/* As a file that is truncated while it is read: sysfs tells of a whole page. */
static void
test_end_that_comes_sooner(void **state)
{
	static const char path[] = "/sys/kernel/uevent_seqnum";
	struct buf error = BUF_INIT(1024);
	X509_STORE *store = X509_STORE_new();
	size_t n = 0;

	(void)state;
	if (access(path, R_OK) < 0) {
		buf_fini(&error);
		X509_STORE_free(store);
		skip();
	}
	assert_null(tls_pem_read(path, &n, &error));
	assert_int_equal(n, 0);
	buf_reset(&error);
	assert_false(tls_trust_anchors(store, path, &error));
	assert_string_equal(buf_text(&error),
	    "/sys/kernel/uevent_seqnum: Input/output error");
	X509_STORE_free(store);
	buf_fini(&error);
}

static void
test_damaged_and_empty(void **state)
{
	int fd = open(broken, O_RDONLY);

	(void)state;
	assert_false(tls_kept_take(fd));
	tls_kept_drop();
	fd = open("/dev/null", O_RDONLY);
	assert_true(tls_kept_take(fd));
	assert_int_equal(look(pair, true).leaves, 2);
	tls_kept_drop();
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_read_stays),
		cmocka_unit_test(
		    test_private_keys_are_handed_on_when_asked_for),
		cmocka_unit_test(test_whose_private_keys_are),
		cmocka_unit_test(
		    test_keys_that_were_replaced_go_along_for_a_while),
		cmocka_unit_test(test_each_replaced_key_has_a_time_of_its_own),
		cmocka_unit_test(test_replaced_keys_are_bounded),
		cmocka_unit_test(test_all_share_what_has_no_keys),
		cmocka_unit_test(test_what_cannot_be_read),
		cmocka_unit_test(test_public_form),
		cmocka_unit_test(test_end_that_comes_sooner),
		cmocka_unit_test(test_damaged_and_empty),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
