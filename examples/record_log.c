/* SPDX-License-Identifier: Apache-2.0
 * record_log.c -- a journal that survives anything: appends its arguments, then prints all there
 * is. example_record_log FILE [TEXT...] */
#include <mayfly/mayfly.h>

#include <stdio.h>
#include <string.h>

static int failed(const struct mf_errinfo *err)
{
    fprintf(stderr, "example_record_log: %s\n", err->msg);
    return 1;
}

int main(int argc, char **argv)
{
    struct mf_errinfo err;
    struct mf_reclog *log;
    struct mf_reclog_reader *reader;
    struct mf_reclog_record record;
    struct mf_reclog_options options = MF_RECLOG_OPTIONS_INIT;
    options.durability = MF_RECLOG_SYNC; /* on disk when append returns */
    if (argc < 2) {
        fprintf(stderr, "usage: example_record_log FILE [TEXT...]\n");
        return 2;
    }
    if (mf_reclog_open(argv[1], &options, NULL, &log, &err) < 0) {
        return failed(&err);
    }
    for (int i = 2; i < argc; i++) {
        if (mf_reclog_append(log, 1, argv[i], strlen(argv[i]), NULL, &err) < 0) {
            mf_reclog_close(log, NULL);
            return failed(&err);
        }
    }
    if (mf_reclog_close(log, &err) < 0 || mf_reclog_reader_open(argv[1], NULL, &reader, &err) < 0) {
        return failed(&err);
    }
    int code;
    while ((code = mf_reclog_next(reader, &record, &err)) == 1) {
        printf("%llu %.*s\n", (unsigned long long)record.seq, (int)record.len,
               (const char *)record.payload);
    }
    mf_reclog_reader_close(reader);
    return code < 0 ? failed(&err) : 0;
}
