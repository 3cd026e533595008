/* SPDX-License-Identifier: Apache-2.0
 * document.h -- where a verb puts a document that it made: a file, replaced as a whole, or standard
 * output. */
#ifndef CLI_DOCUMENT_H
#define CLI_DOCUMENT_H

#include "cli.h"

/* Writes the document and frees it. `path` NULL or "-": to standard output; else to that file,
 * whose name is then printed. */
int cli_document_write(struct cli_context *cli, const char *path, struct mf_buffer *document);

/* The page of a report around `json`, which it frees. MF_EUNSUPPORTED where the build has no page.
 */
int cli_document_page(struct cli_context *cli, struct mf_buffer *json, struct mf_buffer *ret_page);

#endif
