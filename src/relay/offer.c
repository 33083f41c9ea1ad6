#include "relay/offer.h"

#include "relay/announce.h"

/* 0: it says none, or what is no number. */
static uint64_t size_of(struct slice text)
{
	uint64_t size;

	return slice_number(text, UINT64_MAX, &size) ? size : 0;
}

static void learn(struct offer *o, struct slice line)
{
	static const struct {
		struct slice name;
		enum feature feature;
	} known[] = {
		{ { "SIZE", 4 }, FEATURE_SIZE },
		{ { "8BITMIME", 8 }, FEATURE_8BITMIME },
		{ { "SMTPUTF8", 8 }, FEATURE_SMTPUTF8 },
		{ { "STARTTLS", 8 }, FEATURE_STARTTLS },
		{ { "XCLIENT", 7 }, FEATURE_XCLIENT },
	};
	struct slice args, word = slice_cut(line, ' ', &args);
	unsigned feature = 0;

	for (size_t i = 0; i < sizeof known / sizeof known[0] && feature == 0; i++) {
		if (slice_equal_nocase(word, known[i].name))
			feature = known[i].feature;
	}
	o->features |= feature;
	if (feature == FEATURE_SIZE)
		o->size_max = size_of(slice_trim(args));
	if (feature == FEATURE_XCLIENT)
		o->xclient = announce_attributes(args);
}

struct offer offer_read(const char *ehlo)
{
	struct slice rest = slice_of(ehlo);
	struct offer o = { 0 };

	slice_cut(rest, '\n', &rest);
	while (rest.len > 0)
		learn(&o, slice_cut(rest, '\n', &rest));
	return o;
}

bool offer_lacks(const struct offer *o, const struct path *from, const struct mail_params *params,
		 struct reply *reply)
{
	if (params->body == BODY_8BITMIME && !(o->features & FEATURE_8BITMIME))
		reply_set(reply, 555, "5.6.3 Next hop takes no 8BITMIME");
	else if ((params->smtputf8 || from->is_utf8) && !(o->features & FEATURE_SMTPUTF8))
		reply_set(reply, 553, "5.6.7 Next hop takes no SMTPUTF8");
	else if (params->has_size && o->size_max != 0 && params->size > o->size_max)
		reply_set(reply, 552, "5.3.4 Message too big for the next hop");
	else
		return false;
	return true;
}
