/* SPDX-License-Identifier: ISC */
/*
 * An index that is not what we left: found out, set aside, made anew, with
 * the same mail, UIDs and flags; and never a crash.
 */
#include "lib/store/mailbox_view.h"

#include "tests/unit/lib/store/account.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "lib/base/compat_sanitizer.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/store/mail_account_internal.h"
#include "lib/store/mail_index_internal.h"

/* Environments of damaged files are given up with all they have. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:liblmdb";
}

enum { MESSAGES = 60, TRIALS = 500, FILE_MAX = 1 << 20 };

enum noise { ONE_BYTE, ANY_BYTES, ANOTHER_PAGE, NOISES };

/* Of the noise; POSTHASTE_DAMAGE_SEED tries another. */
static unsigned int seed = 1;

static const char path[] = "Maildir/posthaste.index";
static char before[FILE_MAX], now[FILE_MAX];
static uint32_t validity;

static size_t
read_index(char *to)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(to, 1, FILE_MAX, f);
	fclose(f);
	assert_true(n > 4096 && n < FILE_MAX);
	return n;
}

static void
write_index(const char *from, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(from, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Each third one is seen; UID 7 is no more; envelopes are known. */
static void
make_mailbox(void)
{
	struct mail_account *a;
	struct mailbox *m;
	struct mailbox_status status;
	char name[64], value[300];

	for (unsigned int i = 1; i <= MESSAGES; i++) {
		snprintf(name, sizeof(name), "cur/%u.x:2,%s", 1000 + i,
		    i % 3 == 0 ? "S" : "");
		account_mail(name, "a\r\n");
	}
	a = account_open();
	m = account_inbox(a);
	account_flag(m, 7, MAIL_DELETED);
	assert_int_equal(account_expunge(m), 1);
	memset(value, 'v', sizeof(value));
	for (unsigned int i = 1; i <= MESSAGES; i++)
		mailbox_cache(m, i, CACHE_ENVELOPE,
		    (struct span){ value, sizeof(value) });
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	validity = status.uidvalidity;
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
check_messages(struct mailbox *m)
{
	struct mail_message message;

	for (unsigned int i = 1; i <= MESSAGES; i++) {
		struct span value;

		assert_int_equal(mailbox_message(m, i, 0, &message, &why),
		    i == 7 ? MAIL_GONE : MAIL_OK);
		if (i == 7)
			continue;
		assert_int_equal(message.flags, i % 3 == 0 ? MAIL_SEEN : 0);
		mailbox_hold(m);
		value = mailbox_cached(m, i, CACHE_ENVELOPE);
		assert_true(value.p == NULL ||
		    (value.n == 300 && value.p[0] == 'v' &&
			value.p[299] == 'v'));
		mailbox_release(m);
	}
}

static void
check_mailbox(void)
{
	struct mail_account *a = account_open();
	struct mailbox *m = account_inbox(a);
	struct mailbox_status status;
	struct uid_set unseen = { 0 };

	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	assert_int_equal(status.messages, MESSAGES - 1);
	assert_int_equal(status.uidvalidity, validity);
	assert_true(status.uidnext > MESSAGES);
	assert_int_equal(status.unseen, MESSAGES - 1 - MESSAGES / 3);
	assert_int_equal(mailbox_with_flags(m, NULL, MAIL_SEEN, 0, false,
			     &unseen, &why),
	    MAIL_OK);
	assert_int_equal(uid_set_members(&unseen), status.unseen);
	uid_set_fini(&unseen);
	check_messages(m);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
any_byte_may_be_another(void **state)
{
	size_t n;

	(void)state;
	make_mailbox();
	n = read_index(before);
	srandom(7);
	for (unsigned int i = 0; i < TRIALS; i++) {
		size_t at = (size_t)random() % n;

		/* the beginnings of pages matter most */
		if (i % 2 == 0)
			at = at / 4096 * 4096 + at % 200;
		memcpy(now, before, n);
		now[at] ^= (char)(1 << i % 8);
		write_index(now, n);
		check_mailbox();
	}
}

static void
whole_pages_may_be_noise(void **state)
{
	size_t n, wrong = 0;

	(void)state;
	make_mailbox();
	n = read_index(before);
	for (size_t page = 0; page < n / 4096; page++)
		for (unsigned int kind = 0; kind < 3; kind++) {
			memcpy(now, before, n);
			for (size_t i = 0; i < 4096; i++)
				now[page * 4096 + i] = kind == 0 ? 0 :
				    kind == 1                    ? (char)0xff :
								   (char)random();
			write_index(now, n);
			wrong += mail_index_check(path)[0] != '\0';
			check_mailbox();
		}
	/* pages that are free just now may hold anything */
	assert_true(wrong > n / 4096);
}

static void
the_end_may_be_missing(void **state)
{
	size_t n;

	(void)state;
	make_mailbox();
	n = read_index(before);
	for (size_t left = 0; left < n; left += 1111) {
		write_index(before, left);
		check_mailbox();
	}
}

static void
another_version_is_made_anew(void **state)
{
	(void)state;
	make_mailbox();
	assert_string_equal(mail_index_check(path), "");
	file_put(path, "this is no index");
	assert_string_equal(mail_index_check(path), "it is damaged");
	check_mailbox();
	assert_string_equal(file_get("Maildir/posthaste.index.damaged"),
	    "this is no index");
}

static void
write_noise(size_t page, size_t pages, enum noise kind)
{
	int fd = open(path, O_WRONLY);

	for (size_t i = 0; i < 4096; i++)
		now[i] =
		    kind == ONE_BYTE ? (char)(page | 0x81) : (char)random();
	if (kind == ANOTHER_PAGE)
		memcpy(now, before + (size_t)random() % pages * 4096, 4096);
	assert_int_equal(pwrite(fd, now, 4096, (off_t)page * 4096), 4096);
	close(fd);
}

/* Looks at all, then brings the mailbox up to date, over a page of noise. */
static void
work_on_damage(size_t page, size_t pages, enum noise kind)
{
	struct mail_account *a = account_open();
	struct mailbox *m = account_inbox(a);
	struct mail_message message;

	write_noise(page, pages, kind);
	for (unsigned int i = 1; i <= MESSAGES; i++) {
		(void)mailbox_message(m, i, 0, &message, &why);
		mailbox_hold(m);
		(void)mailbox_cached(m, i, CACHE_ENVELOPE);
		mailbox_release(m);
	}
	for (unsigned int attempt = 0; attempt < 3; attempt++)
		if (mailbox_sync(m, &why) == MAIL_OK)
			break;
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
child_ended(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_true(
	    WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EX_TEMPFAIL);
}

/*
 * Noise of each kind in each page, by a child that is using the index. The
 * next look mends all: nobody has put a seal on what the noise has made of it.
 */
static void
try_noise(void (*use)(size_t page, size_t pages, enum noise kind))
{
	size_t n, pages;

	make_mailbox();
	n = read_index(before);
	pages = n / 4096;
	for (size_t i = 0; i < pages * NOISES; i++) {
		pid_t child;

		write_index(before, n);
		child = fork();
		if (child == 0) {
			log_threshold(LEVEL_FATAL);
			alarm(120);
			srandom(seed + (unsigned int)i);
			use(i / NOISES, pages, (enum noise)(i % NOISES));
			_exit(0);
		}
		child_ended(child);
		alarm(120);
		check_mailbox();
		alarm(0);
	}
}

/*
 * While it is in use: calls fail, or are right, or do not find a message; or,
 * where LMDB falls over it while it writes, the process ends.
 */
static void
it_may_break_while_it_is_open(void **state)
{
	(void)state;
	try_noise(work_on_damage);
}

static struct mail_index *
index_open(void)
{
	struct mail_index *x = mail_index_open(path, &why);

	if (x == NULL)
		fail_msg("%s", why.text);
	return x;
}

/* Something that is in nobody's way. */
static bool
put_something(struct mail_index *x)
{
	struct index_key k = index_key_cache(9, 0, 1);

	return index_put(x, CACHE, &k, SPAN("something"),
		   (struct span){ NULL, 0 }) == 0;
}

static bool
commit_something(struct mail_index *x)
{
	if (!mail_index_begin(x, &why))
		return false;
	if (put_something(x))
		return mail_index_commit(x, &why);
	mail_index_abort(x);
	return false;
}

/* Another process commits, and is gone. */
static void
let_another_commit(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(commit_something(index_open()) ? 0 : 1);
	child_ended(child);
}

static void
commit_over_damage(size_t page, size_t pages, enum noise kind)
{
	struct mail_index *x = index_open();

	let_another_commit();
	write_noise(page, pages, kind);
	(void)commit_something(x);
	mail_index_close(&x);
}

static void
it_may_break_after_another_has_committed(void **state)
{
	(void)state;
	try_noise(commit_over_damage);
}

static void
commit_with_damage(size_t page, size_t pages, enum noise kind)
{
	struct mail_index *x = index_open();

	if (commit_something(x) && mail_index_begin(x, &why)) {
		(void)put_something(x);
		write_noise(page, pages, kind);
		(void)mail_index_commit(x, &why);
	}
	mail_index_close(&x);
}

static void
it_may_break_inside_of_a_transaction(void **state)
{
	(void)state;
	try_noise(commit_with_damage);
}

static bool
is_sealed(struct mail_index *x)
{
	MDB_envinfo info;
	int fd;

	assert_int_equal(mdb_env_info(x->env, &info), 0);
	assert_int_equal(mdb_env_get_fd(x->env, &fd), 0);
	return index_file_sealed(fd, info.me_last_txnid);
}

static void
break_seal(void)
{
	assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
}

/* It is mended by one look, whoever comes first, and whether he commits. */
static void
a_broken_seal_is_set_again(void **state)
{
	struct mail_index *x;

	(void)state;
	make_mailbox();
	x = index_open();
	assert_true(commit_something(x));
	assert_true(is_sealed(x));
	break_seal();
	assert_true(mail_index_begin(x, &why));
	assert_true(is_sealed(x));
	/* within it: this commit does not seal, the next one does */
	assert_true(put_something(x));
	break_seal();
	assert_true(mail_index_commit(x, &why));
	assert_false(is_sealed(x));
	let_another_commit();
	assert_true(is_sealed(x));
	assert_true(commit_something(x));
	assert_true(is_sealed(x));
	mail_index_close(&x);
}

/* Of a process that has not asked for room yet, beside one that wrote. */
static void
an_empty_commit_leaves_the_seal(void **state)
{
	struct mail_index *x, *other;
	pid_t child;

	(void)state;
	make_mailbox();
	x = index_open();
	assert_true(commit_something(x));
	child = fork();
	if (child == 0) {
		other = index_open();
		_exit(mail_index_begin(other, &why) &&
			    mail_index_commit(other, &why) && is_sealed(other) ?
			0 :
			1);
	}
	child_ended(child);
	assert_true(is_sealed(x));
	mail_index_close(&x);
}

/* Where little of it is allowed (not with a sanitizer, which wants it all). */
static void
less_address_space_will_do(void **state)
{
	const struct rlimit little = { (rlim_t)4 << 30, (rlim_t)4 << 30 };
	struct mail_index *x;
	pid_t child;

	(void)state;
	if (SANITIZED)
		skip();
	make_mailbox();
	child = fork();
	if (child == 0) {
		if (setrlimit(RLIMIT_AS, &little) != 0)
			_exit(2);
		x = mail_index_open(path, &why);
		if (x == NULL || !commit_something(x))
			_exit(1);
		mail_index_close(&x);
		_exit(0);
	}
	child_ended(child);
}

/* Of which one is inside of a transaction, and the other around it. */
static void
one_hold_is_not_ended_by_another(void **state)
{
	struct mail_index *x;

	(void)state;
	make_mailbox();
	x = index_open();
	assert_true(mail_index_hold(x));
	assert_true(mail_index_begin(x, &why));
	assert_true(mail_index_hold(x));
	mail_index_release(x);
	assert_true(mail_index_commit(x, &why));
	assert_true(x->reading);
	mail_index_release(x);
	assert_false(x->reading);
	mail_index_close(&x);
}

static bool no_memory;

void *__real_mmap(void *to, size_t n, int prot, int flags, int fd, off_t at);
void *__wrap_mmap(void *to, size_t n, int prot, int flags, int fd, off_t at);

void *
__wrap_mmap(void *to, size_t n, int prot, int flags, int fd, off_t at)
{
	if (!no_memory || fd == -1)
		return __real_mmap(to, n, prot, flags, fd, at);
	errno = ENOMEM;
	return MAP_FAILED;
}

/* What cannot be looked through is neither believed nor set aside. */
static void
want_of_memory_is_no_damage(void **state)
{
	struct mail_index *x;

	(void)state;
	make_mailbox();
	x = index_open();
	break_seal();
	no_memory = true;
	assert_null(mail_index_open(path, &why));
	assert_string_equal(mail_index_check(path),
	    "there is no memory to look at it");
	assert_true(commit_something(x));
	assert_false(is_sealed(x));
	no_memory = false;
	assert_true(commit_something(x));
	assert_true(is_sealed(x));
	mail_index_close(&x);
	assert_false(account_has("posthaste.index.damaged"));
	check_mailbox();
}

/* As if it had been written before the machine started. */
static void
write_other_boot(void)
{
	struct index_key k = index_key_small(0, KIND_FOLDER);
	char row[CHECK_SIZE + sizeof(struct index_self)];
	struct index_self self;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi small;
	MDB_val key = { k.n, k.bytes }, value;
	uint32_t check;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 3), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "small", 0, &small), 0);
	assert_int_equal(mdb_get(txn, small, &key, &value), 0);
	assert_int_equal(value.mv_size, sizeof(row));
	memcpy(row, value.mv_data, sizeof(row));
	memcpy(&self, row + CHECK_SIZE, sizeof(self));
	self.boot[0] ^= 1;
	memcpy(row + CHECK_SIZE, &self, sizeof(self));
	check = index_check(k.bytes, k.n, row + CHECK_SIZE, sizeof(self));
	memcpy(row, &check, CHECK_SIZE);
	value.mv_data = row;
	assert_int_equal(mdb_put(txn, small, &key, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void
die_in_use(uint32_t flag)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct mail_account *a = account_open();
		struct mailbox *m = account_inbox(a);

		account_flag(m, 1, flag);
		account_flag(m, 3, flag);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static uint32_t
count_messages(uint64_t *modseq)
{
	struct mail_account *a = account_open();
	struct mailbox *m = account_inbox(a);
	struct mailbox_status status;

	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	*modseq = status.highest_modseq;
	mailbox_close(&m);
	mail_account_close(&a);
	return status.messages;
}

/*
 * As long as it was to be, but for what was never written. False: the file
 * system does not tell.
 */
static bool
mail_with_a_hole(const char *name)
{
	char whole[300];
	bool told;
	int fd;

	account_mail(name, "");
	snprintf(whole, sizeof(whole), "Maildir/%s", name);
	fd = open(whole, O_WRONLY);
	assert_true(fd != -1);
	assert_int_equal(pwrite(fd, "x", 1, 12287), 1);
	told = !fd_is_written(fd);
	close(fd);
	return told;
}

/* Nothing of it, nor of a file that the power cut has left half. */
static void
after_a_power_cut_it_is_made_anew(void **state)
{
	uint64_t first, second, third;
	uint32_t left = MESSAGES;

	(void)state;
	make_mailbox();
	die_in_use(MAIL_FLAGGED);
	assert_int_equal(count_messages(&first), MESSAGES - 1);
	account_mail("cur/2000.half,S=100,U=90:2,", "not all");
	account_mail("cur/2001.whole,S=3,U=91:2,", "a\r\n");
	left += !mail_with_a_hole("cur/2002.hole,S=12288,U=92:2,");
	die_in_use(MAIL_DRAFT);
	assert_int_equal(count_messages(&second), MESSAGES + 2);
	assert_true(second > first && second < first + 10);
	die_in_use(MAIL_ANSWERED);
	write_other_boot();
	assert_int_equal(count_messages(&third), left);
	assert_true(third > second + 10);
	assert_true(account_has("cur/.2000.half,S=100,U=90:2,"));
	assert_int_equal(account_has("cur/.2002.hole,S=12288,U=92:2,"),
	    left == MESSAGES);
	/* closed in order, it is believed whatever the boot */
	write_other_boot();
	assert_int_equal(count_messages(&first), left);
	assert_int_equal(first, third);
}

/* The names in all rows, whose sums are wrong then. */
static void
spoil_rows(void)
{
	size_t n = read_index(now);
	int fd = open(path, O_WRONLY);

	assert_true(fd != -1);
	for (size_t i = 8192; i + 4 < n; i++)
		if (memcmp(now + i, ".x,U", 4) == 0)
			assert_int_equal(pwrite(fd, "y", 1, (off_t)i + 1), 1);
	close(fd);
}

/* Reads a spoilt row; true: it was noticed. */
static bool
meet_damage(struct mail_index *x)
{
	struct mail_index_message row;
	bool found;

	return !mail_index_get(x, 1, 1, &row, &found);
}

static void
others_write_after_damage_was_met(void **state)
{
	struct mail_index *x;
	pid_t child;
	int status, ready[2], go[2];
	char byte;

	(void)state;
	make_mailbox();
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		alarm(180);
		x = index_open();
		(void)!write(ready[1], "x", 1);
		if (read(go[0], &byte, 1) != 1 || !mail_index_begin(x, &why))
			_exit(1);
		_exit(mail_index_commit(x, &why) ? 0 : 2);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	x = index_open();
	assert_true(mail_index_begin(x, &why));
	assert_int_equal(write(go[1], "x", 1), 1);
	spoil_rows();
	assert_true(meet_damage(x));
	mail_index_abort(x);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(mail_index_begin(x, &why));
	assert_true(mail_index_commit(x, &why));
	mail_index_close(&x);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

static unsigned int
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
damage_leaves_nothing_open(void **state)
{
	unsigned int before_it = descriptors();

	(void)state;
	make_mailbox();
	for (unsigned int i = 0; i < 20; i++) {
		struct mail_index *x;

		check_mailbox();
		x = index_open();
		spoil_rows();
		assert_true(mail_index_hold(x));
		assert_true(meet_damage(x));
		mail_index_release(x);
		mail_index_close(&x);
	}
	assert_int_equal(descriptors(), before_it);
}

/* Another process found damage: files of the same names are others now. */
static void
exchange(void)
{
	struct mail_index *x = index_open();

	(void)index_damaged(x);
	assert_true(mail_index_begin(x, &why));
	assert_true(mail_index_commit(x, &why));
	mail_index_close(&x);
}

static void
who_waited_for_the_old_file_takes_the_new_one(void **state)
{
	struct mail_index *x;
	int status, ready[2];
	pid_t child;
	char byte;

	(void)state;
	make_mailbox();
	x = index_open();
	assert_int_equal(pipe(ready), 0);
	assert_true(mail_index_begin(x, &why));
	child = fork();
	if (child == 0) {
		struct mail_index *mine;

		alarm(120);
		mine = index_open();
		(void)!write(ready[1], "x", 1);
		/* waits for the parent's lock */
		if (!mail_index_begin(mine, &why))
			_exit(1);
		_exit(mail_index_generation(mine) == 1 ? 0 : 2);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	usleep(200000); /* it waits for the lock by then */
	/* as the one who sets it aside does */
	assert_int_equal(unlink("Maildir/posthaste.index-lock"), 0);
	assert_int_equal(rename(path, "Maildir/posthaste.index.damaged"), 0);
	assert_true(mail_index_commit(x, &why));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	mail_index_close(&x);
	close(ready[0]);
	close(ready[1]);
}

/* One data file with two locks: the older lock is not taken for enough. */
static void
another_lock_is_noticed(void **state)
{
	struct mail_index *x;

	(void)state;
	make_mailbox();
	x = index_open();
	assert_int_equal(unlink("Maildir/posthaste.index-lock"), 0);
	assert_true(mail_index_begin(x, &why));
	assert_int_equal(mail_index_generation(x), 1);
	assert_true(account_has("posthaste.index-lock"));
	assert_true(mail_index_commit(x, &why));
	mail_index_close(&x);
}

/* What was judged, not what has come in its place. */
static void
only_the_damaged_one_is_set_aside(void **state)
{
	struct mail_index *x;
	struct stat there, then;
	int status;
	pid_t child;

	(void)state;
	make_mailbox();
	x = index_open();
	child = fork();
	if (child == 0) {
		exchange();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(stat(path, &there), 0);
	(void)index_damaged(x);
	assert_true(mail_index_begin(x, &why));
	assert_true(mail_index_commit(x, &why));
	assert_int_equal(stat(path, &then), 0);
	assert_true(there.st_ino == then.st_ino);
	mail_index_close(&x);
}

/* Somebody else opens a new index just when we have found no trees there. */
static bool somebody_comes;

int __real_mdb_dbi_open(MDB_txn *txn, const char *name, unsigned int flags,
    MDB_dbi *tree);
int __wrap_mdb_dbi_open(MDB_txn *txn, const char *name, unsigned int flags,
    MDB_dbi *tree);

int
__wrap_mdb_dbi_open(MDB_txn *txn, const char *name, unsigned int flags,
    MDB_dbi *tree)
{
	int status, r = __real_mdb_dbi_open(txn, name, flags, tree);
	pid_t child;

	if (!somebody_comes || r != MDB_NOTFOUND)
		return r;
	somebody_comes = false;
	child = fork();
	if (child == 0) {
		struct mail_index *mine = index_open();

		_exit(mail_index_begin(mine, &why) &&
			    mail_index_commit(mine, &why) ?
			0 :
			1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	return r;
}

static void
two_may_find_it_new(void **state)
{
	struct mail_index *x;

	(void)state;
	assert_int_equal(mkdir("Maildir", 0700), 0);
	somebody_comes = true;
	x = index_open();
	assert_false(somebody_comes);
	assert_int_equal(mail_index_generation(x), 0);
	assert_false(account_has("posthaste.index.damaged"));
	assert_true(mail_index_begin(x, &why));
	assert_true(mail_index_commit(x, &why));
	assert_string_equal(mail_index_check(path), "");
	mail_index_close(&x);
}

/* Somebody else writes into an old one while we look whether it is sound. */
enum { WRITES = 3, VALUES = 64 };

static bool somebody_writes;

/* The file grows; where its trees were is written over. */
static void
let_somebody_write(void)
{
	static const char value[2000];
	pid_t child;
	int status;

	if (!somebody_writes)
		return;
	somebody_writes = false;
	child = fork();
	if (child == 0) {
		struct mail_index *mine = index_open();

		for (unsigned int i = 0; i < WRITES * VALUES; i++) {
			struct index_key k = index_key_row(9, i + 1);

			if (i % VALUES == 0 && !mail_index_begin(mine, &why))
				_exit(1);
			(void)index_put(mine, SMALL, &k,
			    (struct span){ value, sizeof(value) },
			    (struct span){ NULL, 0 });
			if (i % VALUES == VALUES - 1 &&
			    !mail_index_commit(mine, &why))
				_exit(1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

size_t __real_mdb_txn_id(MDB_txn *txn);
size_t __wrap_mdb_txn_id(MDB_txn *txn);

size_t
__wrap_mdb_txn_id(MDB_txn *txn)
{
	let_somebody_write();
	return __real_mdb_txn_id(txn);
}

static bool before_the_pages;

ssize_t __real_pread(int fd, void *to, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at);

ssize_t
__wrap_pread(int fd, void *to, size_t n, off_t at)
{
	if (before_the_pages)
		let_somebody_write();
	return __real_pread(fd, to, n, at);
}

static void
what_somebody_writes_is_no_damage(bool early)
{
	struct mail_index *x;

	make_mailbox();
	/* not sealed: every page is looked at */
	break_seal();
	somebody_writes = true;
	before_the_pages = early;
	x = index_open();
	before_the_pages = false;
	assert_false(somebody_writes);
	assert_false(account_has("posthaste.index.damaged"));
	assert_string_equal(mail_index_check(path), "");
	mail_index_close(&x);
}

static void
pages_may_be_written_while_they_are_looked_at(void **state)
{
	(void)state;
	what_somebody_writes_is_no_damage(false);
}

static void
the_file_may_grow_while_it_is_looked_at(void **state)
{
	(void)state;
	what_somebody_writes_is_no_damage(true);
}

static void
going_on_in_another_index_fails(void **state)
{
	struct mail_index *x;

	(void)state;
	make_mailbox();
	x = index_open();
	assert_true(mail_index_begin(x, &why));
	assert_true(mail_index_go_on(x, &why));
	assert_int_equal(unlink("Maildir/posthaste.index-lock"), 0);
	assert_int_equal(rename(path, "Maildir/posthaste.index.damaged"), 0);
	assert_false(mail_index_go_on(x, &why));
	assert_false(mail_index_writing(x));
	assert_true(mail_index_begin(x, &why));
	assert_true(mail_index_commit(x, &why));
	mail_index_close(&x);
}

/*
 * The first folder that is looked at has the number that was another's, in a
 * new index. What is not known there yet is not gone.
 */
static void
numbers_of_an_old_index_are_not_used(void **state)
{
	const char text[] = "another folder\r\n";
	struct mail_message message;
	struct mailbox_status status;
	struct mail_account *a;
	struct mailbox *m, *other;

	(void)state;
	make_mailbox();
	a = account_open();
	m = account_inbox(a);
	assert_int_equal(mail_folder_create(a, SPAN("Other"), 0, &why),
	    MAIL_OK);
	file_put("Maildir/.Other/cur/2.x:2,F", text);
	assert_int_equal(mailbox_open(a, SPAN("Other"), &other, &why), MAIL_OK);
	mail_index_set_aside(a->index, "a test does it");
	account_flag(other, 1, MAIL_ANSWERED);
	/* while others read, it cannot be looked at */
	mailbox_hold(other);
	assert_int_equal(mailbox_message(m, 1, WANT_SIZE, &message, &why),
	    MAIL_FAILED);
	mailbox_cache(m, 1, CACHE_ENVELOPE, SPAN("of another"));
	assert_null(mailbox_cached(other, 1, CACHE_ENVELOPE).p);
	mailbox_release(other);
	assert_int_equal(mailbox_message(m, 3, WANT_SIZE, &message, &why),
	    MAIL_OK);
	assert_int_equal(message.size, 3);
	check_messages(m);
	mail_index_set_aside(a->index, "a test does it");
	account_flag(m, 1, MAIL_FLAGGED);
	mailbox_hold(other);
	assert_int_equal(mailbox_message(other, 1, WANT_SIZE, &message, &why),
	    MAIL_OK);
	assert_int_equal(message.size, sizeof(text) - 1);
	assert_int_equal(message.flags, MAIL_FLAGGED | MAIL_ANSWERED);
	mailbox_release(other);
	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	assert_int_equal(status.messages, MESSAGES - 1);
	mailbox_close(&other);
	mailbox_close(&m);
	mail_account_close(&a);
}

/* One that is met by who reads: the next call finds all that there is. */
static void
damage_takes_no_message_away(void **state)
{
	struct mail_message message;
	struct mail_account *a;
	struct mailbox *m;

	(void)state;
	make_mailbox();
	a = account_open();
	m = account_inbox(a);
	spoil_rows();
	assert_int_equal(mailbox_message(m, 1, 0, &message, &why), MAIL_FAILED);
	check_messages(m);
	mailbox_close(&m);
	mail_account_close(&a);
}

/*
 * Free pages are listed by transaction: a reader that stays keeps the lists,
 * here of transactions beyond 256, which sort as numbers, not as bytes.
 */
static void
a_long_life_is_no_damage(void **state)
{
	struct mail_index_folder folder = { .uidvalidity = 1, .uidnext = 1 };
	struct mail_index *x;

	(void)state;
	make_mailbox();
	x = index_open();
	for (unsigned int i = 0; i < 600; i++) {
		if (i % 100 == 0)
			assert_true(mail_index_hold(x));
		if (i % 100 == 99)
			mail_index_release(x);
		assert_true(mail_index_begin(x, &why));
		folder.uidnext++;
		assert_true(mail_index_folder_put(x, &folder));
		assert_true(mail_index_commit(x, &why));
		assert_string_equal(mail_index_check(path), "");
	}
	mail_index_close(&x);
}

static int
quietly(void **state)
{
	log_threshold(LEVEL_ERROR);
	no_memory = false;
	return folder_enter(state);
}

#define IN_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, quietly, folder_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(any_byte_may_be_another),
		IN_FOLDER(whole_pages_may_be_noise),
		IN_FOLDER(the_end_may_be_missing),
		IN_FOLDER(another_version_is_made_anew),
		IN_FOLDER(it_may_break_while_it_is_open),
		IN_FOLDER(it_may_break_after_another_has_committed),
		IN_FOLDER(it_may_break_inside_of_a_transaction),
		IN_FOLDER(a_broken_seal_is_set_again),
		IN_FOLDER(an_empty_commit_leaves_the_seal),
		IN_FOLDER(less_address_space_will_do),
		IN_FOLDER(want_of_memory_is_no_damage),
		IN_FOLDER(one_hold_is_not_ended_by_another),
		IN_FOLDER(after_a_power_cut_it_is_made_anew),
		IN_FOLDER(others_write_after_damage_was_met),
		IN_FOLDER(damage_leaves_nothing_open),
		IN_FOLDER(who_waited_for_the_old_file_takes_the_new_one),
		IN_FOLDER(another_lock_is_noticed),
		IN_FOLDER(only_the_damaged_one_is_set_aside),
		IN_FOLDER(two_may_find_it_new),
		IN_FOLDER(pages_may_be_written_while_they_are_looked_at),
		IN_FOLDER(the_file_may_grow_while_it_is_looked_at),
		IN_FOLDER(a_long_life_is_no_damage),
		IN_FOLDER(going_on_in_another_index_fails),
		IN_FOLDER(numbers_of_an_old_index_are_not_used),
		IN_FOLDER(damage_takes_no_message_away),
	};

	const char *again = getenv("POSTHASTE_DAMAGE_SEED");

	if (again != NULL)
		seed = (unsigned int)strtoul(again, NULL, 10);
	print_message("POSTHASTE_DAMAGE_SEED=%u\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
