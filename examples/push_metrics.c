/* SPDX-License-Identifier: Apache-2.0
 * push_metrics.c -- sends a store to a Prometheus remote write receiver; what it has acknowledged
 * is not sent again. example_push_metrics STORE http://localhost:9090/api/v1/write */
#include <mayfly/mayfly.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: example_push_metrics STORE URL\n");
        return 2;
    }
    struct mf_push_config config = MF_PUSH_CONFIG_INIT;
    struct mf_push_report report = {0};
    struct mf_errinfo err;
    config.url = argv[2];
    config.store_label = "instance";
    if (mf_export_push(argv[1], &config, &report, &err) < 0) {
        fprintf(stderr, "example_push_metrics: %s\n", err.msg);
        return 1;
    }
    printf("%llu samples in %llu requests, %llu refused\n", (unsigned long long)report.samples,
           (unsigned long long)report.requests, (unsigned long long)report.refused);
    return 0;
}
