"""All I/O: AWS, the clock, the journal, archives, logs and the files of a folder."""
