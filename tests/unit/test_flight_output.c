/* SPDX-License-Identifier: Apache-2.0
 * The cursors over what a command wrote: chunks, lines, gaps, tails that are begun anew, damage;
 * and the bounded part that views show. */
#include "cmocka_all.h"

#include "flights.h"
#include "scratch.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "flight/lines.h"
#include "os/file.h"

#include <mayfly/reclog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

static char dir[300];

static struct test_flight *begin(void)
{
    static int turn;
    char id[32];
    snprintf(id, sizeof id, "flight%d", turn++);
    snprintf(dir, sizeof dir, "%s/flights/%s", scratch_directory(), id);
    return test_flight_begin(scratch_directory(), id, "x", NULL, 1);
}

static void end(struct test_flight *flight)
{
    test_flight_no_metrics(flight);
    test_flight_end(flight, &(struct test_end){.duration_ms = 50, .kind = "exited", .reason = ""});
}

static struct mf_flight_output *open_output(void)
{
    struct mf_flight_output *output = NULL;
    assert_int_equal(mf_flight_output_open(dir, &output, NULL), 0);
    return output;
}

/* All lines as "stream@ms+gap:text" (a '~' at the end: not complete), separated by '|'. */
static void check_lines(struct mf_flight_output *output, bool ended, const char *wanted)
{
    struct mf_buffer text = MF_BUFFER_INIT;
    struct mf_flight_line line;
    mf_buffer_puts(&text, "");
    for (bool last = false;;) {
        const int rc = last ? mf_flight_output_last_line(output, &line, NULL)
                            : mf_flight_output_next_line(output, &line, NULL);
        assert_true(rc >= 0);
        if (rc == 0 && (last || !ended)) {
            break;
        }
        if (rc == 0) {
            last = true;
            continue;
        }
        mf_buffer_printf(&text, "%s%d@%lld", text.len > 0 ? "|" : "", (int)line.stream,
                         (long long)(line.t_ns / MS));
        if (line.gap_bytes > 0) {
            mf_buffer_printf(&text, "+%llu", (unsigned long long)line.gap_bytes);
        }
        mf_buffer_putc(&text, ':');
        mf_buffer_append(&text, line.text, line.len);
        mf_buffer_puts(&text, line.complete ? "" : "~");
    }
    assert_string_equal(text.len > 0 ? text.data : "", wanted);
    mf_buffer_free(&text);
}

static void check_all_lines(const char *wanted)
{
    struct mf_flight_output *output = open_output();
    check_lines(output, true, wanted);
    mf_flight_output_close(output);
}

static void put(struct test_flight *flight, int64_t t_ms, enum mf_flight_stream stream,
                const char *text)
{
    test_flight_output(flight, t_ms, stream, text, strlen(text));
}

static void splits_lines_by_stream(void **state)
{
    (void)state;
    struct test_flight *flight = begin();
    put(flight, 1, MF_STREAM_STDOUT, "one\ntw");
    put(flight, 2, MF_STREAM_STDERR, "err\n\n");
    put(flight, 3, MF_STREAM_STDOUT, "o\nthree\nfou");
    put(flight, 4, MF_STREAM_STDERR, "rest");
    end(flight);
    check_all_lines("0@1:one|1@2:err|1@2:|0@1:two|0@3:three|0@3:fou~|1@4:rest~");
}

static void tells_gaps(void **state)
{
    (void)state;
    struct test_flight *flight = begin();
    put(flight, 1, MF_STREAM_STDOUT, "one\nbegin");
    test_flight_gap(flight, MF_STREAM_STDOUT, 100);
    put(flight, 2, MF_STREAM_STDOUT, "end\ntwo\n");
    test_flight_gap(flight, MF_STREAM_STDOUT, 7);
    put(flight, 3, MF_STREAM_STDOUT, "three\n");
    end(flight);
    check_all_lines("0@1:one|0@1:begin~|0@2+100:end|0@2:two|0@3+7:three");
}

