/*
 * conf_file - the files that a configuration is made of, and paths as they are meant in them (T5).
 */
#ifndef APP_CONF_FILE_H
#define APP_CONF_FILE_H

#include <sys/types.h>

#include "app/conf.h"

struct conf_file {
	const char *name;	     /* as complaints show it: from where we are, or absolute */
	const char *dir;	     /* absolute, without links; NULL: not asked yet, or gone */
	struct conf_file *includer;  /* NULL: the first file */
	struct place included_at;
	struct conf_file *sibling;   /* the next one of an included directory */
	struct conf_file *older;     /* all files of the configuration */
	dev_t device;
	ino_t inode;
};

struct conf_file *conf_file_new(struct conf *conf, struct conf_file *includer, struct place at,
				const char *name);

/* What an include names: the file, or the directory's files in lexical order. NULL: complained, or
 * an empty directory. */
struct conf_file *conf_file_list(struct conf *conf, struct conf_file *includer, struct place at,
				 const char *path, struct complaints *complaints);

/* The whole text, from the heap; false: complained. */
bool conf_file_read(struct conf *conf, struct conf_file *file, struct complaints *complaints,
		    struct slice *text_out);

#endif
