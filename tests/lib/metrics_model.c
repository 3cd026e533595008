/* SPDX-License-Identifier: Apache-2.0
 * metrics_model.c -- see metrics_model.h. */
#include "metrics_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t model_floor(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

void model_init(struct model *m, const struct mf_metrics_schema *schemas, uint32_t count,
                int64_t future_ns_max)
{
    *m = (struct model){.schema_count = count, .future_ns_max = future_ns_max};
    m->clock_ns = m->caller_ns = MODEL_NONE;
    for (uint32_t i = 0; i < count; i++) {
        m->schemas[i] = schemas[i];
        m->schema_slot[i] = MODEL_NONE;
    }
}

static void clear_series(struct model_series *s)
{
    for (size_t t = 0; t < MF_METRICS_TIERS_MAX; t++) {
        for (size_t i = 0; i < s->tiers[t].count; i++) {
            free(s->tiers[t].slots[i].values);
        }
        free(s->tiers[t].slots);
    }
    *s = (struct model_series){0};
}

void model_free(struct model *m)
{
    for (size_t i = 0; i < MODEL_SERIES_MAX; i++) {
        clear_series(&m->series[i]);
    }
}

void model_register(struct model *m, unsigned series, enum mf_series_type type, uint32_t schema)
{
    m->series[series] =
        (struct model_series){.live = true, .type = type, .schema = schema, .newest = MODEL_NONE};
}

void model_unregister(struct model *m, unsigned series)
{
    clear_series(&m->series[series]);
}

static const struct mf_metrics_schema *schema_of(const struct model *m,
                                                 const struct model_series *s)
{
    return &m->schemas[s->schema];
}

/* The slot of a tier that a slot of the first tier lies in. */
static int64_t slot_in(const struct mf_metrics_schema *schema, uint32_t tier, int64_t slot)
{
    return model_floor(slot, schema->tiers[tier].interval_ns / schema->tiers[0].interval_ns);
}

void model_window(const struct model *m, uint32_t schema, uint32_t tier, int64_t *ret_first,
                  int64_t *ret_last)
{
    const struct mf_metrics_tier *t = &m->schemas[schema].tiers[tier];
    *ret_last = model_floor(m->clock_ns, t->interval_ns);
    *ret_first = *ret_last - (int64_t)t->slots + 1;
}

static bool retained(const struct model *m, uint32_t schema, uint32_t tier, int64_t slot)
{
    int64_t first;
    int64_t last;
    model_window(m, schema, tier, &first, &last);
    return slot_in(&m->schemas[schema], tier, slot) >= first;
}

static bool any_retained(const struct model *m, uint32_t schema, int64_t slot)
{
    for (uint32_t t = 0; t < m->schemas[schema].tier_count; t++) {
        if (retained(m, schema, t, slot)) {
            return true;
        }
    }
    return false;
}

