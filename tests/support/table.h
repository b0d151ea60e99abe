/* support/table.h: decisions as text: each case of a tests/tables/NAME.cases file is one line in, one line
 * out. */
#ifndef GH_TEST_TABLE_H
#define GH_TEST_TABLE_H

#include "base/arena.h"
#include "base/buf.h"

/*  # a comment, or a heading; blank lines are free
 *  POST /weather/mcp host=mcp.example
 *      -> route weather
 *
 * The line in starts in the first column; the line out is indented behind "-> ". Both may hold \r \n \t \0
 * \\ and \xHH. `answer` gets the bytes of the line in and writes what was decided; an arena per case, a NUL
 * behind the line. */
int gh_table_run(const char *name, void (*answer)(struct gh_arena *arena, gh_str line, struct gh_buf *out));
/* Takes the next word off *line (words are parted by spaces); ptr NULL when there is none. */
gh_str gh_table_word(gh_str *line);

#endif
