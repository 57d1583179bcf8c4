/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_APP_PASSWORD_FILE_H
#define TOOLS_APP_PASSWORD_FILE_H

/*
 * The file of app passwords, for who changes it. All failures are the end of
 * the program, with the file as it was.
 */

#include <stdbool.h>
#include <stddef.h>
#include "auth/accounts.h"
#include "auth/app_password.h"

struct app_password_file {
	const char *path;
	const char *auth_user; /* who has to read a file that is made */
	struct arena *memory;
	struct app_password *list;
	size_t count, room;
	int fd; /* -1: there is none yet */
	int directory; /* of it, and */
	int lock; /* held while it is being changed; or -1 */
};

/* A missing file is an empty one. With "change" nobody else changes it. */
void app_password_file_open(struct app_password_file *f,
    const struct auth_params *settings, const char *auth_user, bool change);
void app_password_file_add(struct app_password_file *f,
    const struct app_password *p);
/* Durable when it returns. */
void app_password_file_replace(struct app_password_file *f);
void app_password_file_close(struct app_password_file *f);

#endif