static void keeps_any_byte(void **state)
{
    (void)state;
    struct test_flight *flight = begin();
    test_flight_output(flight, 1, MF_STREAM_STDOUT, "a\0b\xff\n", 5);
    end(flight);
    struct mf_flight_output *output = open_output();
    struct mf_flight_line line;
    assert_int_equal(mf_flight_output_next_line(output, &line, NULL), 1);
    assert_int_equal(line.len, 4);
    assert_memory_equal(line.text, "a\0b\xff", 4);
    mf_flight_output_close(output);
}

static void cuts_lines_of_a_mebibyte(void **state)
{
    (void)state;
    static char block[256 << 10];
    memset(block, 'x', sizeof block);
    struct test_flight *flight = begin();
    for (int i = 0; i < 5; i++) {
        test_flight_output(flight, i, MF_STREAM_STDOUT, block, sizeof block);
    }
    put(flight, 9, MF_STREAM_STDOUT, "\n");
    end(flight);
    struct mf_flight_output *output = open_output();
    struct mf_flight_line line;
    assert_int_equal(mf_flight_output_next_line(output, &line, NULL), 1);
    assert_int_equal(line.len, 1 << 20);
    assert_false(line.complete);
    assert_int_equal(mf_flight_output_next_line(output, &line, NULL), 1);
    assert_int_equal(line.len, sizeof block);
    assert_true(line.complete);
    assert_int_equal(mf_flight_output_next_line(output, &line, NULL), 0);
    mf_flight_output_close(output);
}

/* However the bytes are cut into records, the streams are the same. */
static void any_cutting_gives_the_same_bytes(void **state)
{
    (void)state;
    struct mf_rng rng;
    mf_rng_seed(&rng, 7);
    for (int round = 0; round < 20; round++) {
        struct test_flight *flight = begin();
        struct mf_buffer written[2] = {MF_BUFFER_INIT, MF_BUFFER_INIT};
        for (int i = 0; i < 40; i++) {
            char piece[12];
            const size_t len = 1 + mf_rng_below(&rng, sizeof piece);
            const unsigned stream = (unsigned)mf_rng_below(&rng, 2);
            for (size_t k = 0; k < len; k++) {
                piece[k] = "ab\n"[mf_rng_below(&rng, 3)];
            }
            test_flight_output(flight, i, stream, piece, len);
            mf_buffer_append(&written[stream], piece, len);
        }
        end(flight);
        struct mf_buffer read[2] = {MF_BUFFER_INIT, MF_BUFFER_INIT};
        struct mf_flight_output *output = open_output();
        struct mf_flight_line line;
        bool last = false;
        for (;;) {
            const int rc = last ? mf_flight_output_last_line(output, &line, NULL)
                                : mf_flight_output_next_line(output, &line, NULL);
            if (rc == 0 && last) {
                break;
            }
            last = last || rc == 0;
            if (rc == 1) {
                mf_buffer_append(&read[line.stream], line.text, line.len);
                mf_buffer_puts(&read[line.stream], line.complete ? "\n" : "");
            }
        }
        mf_flight_output_close(output);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(read[i].len, written[i].len);
            assert_memory_equal(read[i].data, written[i].data, read[i].len);
            mf_buffer_free(&read[i]);
            mf_buffer_free(&written[i]);
        }
    }
}

/* ---- a recorder at work ---- */

struct writer {
    struct mf_reclog *log;
    uint64_t offset;
};

static struct mf_reclog *open_log(const char *name)
{
    char path[400];
    struct mf_reclog *log = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(mf_reclog_open(path, NULL, NULL, &log, NULL), 0);
    return log;
}

static void append(struct mf_reclog *log, int64_t t_ms, uint64_t *offset, const char *text)
{
    uint8_t record[64] = {1, MF_STREAM_STDOUT};
    const size_t len = strlen(text);
    mf_store_u64(record + 8, (uint64_t)(t_ms * MS));
    mf_store_u64(record + 16, *offset);
    memcpy(record + 24, text, len);
    assert_int_equal(mf_reclog_append(log, 0, record, 24 + len, NULL, NULL), 0);
    *offset += len;
}

