/* SPDX-License-Identifier: Apache-2.0
 * document.c -- see document.h. */
#include "document.h"

#include "fmt/escape.h"
#include "os/file.h"
#include "web/report_template.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int cli_document_write(struct cli_context *cli, const char *path, struct mf_buffer *document)
{
    if (path == NULL || strcmp(path, "-") == 0) {
        return cli_print(cli, document);
    }
    int rc = document->failed ? mf_fail(&cli->err, -ENOMEM, "out of memory") : 0;
    if (rc == 0) {
        rc = mf_fs_replace(NULL, path, document->data, document->len, &cli->err);
    }
    mf_buffer_free(document);
    if (rc == 0) {
        printf("%s\n", path);
    }
    return rc;
}

int cli_document_page(struct cli_context *cli, struct mf_buffer *json, struct mf_buffer *ret_page)
{
    struct mf_buffer page = MF_BUFFER_INIT;
    int rc = 0;
    if (mf_report_template_head_length == 0) {
        rc = mf_fail(&cli->err, MF_EUNSUPPORTED,
                     "this build has no HTML page (node or uPlot was missing); there is --format "
                     "markdown and --format json");
    } else {
        mf_buffer_append(&page, mf_report_template_head, mf_report_template_head_length);
        if (!json->failed) {
            mf_html_json(&page, json->data, json->len);
        }
        mf_buffer_append(&page, mf_report_template_tail, mf_report_template_tail_length);
        rc = json->failed || page.failed ? mf_fail(&cli->err, -ENOMEM, "out of memory") : 0;
    }
    mf_buffer_free(json);
    if (rc < 0) {
        mf_buffer_free(&page);
        return rc;
    }
    *ret_page = page;
    return 0;
}
