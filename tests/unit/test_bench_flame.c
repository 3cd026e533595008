/* SPDX-License-Identifier: Apache-2.0
 * Stacks: folding, reading, drawing; what perf and callgrind write; symbol tables. */
#include "bench_profiler.h"
#include "cmocka_all.h"
#include "flame.h"
#include "profile.h"
#include "function_names.h"

#include "base/heap.h"
#include "os/stacks.h"

#include <stdio.h>
#include <string.h>

static void assert_written(const char *text, const char *wanted)
{
    struct flame flame;
    struct mf_errinfo err = {0};
    struct mf_buffer out = MF_BUFFER_INIT;
    if (mf__flame_read(text, strlen(text), &flame, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    mf__flame_write(&flame, &out);
    assert_string_equal(out.data != NULL ? out.data : "", wanted);
    mf_buffer_free(&out);
    mf__flame_free(&flame);
}

static void test_folded(void **state)
{
    (void)state;
    assert_written("", "");
    assert_written("a;b 1\na;c 2\na;b 3\n", "a;b 4\na;c 2\n");
    assert_written("a 1\na;b 1", "a 1\na;b 1\n");     /* no line feed at the end */
    assert_written("a;;b 1\n;a 2\n", "a 2\na;b 1\n"); /* names without text are none */
    assert_written("a b;c d 12\n\n", "a b;c d 12\n"); /* blanks in names */
    assert_written("a 0\n", "");
}

static void assert_refused(const char *text, const char *why)
{
    struct flame flame = {0};
    struct mf_errinfo err = {0};
    assert_true(mf__flame_read(text, strlen(text), &flame, &err) < 0);
    assert_non_null(strstr(err.msg, why));
}

static void test_folded_mistakes(void **state)
{
    (void)state;
    assert_refused("a 1\nb\n", "line 2 of the stacks has no count");
    assert_refused("a;b x\n", "line 1");
    assert_refused("12\n", "line 1");
    assert_refused("a -1\n", "line 1");
    assert_refused("a 4611686018427387904\n", "too large");
    assert_refused("a 1234567890123456789012\n", "line 1");
}

static void test_deep_stack(void **state)
{
    (void)state;
    struct mf_buffer text = MF_BUFFER_INIT;
    struct flame flame;
    for (int i = 0; i < 10000; i++) {
        mf_buffer_printf(&text, "%sf%d", i > 0 ? ";" : "", i);
    }
    mf_buffer_puts(&text, " 7\n");
    assert_int_equal(mf__flame_read(text.data, text.len, &flame, NULL), 0);
    assert_int_equal(flame.depth, FLAME_DEPTH_MAX);
    assert_int_equal(flame.frames[0].total, 7);
    mf__flame_free(&flame);
    mf_buffer_free(&text);
}

/* Children stand beside each other, within their parents, by name. */
static void test_arrangement(void **state)
{
    (void)state;
    const char text[] = "m;z 1\nm;a 2\nm 3\nb 4\n";
    struct flame flame;
    assert_int_equal(mf__flame_read(text, strlen(text), &flame, NULL), 0);
    for (size_t i = 1; i < flame.frame_count; i++) {
        const struct flame_frame *frame = &flame.frames[i];
        const struct flame_frame *parent = &flame.frames[frame->parent];
        assert_true(frame->begin >= parent->begin);
        assert_true(frame->begin + frame->total <= parent->begin + parent->total);
        if (frame->name[0] == 'm') {
            assert_int_equal(frame->begin, 4);
            assert_int_equal(frame->total, 6);
            assert_int_equal(frame->self, 3);
        }
        if (frame->name[0] == 'z') {
            assert_int_equal(frame->begin, 6);
        }
    }
    mf__flame_free(&flame);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *p = strstr(text, part); p != NULL; p = strstr(p + 1, part)) {
        count++;
    }
    return count;
}

static void test_svg(void **state)
{
    (void)state;
    const char text[] = "main;<b>&\"x\"' 60\nmain;std::vector<int> 39\nmain;rare 1\n";
    struct flame flame;
    struct mf_buffer out = MF_BUFFER_INIT;
    assert_int_equal(mf__flame_read(text, strlen(text), &flame, NULL), 0);
    mf__flame_svg(&flame, "a < b & c", "samples", true, &out);
    assert_false(out.failed);
    assert_null(strstr(out.data, "<b>"));
    assert_non_null(strstr(out.data, "a &lt; b &amp; c: 100 samples"));
    assert_non_null(strstr(out.data, "&lt;b&gt;&amp;&quot;x&quot;"));
    assert_non_null(strstr(out.data, ": 60 samples, 60.00 %; itself 60.00 %"));
    assert_int_equal(count_of(out.data, "<g class=\"frame\""), 5); /* with the root */
    assert_int_equal(count_of(out.data, "<g "), count_of(out.data, "</g>"));
    assert_int_equal(count_of(out.data, "<script>"), 1);
    /* Within a page it has neither script nor colours of its own. */
    mf_buffer_clear(&out);
    mf__flame_svg(&flame, "t", "samples", false, &out);
    assert_null(strstr(out.data, "<script"));
    mf_buffer_free(&out);
    mf__flame_free(&flame);
}

static void test_fold_stack(void **state)
{
    (void)state;
    struct mf_buffer out = MF_BUFFER_INIT;
    const char *const inside[] = {"leaf;1", "outer\n", BENCH_SUBJECT, "run_thread", "main"};
    const char *const outside[] = {"write", "main"};
    const char *const empty[] = {BENCH_SUBJECT, "main"};
    assert_true(mf__fold_stack(&out, inside, 5, 3));
    assert_string_equal(out.data, "outer ;leaf:1 3\n");
    assert_false(mf__fold_stack(&out, outside, 2, 1));
    assert_false(mf__fold_stack(&out, empty, 2, 1));
    assert_false(mf__fold_stack(&out, empty, 0, 1));
    assert_string_equal(out.data, "outer ;leaf:1 3\n");
    mf_buffer_free(&out);
}

static void test_perf_script(void **state)
{
    (void)state;
    const char text[] = "bench 12 \n"
                        "\tffffffff813a2413 schedule\n"
                        "\t           3fbfb msort_with_tmp.part.0\n"
                        "\t            91cc mf_bench_sort_quick\n"
                        "\t            a000 " BENCH_SUBJECT "\n"
                        "\tffffffffffffffff [unknown]\n"
                        "\n"
                        "bench 12 \n"
                        "\t            90a0 harness\n"
                        "\n"
                        "bench 13 \n"
                        "\t            91cc f(int, char)\n"
                        "\t            a000 " BENCH_SUBJECT;
    struct mf_buffer out = MF_BUFFER_INIT;
    mf__perf_fold(text, strlen(text), &out);
    assert_string_equal(
        out.data, "mf_bench_sort_quick;msort_with_tmp.part.0;schedule_[k] 1\nf(int, char) 1\n");
    mf_buffer_free(&out);
    mf__perf_fold("\tnonsense\n \n\t12\n\t12 \n", 22, &out);
    assert_int_equal(out.len, 0);
    mf_buffer_free(&out);
}

static void test_callgrind(void **state)
{
    (void)state;
    struct callgrind_counts counts;
    struct mf_errinfo err = {0};
    const char text[] = "version: 1\nevents: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw\n"
                        "fn=(1)\n0 5 5 5\nsummary: 1 1 1 1 1 1 1 1 1\n"
                        "totals: 300 80 20 10 10 5 2 2 1\n";
    assert_int_equal(mf__callgrind_parse(text, strlen(text), "x", &counts, &err), 0);
    assert_true(counts.ir == 300);
    assert_true(counts.cycles == (400 - 25) + 5 * (25 - 5) + 35 * 5);
    const char plain[] = "events: Ir\nsummary: 42";
    assert_int_equal(mf__callgrind_parse(plain, strlen(plain), "x", &counts, &err), 0);
    assert_true(counts.ir == 42);
    static const char *const wrong[] = {"", "events: Ir\n", "totals: 1\n",
                                        "events: Dr\ntotals: 1\n", "events: Ir\ntotals: abc\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(mf__callgrind_parse(wrong[i], strlen(wrong[i]), "x", &counts, &err),
                         MF_ESYNTAX);
    }
}

