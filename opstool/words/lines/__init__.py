"""What log lines say: our consumer's, those of other people's consumers by the shapes they have, and Lambda's own."""
