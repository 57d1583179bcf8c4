/* SPDX-License-Identifier: ISC */
/*
 * "posthaste-uidvalidity": the last UIDVALIDITY that was given in an account,
 * a decimal number. Dovecot's "dovecot-uidvalidity" has its own, in
 * hexadecimal.
 */
#include "lib/store/mail_folder_tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/process.h"

static const char file_name[] = "posthaste-uidvalidity";

static uint32_t
number_in(int directory, const char *name, int base)
{
	struct buf text = BUF_INIT(64);
	struct file_stamp stamp;
	unsigned long value = 0;

	if (mail_file_read(directory, name, &text, &stamp) == 0)
		value = strtoul(buf_text(&text), NULL, base);
	buf_fini(&text);
	return value < UINT32_MAX ? (uint32_t)value : 0;
}

static void
keep(int directory, uint32_t value)
{
	char temporary[80], text[16];
	int fd, n;

	snprintf(temporary, sizeof(temporary), "%s.%ld.new", file_name,
	    (long)process_id());
	n = snprintf(text, sizeof(text), "%u\n", value);
	fd = openat(directory, temporary,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && fd_write_all(fd, text, (size_t)n) == 0)
		(void)!renameat(directory, temporary, directory, file_name);
	fd_close(&fd);
}

uint32_t
mail_tree_new_uidvalidity(struct mail_tree *t)
{
	struct why why;
	bool locked = mail_tree_lock(t, &why) == MAIL_OK;
	uint32_t last = number_in(t->control, file_name, 10);
	uint32_t other = number_in(t->control, "dovecot-uidvalidity", 16);
	uint32_t now = (uint32_t)(clock_wall_us() / 1000000);

	if (other > last)
		last = other;
	if (now <= last && last < UINT32_MAX - 1)
		now = last + 1;
	keep(t->control, now);
	if (locked)
		mail_tree_unlock(t);
	return now;
}
