"""A lesson's files, and the lesson that is read from them: every fault told by file, line and key."""