/* The place of a slot: where it is, or where it would be. */
static size_t find_slot(const struct model_tier *tier, int64_t slot)
{
    size_t low = 0;
    size_t high = tier->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (tier->slots[middle].slot < slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct model_slot *make_slot(struct model_tier *tier, int64_t slot)
{
    const size_t at = find_slot(tier, slot);
    if (at < tier->count && tier->slots[at].slot == slot) {
        return &tier->slots[at];
    }
    if (tier->count == tier->capacity) {
        tier->capacity = tier->capacity == 0 ? 16 : tier->capacity * 2;
        tier->slots = realloc(tier->slots, tier->capacity * sizeof *tier->slots);
        if (tier->slots == NULL) {
            abort();
        }
    }
    memmove(&tier->slots[at + 1], &tier->slots[at], (tier->count - at) * sizeof *tier->slots);
    tier->count++;
    tier->slots[at] = (struct model_slot){.slot = slot};
    return &tier->slots[at];
}

static void keep_value(struct model_slot *s, double value)
{
    if (s->value_count == s->value_capacity) {
        s->value_capacity = s->value_capacity == 0 ? 4 : s->value_capacity * 2;
        s->values = realloc(s->values, s->value_capacity * sizeof *s->values);
        if (s->values == NULL) {
            abort();
        }
    }
    s->values[s->value_count++] = value;
}

static void merge(struct model *m, struct model_series *s, int64_t slot, double value, bool late)
{
    const struct mf_metrics_schema *schema = schema_of(m, s);
    const bool packed =
        late || (s->closed && slot == s->newest) || !retained(m, s->schema, 0, slot);
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        struct model_slot *to = make_slot(&s->tiers[t], slot_in(schema, t, slot));
        if (to->count == 0) {
            to->min = to->max = to->first = to->last = value;
        }
        to->count++;
        to->sum += value;
        to->min = value < to->min ? value : to->min;
        to->max = value > to->max ? value : to->max;
        to->last = late ? to->last : value;
        to->late += packed ? 1 : 0;
        if (s->type == MF_HISTOGRAM) {
            keep_value(to, value);
        }
    }
}

static void sample(struct model *m, struct model_series *s, int64_t slot, double increase)
{
    const struct mf_metrics_schema *schema = schema_of(m, s);
    for (uint32_t t = 0; t < schema->tier_count; t++) {
        struct model_slot *to = make_slot(&s->tiers[t], slot_in(schema, t, slot));
        to->count++;
        to->sum += increase;
        to->last = s->total;
    }
    s->newest = slot;
}

static void sample_counters(struct model *m, uint32_t schema)
{
    for (size_t i = 0; i < MODEL_SERIES_MAX; i++) {
        struct model_series *s = &m->series[i];
        if (!s->live || s->type != MF_COUNTER || s->schema != schema || s->observed) {
            continue;
        }
        s->total += s->pending;
        sample(m, s, m->schema_slot[schema], s->pending);
        s->seen += s->pending;
        s->pending = 0;
    }
}

static void advance(struct model *m, int64_t wall_ns)
{
    m->clock_ns = wall_ns;
    for (uint32_t i = 0; i < m->schema_count; i++) {
        const int64_t slot = model_floor(wall_ns, m->schemas[i].tiers[0].interval_ns);
        if (m->schema_slot[i] != MODEL_NONE && slot > m->schema_slot[i]) {
            sample_counters(m, i);
        }
        m->schema_slot[i] = slot;
    }
}

static bool fits(const struct model_series *s, double value)
{
    return isfinite(value) && (s->type == MF_GAUGE || (s->type == MF_HISTOGRAM && value >= 0));
}

static int refuse_value(struct model *m)
{
    m->stats.value_refused++;
    return MF_EVALUE;
}

/* The slot that a time of the caller's means, and what it does to the clock. */
static int time_slot(struct model *m, const struct model_series *s, int64_t wall_ns,
                     int64_t *ret_slot)
{
    const int64_t slot = model_floor(wall_ns, schema_of(m, s)->tiers[0].interval_ns);
    *ret_slot = slot;
    if (slot == m->schema_slot[s->schema]) {
        return 0;
    }
    if (wall_ns > m->clock_ns) {
        if ((m->clock_ns == MODEL_NONE || wall_ns - m->future_ns_max > m->clock_ns) &&
            wall_ns - m->future_ns_max > m->wall_ns) {
            m->stats.future_refused++;
            return MF_EFUTURE;
        }
        advance(m, wall_ns);
    }
    return 0;
}

static int record_slot(struct model *m, struct model_series *s, double value, int64_t slot)
{
    if (!any_retained(m, s->schema, slot)) {
        m->stats.late_refused++;
        return MF_ELATE;
    }
    const bool late = s->newest != MODEL_NONE && slot < s->newest;
    merge(m, s, slot, value, late);
    if (s->newest == MODEL_NONE || slot > s->newest) {
        s->newest = slot;
        s->closed = false;
    }
    m->stats.late_merged += late ? 1 : 0;
    return 0;
}

int model_record_at(struct model *m, unsigned series, double value, int64_t wall_ns)
{
    struct model_series *s = &m->series[series];
    if (!s->live) {
        return MF_ESTALE;
    }
    if (!fits(s, value)) {
        return refuse_value(m);
    }
    int64_t slot;
    int rc = time_slot(m, s, wall_ns, &slot);
    return rc < 0 ? rc : record_slot(m, s, value, slot);
}

int model_record(struct model *m, unsigned series, double value)
{
    struct model_series *s = &m->series[series];
    if (!s->live) {
        return MF_ESTALE;
    }
    if (!fits(s, value) || m->schema_slot[s->schema] == MODEL_NONE) {
        return refuse_value(m);
    }
    return record_slot(m, s, value, m->schema_slot[s->schema]);
}

int model_batch(struct model *m, const unsigned *series, const double *values, size_t count,
                int64_t wall_ns)
{
    for (size_t i = 0; i < count; i++) {
        if (!m->series[series[i]].live) {
            return MF_ESTALE;
        }
        if (!fits(&m->series[series[i]], values[i])) {
            return refuse_value(m);
        }
    }
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        const int one = model_record_at(m, series[i], values[i], wall_ns);
        rc = rc == 0 ? one : rc;
    }
    return rc;
}

