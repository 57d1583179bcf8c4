/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_SETTINGS_MANUAL_H
#define TOOLS_SETTINGS_MANUAL_H

/* main.cf(5), in mdoc, to standard output. */
void settings_manual(void);

#endif
