/*
 * verdict - what all modules together made of one phase. Owns its text.
 */
#ifndef POLICY_VERDICT_H
#define POLICY_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct verdict {
	uint32_t delay_ms; /* tarpit: hold the answer back so long, whatever it is (D34) */
	uint16_t code;	   /* 0: nobody set one; the session answers what it would without policy */
	bool disconnect;   /* close after the answer */
	bool failed;	   /* a script's error made it (D25); text is set */
	char *text;	   /* lines divided by '\n'; NULL when code is 0 */
};

void verdict_clear(struct verdict *v);

/* NULL, or what is wrong with it as the code of an answer. */
const char *verdict_code_fault(int64_t code);

#endif
