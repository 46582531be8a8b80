"""What the forum shows: lists, one thread, search, what resembles what, what is unread."""
