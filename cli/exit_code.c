/* SPDX-License-Identifier: Apache-2.0
 * exit_code.c -- from the codes of the library to the exit codes of the program. */
#include "cli.h"

#include <errno.h>

int cli_exit_code(int rc)
{
    switch (rc) {
    case 0:
        return CLI_EXIT_OK;
    case MF_ECORRUPT:
    case MF_ETORN:
    case MF_EVERSION:
    case MF_EFORMAT:
    case MF_ESYNTAX:
    case MF_EVALUE:
    case MF_ELATE:
    case MF_EFUTURE:
    case MF_EMISMATCH:
    case MF_EPROOF:
    case MF_ELIMIT:
        return CLI_EXIT_DATA;
    case MF_ENOTFOUND:
    case MF_ESTALE:
    case -ENOENT:
    case -ENOTDIR:
        return CLI_EXIT_NOINPUT;
    case MF_EUNSUPPORTED:
    case -ENOSYS:
    case -EOPNOTSUPP:
        return CLI_EXIT_UNAVAILABLE;
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
        return CLI_EXIT_OS;
    case MF_EEXISTS:
    case MF_ECLOSED:
    case -EEXIST:
    case -EISDIR:
        return CLI_EXIT_CANTCREATE;
    case MF_EPOISONED:
    case -EIO:
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
    case -EPIPE:
        return CLI_EXIT_IO;
    case MF_ELOCKED:
    case MF_EBUSY:
    case MF_ECONFLICT:
    case -EAGAIN:
    case -EBUSY:
    case -EINTR:
    case -ETIMEDOUT:
        return CLI_EXIT_TEMPORARY;
    case MF_EREMOTE:
    case -ECONNREFUSED:
    case -ECONNRESET:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
        return CLI_EXIT_REMOTE;
    case MF_EREADONLY:
    case -EACCES:
    case -EPERM:
    case -EROFS:
        return CLI_EXIT_NOPERM;
    default:
        return CLI_EXIT_INTERNAL;
    }
}
