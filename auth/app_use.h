/* SPDX-License-Identifier: ISC */
#ifndef AUTH_APP_USE_H
#define AUTH_APP_USE_H

/*
 * When each app password was last used, from where and for what: a table of
 * fixed size in data_directory, mapped by the processes of auth and read by
 * postaccount. Writing it is a store to memory, at most once a minute for one
 * password (sooner when the address or the protocol is another one); the
 * kernel brings it to disk within half a minute, so that a power cut may cost
 * the last uses, and nothing else.
 *
 * Passwords are known by their stored digest. Of more than 8 with equal low
 * bits the one that was used longest ago is forgotten (32,768 in all).
 */

#include <stdbool.h>
#include <stdint.h>
#include "auth/app_password.h"

struct app_use;

struct app_used {
	int64_t when; /* seconds since 1970 */
	char protocol[8];
	char client[48];
};

/*
 * Maps DIRECTORY/app_password_use, made if missing. NULL with a log line when
 * that cannot be done: then uses are not noted.
 */
struct app_use *app_use_open(const char *directory);
void app_use_close(struct app_use **u);
void
app_use_note(struct app_use *u, const unsigned char digest[APP_PASSWORD_DIGEST],
    const char *protocol, const char *client, int64_t now_s);

/* For postaccount: false when it was never seen, or the file is not there. */
bool app_use_find(const char *directory,
    const unsigned char digest[APP_PASSWORD_DIGEST], struct app_used *out);

#endif