static void test_limits(void **state)
{
    (void)state;
    const char *event = NULL;
    double fraction = 0;
    assert_int_equal(mf__limit_parse("ir=0.5", &event, &fraction, NULL), 0);
    assert_string_equal(event, "ir");
    assert_true(fraction == 0.005);
    assert_int_equal(mf__limit_parse("cycles=5%", &event, &fraction, NULL), 0);
    assert_string_equal(event, "cycles");
    assert_true(fraction == 0.05);
    static const char *const wrong[] = {"", "ir", "ir=", "ir=x", "ir=-1", "ir=1%%", "wall=1", "=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(mf__limit_parse(wrong[i], &event, &fraction, NULL), MF_ESYNTAX);
    }
}

/* ---- names ---- */

static uintptr_t captured[16];
static size_t captured_count;

__attribute__((noinline)) static void capture_here(void)
{
    captured_count = mf_stack_capture(captured, 16, 0);
    __asm__ volatile("");
}

static void test_symbols(void **state)
{
    (void)state;
    struct symbols symbols;
    char name[128];
    capture_here();
    assert_true(captured_count >= 3);
    assert_int_equal(mf__symbols_load(&symbols, NULL), 0);
    mf__symbol_name(&symbols, captured[0], name, sizeof name);
    assert_string_equal(name, "capture_here"); /* static: from .symtab */
    mf__symbol_name(&symbols, captured[1], name, sizeof name);
    assert_string_equal(name, "test_symbols");
    mf__symbol_name(&symbols, 1, name, sizeof name);
    assert_string_equal(name, "[unknown]");
    mf__symbols_free(&symbols);
}

static void test_symbols_of_garbage(void **state)
{
    (void)state;
    struct symbol *found = NULL;
    size_t count = 1;
    char bytes[256] = "\177ELF\002\001\001";
    for (size_t len = 0; len <= sizeof bytes; len += 8) {
        assert_int_equal(mf__symbols_parse(bytes, len, &found, &count), 0);
        assert_int_equal(count, 0);
        mf_free(found);
    }
    memset(bytes + 16, 0xff, sizeof bytes - 16); /* offsets and counts beyond everything */
    assert_int_equal(mf__symbols_parse(bytes, sizeof bytes, &found, &count), 0);
    assert_int_equal(count, 0);
    mf_free(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folded),
        cmocka_unit_test(test_folded_mistakes),
        cmocka_unit_test(test_deep_stack),
        cmocka_unit_test(test_arrangement),
        cmocka_unit_test(test_svg),
        cmocka_unit_test(test_fold_stack),
        cmocka_unit_test(test_perf_script),
        cmocka_unit_test(test_callgrind),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_symbols_of_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
