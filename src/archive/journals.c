#include "archive/journals.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/saved.h"
#include "archive/shelf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { DAY_S = 86400 };

void journals_init(struct journals *j)
{
	j->trouble.what = "journals cannot be written";
	j->trouble.over = "journals are written again";
	j->began_ms = clock_ms();
	j->began_wall_ms = clock_wall_ms();
}

/* false: why[] says. */
static bool write_one(const char *dir, struct series *s, const struct series_info *info,
		      uint64_t window, char why[VOLUME_WHY_MAX])
{
	char file[SHELF_NAME_MAX], *path;
	bool fine;

	if (!shelf_journal(file, info->is.name, (window + 1) * info->is.monitor.seconds)) {
		snprintf(why, VOLUME_WHY_MAX, "series %s: its name is too long for a file",
			 info->is.name);
		return false;
	}
	mkdir(dir, 0750); /* if that fails, so does what follows */
	path = mem_printf("%s/%s", dir, file);
	fine = access(path, F_OK) == 0 ||
	       saved_write(s, info, window, window, path, false, why);
	free(path);
	return fine;
}

static bool write_series(struct journals *all, struct journalled *j, struct series *s,
			 const char *dir)
{
	char why[VOLUME_WHY_MAX];
	struct series_info info;
	uint64_t oldest;

	series_identify(s, &info);
	if (!info.is.serialize)
		return true;
	series_describe(s, &info);
	if (info.window == 0)
		return true;
	if (j->series != s || !monitor_equal(j->monitor, info.is.monitor))
		*j = (struct journalled){ .series = s, .monitor = info.is.monitor };
	oldest = info.window > info.is.monitor.windows ? info.window - info.is.monitor.windows : 0;
	for (j->next = j->next > oldest ? j->next : oldest; j->next < info.window; j->next++)
		if (!write_one(dir, s, &info, j->next, why)) {
			trouble_note(&all->trouble, why);
			return false;
		}
	return true;
}

void journals_write(struct journals *j, struct series_all *all, const struct keeper_rules *rules)
{
	struct series *s;
	bool fine = true;

	if (clock_ms() < j->again_ms)
		return;
	for (unsigned n = 0; n < JOURNALS_MOST && (s = series_nth(all, n)) != NULL; n++)
		fine = write_series(j, &j->journalled[n], s, rules->journal_dir) && fine;
	if (!fine)
		j->again_ms = clock_ms() + rules->save_ms;
	trouble_tell(&j->trouble, rules->save_ms);
}

void journals_expire(const struct journals *j, const struct keeper_rules *rules)
{
	uint64_t now_s = clock_wall_ms() / 1000, days = rules->journal_days, end_s;
	uint64_t lived_s = (j->began_wall_ms + clock_ms() - j->began_ms) / 1000;
	DIR *dir = days > 0 ? opendir(rules->journal_dir) : NULL;
	char series[SERIES_NAME_MAX + 1];
	unsigned removed = 0;
	const struct dirent *e;

	if (lived_s < now_s)
		now_s = lived_s;
	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (shelf_is_journal(e->d_name, series, sizeof series, &end_s) &&
		    end_s + days * DAY_S < now_s)
			removed += unlinkat(dirfd(dir), e->d_name, 0) == 0;
	if (dir != NULL)
		closedir(dir);
	if (removed > 0)
		log_info("%u journals older than %u days removed", removed, (unsigned)days);
}
