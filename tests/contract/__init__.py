"""One suite of SQS's promises, run over every server this project is tested against."""
