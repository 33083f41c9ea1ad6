#: make docs             write the reference and the sample file anew, from the table of options
OPTION_DOCS := docs/configuration.md:md man/tidewaiter.conf.5:mdoc etc/tidewaiter.conf:sample

.PHONY: docs
docs: $(B)/tidewaiter
	@mkdir -p docs man etc
	@for d in $(OPTION_DOCS); do $(B)/tidewaiter --options $${d##*:} >$${d%%:*} || exit 1; done

#: make docs-check       try what the documents say: examples, outputs, names, figures, manual pages
.PHONY: docs-check
docs-check: all test-packages
	@$(PYTHON) tests/docs/run $(B)
