# The template, proved with the real SAM CLI: validated, built, deployed to a local ministack, run and deleted.
# TEMPLATE_PYTHON has boto3 and opstool; the runtime's own interpreter is found, or named by RUNTIME_PYTHON.
TEMPLATE_PYTHON ?= .venv/bin/python

.PHONY: template
template:
	$(TEMPLATE_PYTHON) -m tests.sam.deploy_end_to_end
