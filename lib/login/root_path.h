/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOGIN_ROOT_PATH_H
#define LIB_LOGIN_ROOT_PATH_H

/*
 * What an absolute path leads to (O_PATH), if root alone says where that is:
 * it and all directories and links on the way are root's, and nobody else may
 * write in those directories, or they are sticky. Else -1.
 */
int root_path_open(const char *path);

#endif