static void empty(struct mf_reclog **log, const char *name)
{
    char path[400];
    assert_int_equal(mf_reclog_close(*log, NULL), 0);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(mf_fs_unlink(NULL, path, NULL), 0);
    *log = open_log(name);
}

static void follows_a_recorder_over_its_tails(void **state)
{
    (void)state;
    free(begin());                                   /* only its directory */
    struct mf_flight_output *output = open_output(); /* before there is anything */
    check_lines(output, false, "");
    uint64_t offset = 0;
    struct mf_reclog *head = open_log("output.log");
    append(head, 1, &offset, "one\ntw");
    check_lines(output, false, "0@1:one");
    append(head, 2, &offset, "o\n");
    check_lines(output, false, "0@1:two");
    struct mf_reclog *tails[2] = {open_log("output.tail0"), NULL};
    check_lines(output, false, "");
    append(head, 3, &offset, "three\n"); /* after the tail was made, before it is used */
    append(tails[0], 4, &offset, "four\n");
    check_lines(output, false, "0@3:three|0@4:four");
    tails[1] = open_log("output.tail1");
    append(tails[1], 5, &offset, "five\n");
    check_lines(output, false, "0@5:five");
    empty(&tails[0], "output.tail0");
    append(tails[0], 6, &offset, "six\n");
    append(tails[0], 7, &offset, "seven\n");
    check_lines(output, false, "0@6:six|0@7:seven");
    /* A cursor that falls behind: both tails are begun anew before it comes back. */
    empty(&tails[1], "output.tail1");
    append(tails[1], 8, &offset, "eight\n");
    empty(&tails[0], "output.tail0");
    append(tails[0], 9, &offset, "nine\n");
    empty(&tails[1], "output.tail1");
    append(tails[1], 10, &offset, "ten\n");
    check_lines(output, false, "0@9+6:nine|0@10:ten");
    mf_flight_output_close(output);
    /* Who comes now sees the head, a gap, and the tails in their order. */
    check_all_lines("0@1:one|0@1:two|0@3:three|0@9+26:nine|0@10:ten");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mf_reclog_close(tails[i], NULL), 0);
    }
    assert_int_equal(mf_reclog_close(head, NULL), 0);
}

/* ---- damage ---- */

static void flip(const char *name, long at)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    const int byte = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    fputc(byte ^ 0x40, file);
    assert_int_equal(fclose(file), 0);
}

static void passes_over_damage(void **state)
{
    (void)state;
    struct test_flight *flight = begin();
    for (int i = 0; i < 200; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %03d of the output\n", i);
        put(flight, i, MF_STREAM_STDOUT, line);
    }
    end(flight);
    flip("output.log", 5000);
    struct mf_lines lines;
    const struct mf_lines_options options = {.tail_lines_max = 1000, .tail_bytes_max = 1 << 20};
    assert_int_equal(mf_lines_read(dir, &options, &lines, NULL), 0);
    assert_true(lines.count >= 190 && lines.count < 200);
    assert_true(lines.damaged >= 1);
    assert_memory_equal(lines.items[lines.count - 1].text, "line 199", 8);
    mf_lines_free(&lines);
}

static void no_output_is_no_error(void **state)
{
    (void)state;
    free(begin()); /* only its directory */
    check_all_lines("");
}

/* ---- bounded parts ---- */

static void check_part(const struct mf_lines_options *options, const char *wanted)
{
    struct mf_lines lines;
    struct mf_buffer text = MF_BUFFER_INIT;
    assert_int_equal(mf_lines_read(dir, options, &lines, NULL), 0);
    for (size_t i = 0; i <= lines.count; i++) {
        if (i == lines.head_count && lines.left_out_lines > 0) {
            mf_buffer_printf(&text, "(%llu lines, %llu bytes)",
                             (unsigned long long)lines.left_out_lines,
                             (unsigned long long)lines.left_out_bytes);
        }
        if (i < lines.count) {
            mf_buffer_append(&text, lines.items[i].text, lines.items[i].len);
            mf_buffer_puts(&text, lines.items[i].complete ? ";" : "~");
        }
    }
    assert_string_equal(text.len > 0 ? text.data : "", wanted);
    mf_buffer_free(&text);
    mf_lines_free(&lines);
}