static int observe(struct model *m, struct model_series *s, double total, int64_t slot)
{
    if (s->newest != MODEL_NONE && slot < s->newest) {
        m->stats.late_refused++;
        return MF_ELATE;
    }
    double increase = 0;
    if (!s->observed) {
        s->observed = true;
        s->total = total;
    } else if (total < s->seen) {
        m->stats.counter_resets++;
        increase = total;
    } else {
        increase = total - s->seen;
    }
    s->total += increase;
    s->seen = total;
    sample(m, s, slot, increase);
    return 0;
}

int model_observe_at(struct model *m, unsigned series, double total, int64_t wall_ns)
{
    struct model_series *s = &m->series[series];
    if (!s->live) {
        return MF_ESTALE;
    }
    if (s->type != MF_COUNTER || !isfinite(total) || total < 0) {
        return refuse_value(m);
    }
    int64_t slot = model_floor(wall_ns, schema_of(m, s)->tiers[0].interval_ns);
    if (wall_ns > m->clock_ns) { /* unlike recording, it always tells the time */
        if ((m->clock_ns == MODEL_NONE || wall_ns - m->future_ns_max > m->clock_ns) &&
            wall_ns - m->future_ns_max > m->wall_ns) {
            m->stats.future_refused++;
            return MF_EFUTURE;
        }
        advance(m, wall_ns);
    }
    return observe(m, s, total, slot);
}

int model_observe(struct model *m, unsigned series, double total)
{
    struct model_series *s = &m->series[series];
    if (!s->live) {
        return MF_ESTALE;
    }
    if (s->type != MF_COUNTER || !isfinite(total) || total < 0) {
        return refuse_value(m);
    }
    if (m->schema_slot[s->schema] == MODEL_NONE) {
        return MF_EVALUE;
    }
    return observe(m, s, total, m->schema_slot[s->schema]);
}

void model_add(struct model *m, unsigned series, uint64_t increment)
{
    m->series[series].pending += (double)increment;
}

int model_tick(struct model *m, int64_t now_wall_ns)
{
    if (m->caller_ns != MODEL_NONE && now_wall_ns < m->caller_ns) {
        m->stats.backward_steps++;
        m->ahead_ns = m->clock_ns > now_wall_ns ? m->clock_ns - now_wall_ns : 0;
    }
    m->caller_ns = now_wall_ns;
    if (now_wall_ns >= m->clock_ns) {
        m->ahead_ns = 0;
    }
    const int64_t wall_ns = now_wall_ns + m->ahead_ns;
    advance(m, wall_ns > m->clock_ns ? wall_ns : m->clock_ns);
    return 0;
}

void model_consolidate(struct model *m)
{
    for (size_t i = 0; i < MODEL_SERIES_MAX; i++) {
        struct model_series *s = &m->series[i];
        if (s->live && s->newest != MODEL_NONE && s->newest < m->schema_slot[s->schema]) {
            s->closed = true;
        }
    }
}

void model_close(struct model *m)
{
    for (uint32_t i = 0; i < m->schema_count; i++) {
        if (m->schema_slot[i] != MODEL_NONE) {
            sample_counters(m, i);
        }
    }
    if (m->clock_ns != MODEL_NONE) { /* the next open takes the time from the clock */
        for (uint32_t i = 0; i < m->schema_count; i++) {
            m->schema_slot[i] = model_floor(m->clock_ns, m->schemas[i].tiers[0].interval_ns);
        }
    }
}

bool model_point(const struct model *m, unsigned series, uint32_t tier, int64_t slot,
                 struct model_slot *ret_slot)
{
    const struct model_series *s = &m->series[series];
    const struct mf_metrics_schema *schema = schema_of(m, s);
    int64_t first;
    int64_t last;
    model_window(m, s->schema, tier, &first, &last);
    *ret_slot = (struct model_slot){.slot = slot};
    if (slot < first || slot > last) {
        return false;
    }
    const struct model_tier *in = &s->tiers[tier];
    const size_t at = find_slot(in, slot);
    if (at < in->count && in->slots[at].slot == slot) {
        *ret_slot = in->slots[at];
    }
    if (s->type == MF_COUNTER) {
        const int64_t clock_slot = model_floor(m->clock_ns, schema->tiers[0].interval_ns);
        if (!s->observed && s->pending > 0 && m->clock_ns != MODEL_NONE &&
            slot_in(schema, tier, clock_slot) == slot) {
            ret_slot->count++;
            ret_slot->sum += s->pending;
            ret_slot->last = s->total + s->pending;
        }
        ret_slot->first = ret_slot->min = ret_slot->last - ret_slot->sum;
        ret_slot->max = ret_slot->last;
    }
    return ret_slot->count > 0;
}