static void keeps_head_and_tail(void **state)
{
    (void)state;
    struct test_flight *flight = begin();
    for (int i = 0; i < 10; i++) {
        char line[8];
        snprintf(line, sizeof line, "l%d\n", i);
        put(flight, 10 * i, i % 2 == 0 ? MF_STREAM_STDOUT : MF_STREAM_STDERR, line);
    }
    put(flight, 99, MF_STREAM_STDOUT, "longest");
    end(flight);
    struct mf_lines_options options = {.tail_lines_max = 100, .tail_bytes_max = 1000};
    check_part(&options, "l0;l1;l2;l3;l4;l5;l6;l7;l8;l9;longest~");
    options.tail_lines_max = 3;
    check_part(&options, "(8 lines, 24 bytes)l8;l9;longest~");
    options.head_lines_max = 2;
    options.head_bytes_max = 100;
    check_part(&options, "l0;l1;(6 lines, 18 bytes)l8;l9;longest~");
    options.head_bytes_max = 3;
    options.tail_bytes_max = 10;
    check_part(&options, "l0;(8 lines, 24 bytes)l9;longest~");
    options.tail_lines_max = 0;
    check_part(&options, "l0;(10 lines, 34 bytes)");
    options = (struct mf_lines_options){.tail_lines_max = 9,
                                        .tail_bytes_max = 999,
                                        .line_bytes_max = 4,
                                        .streams = 1U << MF_STREAM_STDOUT,
                                        .since_ns = 50 * MS};
    check_part(&options, "l6;l8;long~");
    options.until_ns = 80 * MS;
    check_part(&options, "l6;");
}

/* Against the plain definition, for many limits. */
static void any_limits_keep_the_ends(void **state)
{
    (void)state;
    struct test_flight *flight = begin();
    for (int i = 0; i < 60; i++) {
        put(flight, i, MF_STREAM_STDOUT, "x\n");
    }
    end(flight);
    for (size_t head = 0; head < 70; head += 3) {
        for (size_t tail = 0; tail < 70; tail += 7) {
            const struct mf_lines_options options = {.head_lines_max = head,
                                                     .head_bytes_max = 1000,
                                                     .tail_lines_max = tail,
                                                     .tail_bytes_max = 1000};
            struct mf_lines lines;
            assert_int_equal(mf_lines_read(dir, &options, &lines, NULL), 0);
            const size_t kept_head = head < 60 ? head : 60;
            const size_t kept_tail = tail < 60 - kept_head ? tail : 60 - kept_head;
            assert_int_equal(lines.head_count, kept_head);
            assert_int_equal(lines.count, kept_head + kept_tail);
            assert_int_equal(lines.left_out_lines, 60 - kept_head - kept_tail);
            assert_int_equal(lines.left_out_bytes, 2 * lines.left_out_lines);
            for (size_t i = 0; i < kept_tail; i++) {
                assert_int_equal(lines.items[lines.count - 1 - i].t_ns, (59 - (int64_t)i) * MS);
            }
            mf_lines_free(&lines);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_lines_by_stream),
        cmocka_unit_test(tells_gaps),
        cmocka_unit_test(keeps_any_byte),
        cmocka_unit_test(cuts_lines_of_a_mebibyte),
        cmocka_unit_test(any_cutting_gives_the_same_bytes),
        cmocka_unit_test(follows_a_recorder_over_its_tails),
        cmocka_unit_test(passes_over_damage),
        cmocka_unit_test(no_output_is_no_error),
        cmocka_unit_test(keeps_head_and_tail),
        cmocka_unit_test(any_limits_keep_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
